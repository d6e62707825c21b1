package he

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

const (
	// FirstAttempt is the attempt of the first opening of a query.
	FirstAttempt = 1
	// LastAttempt is the one re-issue that the ledger may order, with another
	// active set, if a server of the first one is silent.
	LastAttempt = 2
)

// Opening is everything that the ledger fixes before any share is made. Two
// servers that share for equal Openings compute the same context.
type Opening struct {
	Epoch       uint64
	Query       Digest   // query id
	Attempt     uint32   // FirstAttempt or LastAttempt
	K           int      // coefficients to open
	Ciphertexts []Digest // of the accepted ciphertexts, ledger order, no repeats
	C0, C1      Digest   // hashes of the sum, as in the AGGREGATE record
	QuerierKey  Digest   // of the key inside the signed query
	Active      []int    // active servers, ascending, exactly t
}

// check refuses openings that could not be made by a correct state machine.
func (c *Context) checkOpening(com Committee, o *Opening) error {
	if err := com.CheckActive(o.Active); err != nil {
		return err
	}
	if err := c.checkK(o.K); err != nil {
		return err
	}
	if o.Attempt < FirstAttempt || o.Attempt > LastAttempt {
		return fmt.Errorf("attempt %d, want %d or %d: %w", o.Attempt, FirstAttempt, LastAttempt, ErrGate)
	}
	if n := len(o.Ciphertexts); n == 0 || n > MaxSummands {
		return fmt.Errorf("list of %d ciphertexts: %w", n, ErrTooMany)
	}
	seen := make(map[Digest]bool, len(o.Ciphertexts))
	for i, d := range o.Ciphertexts {
		if seen[d] {
			return fmt.Errorf("ciphertext %d (%x) stands twice in the list: %w", i, d[:8], ErrOpened)
		}
		seen[d] = true
	}
	return nil
}

// OpeningContext returns octx, the hash that binds a share, its proof and its
// record to one opening. It does not validate o.
func (c *Context) OpeningContext(o Opening) Digest {
	active := make([]byte, len(o.Active))
	for i, j := range o.Active {
		active[i] = byte(j)
	}
	agg := c.AggregateDigest(o.Epoch, o.Query, o.K, o.C0, o.C1)
	list := listDigest(o.Ciphertexts)
	return hashFields("statnet/v1/open", c.params.ID[:], be64(o.Epoch), o.Query[:], be64(uint64(o.Attempt)),
		beInt(o.K), list[:], agg[:], o.QuerierKey[:], active)
}

func listDigest(ds []Digest) (sum Digest) {
	h := sha256.New()
	for i := range ds {
		h.Write(ds[i][:])
	}
	h.Sum(sum[:0])
	return sum
}

// subject returns what a re-issue has in common with the opening before it:
// the context without attempt and active set.
func (c *Context) subject(o Opening) Digest {
	o.Attempt, o.Active = 0, nil
	return c.OpeningContext(o)
}

func (o Opening) clone() Opening {
	o.Ciphertexts = slices.Clone(o.Ciphertexts)
	o.Active = slices.Clone(o.Active)
	return o
}
