package chain

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/config"
)

const (
	ticketVersion = 1
	// MaxTicket bounds a ticket in bytes.
	MaxTicket = 16 << 10
	// maxTicketProof bounds its inclusion proof; 2^40 leaves need 40 hashes.
	maxTicketProof = 64
	// MaxClockSkew is how far this machine's clock may be from the cosigners'.
	MaxClockSkew = 10 * time.Minute
)

// Ticket proves that a question is registered: QUERY's leaf, its place, and a
// q-cosigned checkpoint over it. Gateways and servers act on nothing less.
type Ticket struct {
	Leaf  []byte // QUERY
	Index uint64 // of the leaf
	Proof []merkle.Hash
	Note  []byte // q-cosigned, over more than Index leaves
}

// ticketCBOR is CBOR [1, leaf, index, [hash], note].
type ticketCBOR struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Leaf    []byte
	Index   uint64
	Proof   [][]byte
	Note    []byte
}

// Marshal encodes the ticket.
func (t Ticket) Marshal() ([]byte, error) {
	data, err := record.EncodeStrict(ticketCBOR{Version: ticketVersion, Leaf: t.Leaf, Index: t.Index, Proof: bytesOf(t.Proof), Note: t.Note})
	if err != nil {
		return nil, fmt.Errorf("encode ticket: %w", err)
	}
	if len(data) > MaxTicket {
		return nil, fmt.Errorf("encode ticket: %d bytes, at most %d", len(data), MaxTicket)
	}
	return data, nil
}

// ParseTicket reads what Marshal writes; it checks form only.
func ParseTicket(data []byte) (Ticket, error) {
	var c ticketCBOR
	if len(data) > MaxTicket {
		return Ticket{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTicket, len(data), MaxTicket)
	}
	if err := record.DecodeStrict(data, &c); err != nil {
		return Ticket{}, fmt.Errorf("%w: %w", ErrTicket, err)
	}
	if c.Version != ticketVersion || len(c.Proof) > maxTicketProof {
		return Ticket{}, fmt.Errorf("%w: version %d, %d proof hashes", ErrTicket, c.Version, len(c.Proof))
	}
	proof, err := hashesOf(c.Proof)
	if err != nil {
		return Ticket{}, fmt.Errorf("%w: %w", ErrTicket, err)
	}
	t := Ticket{Leaf: c.Leaf, Index: c.Index, Proof: proof, Note: c.Note}
	if again, err := t.Marshal(); err != nil || !bytes.Equal(again, data) {
		return Ticket{}, fmt.Errorf("%w: other encoding", ErrTicket)
	}
	return t, nil
}

// CheckTicket checks a ticket against the pinned GENESIS and cluster: origin, q
// cosignatures, inclusion, an enrolled querier's signature, and that now is
// before not_after + T and within 10 minutes of the cosigners. Every refusal is
// an ErrTicket.
//
// It does not check that the note is consistent with one seen before, nor that
// the policy allows the question: Follower.CheckTicket does the first, and
// fsm.Allowed answers the second.
func CheckTicket(genesis []byte, cluster *config.Cluster, ticket []byte, now time.Time) (*record.Query, uint64, error) {
	q, t, _, err := checkTicket(genesis, cluster, ticket, now)
	return q, t.Index, err
}

func checkTicket(genesis []byte, cluster *config.Cluster, ticket []byte, now time.Time) (*record.Query, Ticket, note.Signed, error) {
	fail := func(err error) (*record.Query, Ticket, note.Signed, error) {
		if !errors.Is(err, ErrTicket) {
			err = fmt.Errorf("%w: %w", ErrTicket, err)
		}
		return nil, Ticket{}, note.Signed{}, err
	}
	t, err := ParseTicket(ticket)
	if err != nil {
		return fail(err)
	}
	g, origin, err := genesisOf(genesis)
	if err != nil {
		return fail(err)
	}
	if g.Cluster != cluster.Digest {
		return fail(errors.New("GENESIS names another cluster.yaml"))
	}
	s, err := policyOf(g, origin).Verify(t.Note)
	if err != nil {
		return fail(err)
	}
	if err := merkle.VerifyInclusion(t.Index, s.Size, s.Root, merkle.LeafHash(t.Leaf), t.Proof); err != nil {
		return fail(err)
	}
	q, err := queryOf(origin, cluster, t.Leaf)
	if err != nil {
		return fail(err)
	}
	if err := checkTimes(q, s, now); err != nil {
		return fail(err)
	}
	return q, t, s, nil
}

// queryOf reads QUERY and checks that an enrolled querier signed it. A leaf in
// the ledger passed step, but the reader need not take the verifiers' word.
func queryOf(origin string, cluster *config.Cluster, leaf []byte) (*record.Query, error) {
	e, err := record.Decode(leaf)
	if err != nil {
		return nil, err
	}
	q, ok := e.Payload.(*record.Query)
	if !ok {
		return nil, fmt.Errorf("leaf is %s, not QUERY", e.Type)
	}
	role, _, err := record.SplitPath(e.Signer)
	if err != nil || role != record.RoleQuerier {
		return nil, fmt.Errorf("QUERY signed by %s", e.Signer)
	}
	pub, ok := cluster.RecordKey(e.Signer)
	if !ok {
		return nil, fmt.Errorf("not enrolled: %s", e.Signer)
	}
	if err := e.Verify(origin, []byte(pub)); err != nil {
		return nil, err
	}
	return q, nil
}

// checkTimes holds a query and its cosigners against the own clock.
func checkTimes(q *record.Query, s note.Signed, now time.Time) error {
	if end := time.UnixMilli(int64(q.NotAfter + q.TimeoutMS)); !now.Before(end) { // record bounds both
		return fmt.Errorf("expired: ended at %s", end.UTC().Format(time.RFC3339))
	}
	skew := now.Sub(time.Unix(int64(s.MedianTime()), 0))
	if skew > MaxClockSkew || skew < -MaxClockSkew {
		return fmt.Errorf("clock: the cosigners' median is %s away from this machine's, at most %s", skew, MaxClockSkew)
	}
	return nil
}
