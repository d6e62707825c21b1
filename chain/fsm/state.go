package fsm

import (
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"statnet/chain/record"
)

// data is everything that the leaves decide. Its deterministic encoding is the
// state digest, so every field is exported and none is derived from the clock,
// the machine or the configuration.
type data struct {
	Size        uint64
	Origin      string
	LedgerMS    uint64 // Unix milliseconds
	LastCut     uint64 // leaf, 0 = none
	TimeCut     uint64 // leaf of the CUT that set LedgerMS, 0 = GENESIS
	Idem        map[record.Hash]idemEntry
	Queries     map[record.Hash]*Query
	Epochs      map[uint64]*KeyEpoch
	Latest      uint64                 // newest key epoch begun, 0 = none
	Ciphertexts map[record.Hash]uint64 // digest -> ANSWER leaf, of all queries
}

type idemEntry struct {
	Leaf  uint64
	Hash  record.Hash // leaf hash
	Type  record.Type
	Query record.Hash
}

func newData() data {
	return data{
		Idem: map[record.Hash]idemEntry{}, Queries: map[record.Hash]*Query{},
		Epochs: map[uint64]*KeyEpoch{}, Ciphertexts: map[record.Hash]uint64{},
	}
}

// Digest is a hash of the whole state: equal on every node that folded the same
// leaves. It costs time in proportion to the state; it is for tests and for
// comparing nodes, not for every leaf.
func (s *State) Digest() record.Hash {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err == nil {
		var b []byte
		if b, err = m.Marshal(s.d); err == nil {
			return sha256.Sum256(b)
		}
	}
	panic("fsm: encode state: " + err.Error()) // fixed types of this package
}

// Size is the number of leaves.
func (s *State) Size() uint64 { return s.d.Size }

// Origin names the ledger; empty before GENESIS.
func (s *State) Origin() string { return s.d.Origin }

// LedgerTime is the agreed time in Unix milliseconds: GENESIS's own, then what
// CUTs say. It stands still between CUTs.
func (s *State) LedgerTime() int64 { return int64(s.d.LedgerMS) }

// LastCut is the leaf of the newest CUT, 0 if there is none. A claim for the
// next CUT is bound to it.
func (s *State) LastCut() uint64 { return s.d.LastCut }

// Leaf finds the leaf index of a record by its idem key.
func (s *State) Leaf(idem record.Hash) (uint64, bool) {
	e, ok := s.d.Idem[idem]
	return e.Leaf, ok
}

// Query returns a copy of a registered query.
func (s *State) Query(id record.Hash) (*Query, bool) {
	q, ok := s.d.Queries[id]
	if !ok {
		return nil, false
	}
	return q.clone(), true
}

// OpenQueries returns copies of all queries that are not CLOSED, by leaf.
func (s *State) OpenQueries() []*Query { return cloneQueries(s.open) }

// Queries returns copies of all queries, by leaf.
func (s *State) Queries() []*Query { return cloneQueries(s.d.Queries) }

func cloneQueries(qs map[record.Hash]*Query) []*Query {
	var out []*Query
	for _, q := range qs {
		out = append(out, q.clone())
	}
	slices.SortFunc(out, func(a, b *Query) int { return compare(a.Leaf, b.Leaf) })
	return out
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// NextDeadline is the earliest ledger time (Unix ms) at which a phase of an
// open query ends by itself, or another server may take a silent one's turn. The
// leader posts a CUT just after it: without one, time stands still.
func (s *State) NextDeadline() (int64, bool) {
	var next uint64
	for _, q := range s.open {
		if d, ok := q.Deadline(); ok && (next == 0 || d < next) {
			next = d
		}
		if d, ok := q.handover(); ok && d > s.d.LedgerMS && (next == 0 || d < next) {
			next = d
		}
	}
	return int64(next), next != 0
}

// Busy reports whether leaves after the last CUT are waiting for one.
func (s *State) Busy() bool { return s.d.Size > s.d.LastCut+1 || s.d.Size == 1 }

func sortedKeys[M ~map[K]V, K ~string, V any](m M) []K { return slices.Sorted(maps.Keys(m)) }
