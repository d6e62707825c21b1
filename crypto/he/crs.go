package he

import (
	"crypto/subtle"
	"fmt"
)

// CRS is the common random string of one key epoch: everything that the
// servers agree on before sub-keys are made.
type CRS struct {
	Epoch     uint64
	Committee Committee
	Value     Digest
}

// Member is one server's part in the CRS.
type Member struct {
	ID     string   // roster id, e.g. "s1"
	Key    []byte   // record key of the roster (public)
	Commit Digest   // recorded before any nonce was revealed
	Nonce  [32]byte // revealed after all commitments were recorded
}

// NonceCommit returns what server (1..n) records in round 1, before it reveals
// its nonce. The nonce is 32 bytes from crypto/rand.
func (c *Context) NonceCommit(epoch uint64, server int, nonce [32]byte) Digest {
	return hashFields("statnet/v1/crs-commit", c.params.ID[:], be64(epoch), beInt(server), nonce[:])
}

// NewCRS checks every nonce against its commitment and derives the common
// random string. Members are in roster order, T is the threshold.
//
// It does not check that all commitments were recorded before the first nonce:
// the ledger's order of rounds does. Without that order the last server chooses
// the string.
func (c *Context) NewCRS(epoch uint64, t int, members []Member) (CRS, error) {
	com := Committee{N: len(members), T: t}
	if err := com.Validate(); err != nil {
		return CRS{}, err
	}
	fields := [][]byte{c.params.ID[:], be64(epoch), beInt(com.N), beInt(t)}
	for i, m := range members {
		got := c.NonceCommit(epoch, i+1, m.Nonce)
		if subtle.ConstantTimeCompare(got[:], m.Commit[:]) != 1 {
			return CRS{}, fmt.Errorf("nonce of server %s (%d): %w", m.ID, i+1, ErrCommitment)
		}
		fields = append(fields, []byte(m.ID), m.Key, m.Nonce[:])
	}
	return CRS{Epoch: epoch, Committee: com, Value: hashFields("statnet/v1/crs", fields...)}, nil
}

// commonPoly returns a, the public uniform polynomial of the epoch, in
// coefficients.
func (c *Context) commonPoly(crs Digest) *poly { return c.expandUniform("ckg", crs[:]) }
