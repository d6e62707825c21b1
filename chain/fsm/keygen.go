package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"statnet/chain/record"
)

// KeygenTimeoutMS is the ledger time after which a key epoch that is still
// being generated may be superseded by the next one.
const KeygenTimeoutMS = 120_000

// Status of a key epoch.
type Status uint8

// Statuses. A newer active epoch replaces an older one for new queries only.
const (
	KeyRunning Status = iota + 1
	KeyActive
	KeyAborted
)

// Entry is a digest and the leaf that says it.
type Entry struct {
	Leaf   uint64
	Digest record.Hash
}

// KeyEpoch is the generation of one collective key and its use.
type KeyEpoch struct {
	Epoch     uint64
	StartedMS uint64 // ledger time of its first record
	Status    Status
	Reason    string // if KeyAborted

	Commits    map[string]Entry             // round 1, by server
	Nonces     map[string]Entry             // round 2: the nonces r_i themselves, by server
	KeyCommits map[uint16]Entry             // round 3, by sub-key set
	Keys       map[uint16]Entry             // round 4: digests of key contributions, by sub-key set
	Confirms   map[uint16]map[string]uint64 // round 5: leaf, by sub-key set and member
	Leaves     []uint64                     // all of them, ascending
	ActiveLeaf uint64                       // the last CONFIRM; QUERY names it
	Reserved   uint64                       // openings made or promised, of MaxOpenings
}

func (k *KeyEpoch) clone() *KeyEpoch {
	c := *k
	c.Commits, c.Nonces = maps.Clone(k.Commits), maps.Clone(k.Nonces)
	c.KeyCommits, c.Keys = maps.Clone(k.KeyCommits), maps.Clone(k.Keys)
	c.Confirms = make(map[uint16]map[string]uint64, len(k.Confirms))
	for set, m := range k.Confirms {
		c.Confirms[set] = maps.Clone(m)
	}
	c.Leaves = slices.Clone(k.Leaves)
	return &c
}

// Key returns a copy of a key epoch.
func (s *State) Key(epoch uint64) (*KeyEpoch, bool) {
	k, ok := s.d.Epochs[epoch]
	if !ok {
		return nil, false
	}
	return k.clone(), true
}

// LatestKey returns a copy of the newest key epoch begun, active or not.
func (s *State) LatestKey() (*KeyEpoch, bool) { return s.Key(s.d.Latest) }

// CurrentKey returns a copy of the newest active key epoch: the one that a
// QUERY must name.
func (s *State) CurrentKey() (*KeyEpoch, bool) {
	k := s.currentKey()
	if k == nil {
		return nil, false
	}
	return k.clone(), true
}

func (s *State) currentKey() *KeyEpoch {
	for e := s.d.Latest; e > 0; e-- {
		if k := s.d.Epochs[e]; k != nil && k.Status == KeyActive {
			return k
		}
	}
	return nil
}

// NextKeyEpoch is the epoch that a server may begin now with a round 1 record,
// and whether the ledger lets it: none is running, or the running one has run
// out of time.
func (s *State) NextKeyEpoch() (uint64, bool) {
	k := s.d.Epochs[s.d.Latest]
	return s.d.Latest + 1, k == nil || k.Status != KeyRunning || s.d.LedgerMS >= k.StartedMS+KeygenTimeoutMS
}

// SubKeySets lists the sets of servers that share a sub-key, as masks (bit i-1
// is server i in roster order), in lexicographic order.
func (s *State) SubKeySets() []uint16 { return slices.Clone(s.rules.sets) }

// SetMembers lists the servers of a set, ascending; the first is its dealer.
func (s *State) SetMembers(set uint16) []string { return s.rules.members(set) }

// Servers lists server paths in roster order; index 1 is the first.
func (s *State) Servers() []string { return slices.Clone(s.rules.servers) }

// Verifiers lists verifier paths in roster order.
func (s *State) Verifiers() []string { return slices.Clone(s.rules.verifiers) }

// keygen takes one step of a key epoch. A round opens only when all of the one
// before are in, so nobody can choose its part after seeing another's.
func (s *State) keygen(index uint64, signer string, p *record.KeyGen) (apply, error) {
	if p.ProofSize != 0 || p.Proof != (record.Hash{}) {
		return nil, refuse(Unsupported, "KEYGEN by %s has a proof", signer)
	}
	if p.Set != 0 && !slices.Contains(s.rules.sets, p.Set) {
		return nil, refuse(Malformed, "KEYGEN by %s: %#x is not a sub-key set", signer, p.Set)
	}
	k := s.d.Epochs[p.Epoch]
	if k == nil {
		return s.beginEpoch(index, signer, p)
	}
	if k.Status != KeyRunning || p.Epoch != s.d.Latest {
		return nil, refuse(Late, "KEYGEN by %s: epoch %d is not being generated", signer, p.Epoch)
	}
	step, err := s.keygenStep(index, signer, k, p)
	if err != nil {
		return nil, err
	}
	return func() bool {
		k.Leaves = append(k.Leaves, index)
		step()
		return true
	}, nil
}

func (s *State) beginEpoch(index uint64, signer string, p *record.KeyGen) (apply, error) {
	next, ok := s.NextKeyEpoch()
	switch {
	case !ok && !s.replay:
		return nil, refuse(WrongPhase, "KEYGEN by %s: epoch %d is still being generated", signer, s.d.Latest)
	case p.Epoch < next || p.Epoch > next && !s.replay:
		return nil, refuse(Stale, "KEYGEN by %s: epoch %d, the next one is %d", signer, p.Epoch, next)
	case p.Round != record.RoundCommit:
		return nil, refuse(WrongPhase, "KEYGEN by %s: round %d of epoch %d, which has not begun", signer, p.Round, p.Epoch)
	}
	k := &KeyEpoch{
		Epoch: p.Epoch, StartedMS: s.d.LedgerMS, Status: KeyRunning, Leaves: []uint64{index},
		Commits: map[string]Entry{signer: {index, p.Digest}}, Nonces: map[string]Entry{},
		KeyCommits: map[uint16]Entry{}, Keys: map[uint16]Entry{}, Confirms: map[uint16]map[string]uint64{},
	}
	return func() bool {
		if old := s.d.Epochs[s.d.Latest]; old != nil && old.Status == KeyRunning {
			old.Status, old.Reason = KeyAborted, fmt.Sprintf("not finished within %d s", KeygenTimeoutMS/1000)
		}
		s.d.Epochs[p.Epoch], s.d.Latest = k, p.Epoch
		return true
	}, nil
}

// keygenStep checks one record of a running epoch and returns its effect.
func (s *State) keygenStep(index uint64, signer string, k *KeyEpoch, p *record.KeyGen) (func(), error) {
	entry := Entry{Leaf: index, Digest: p.Digest}
	tooEarly := func(ok bool) error {
		if !ok {
			return refuse(WrongPhase, "KEYGEN by %s: round %d before all of the round before", signer, p.Round)
		}
		return nil
	}
	switch p.Round {
	case record.RoundCommit:
		return func() { k.Commits[signer] = entry }, nil
	case record.RoundNonce:
		if err := tooEarly(len(k.Commits) == len(s.rules.servers)); err != nil {
			return nil, err
		}
		if s.nonceCommitment(k.Epoch, signer, p.Digest) != k.Commits[signer].Digest {
			return nil, refuse(Malformed, "KEYGEN by %s: nonce does not open the commitment of leaf %d", signer, k.Commits[signer].Leaf)
		}
		return func() { k.Nonces[signer] = entry }, nil
	case record.RoundKeyCommit:
		if err := tooEarly(len(k.Nonces) == len(s.rules.servers)); err != nil {
			return nil, err
		}
		return func() { k.KeyCommits[p.Set] = entry }, s.dealerOnly(signer, p)
	case record.RoundKey:
		if err := tooEarly(len(k.KeyCommits) == len(s.rules.sets)); err != nil {
			return nil, err
		}
		for set, other := range k.Keys {
			if other.Digest == p.Digest {
				return nil, refuse(Malformed, "KEYGEN by %s: key of set %#x again", signer, set)
			}
		}
		return func() { k.Keys[p.Set] = entry }, s.dealerOnly(signer, p)
	}
	if !slices.Contains(s.rules.members(p.Set), signer) {
		return nil, refuse(WrongRole, "KEYGEN by %s, which is not in set %#x", signer, p.Set)
	}
	if p.Round == record.RoundComplaint {
		// The seed is due after round 3; a member that has none must not be
		// made to wait for round 4.
		return func() {
			k.Status, k.Reason = KeyAborted, fmt.Sprintf("%s complains about set %#x (leaf %d)", signer, p.Set, index)
		}, tooEarly(len(k.KeyCommits) == len(s.rules.sets))
	}
	if err := tooEarly(len(k.Keys) == len(s.rules.sets)); err != nil {
		return nil, err
	}
	if p.Digest != k.Keys[p.Set].Digest {
		return nil, refuse(Malformed, "KEYGEN by %s: confirms another key than leaf %d", signer, k.Keys[p.Set].Leaf)
	}
	return func() { s.confirm(index, signer, k, p.Set) }, nil
}

func (s *State) dealerOnly(signer string, p *record.KeyGen) error {
	if dealer := s.rules.members(p.Set)[0]; dealer != signer {
		return refuse(WrongRole, "KEYGEN by %s: the dealer of set %#x is %s", signer, p.Set, dealer)
	}
	return nil
}

// confirm counts a CONFIRM. The key is active once every member of every set
// has recomputed its part.
func (s *State) confirm(index uint64, signer string, k *KeyEpoch, set uint16) {
	if k.Confirms[set] == nil {
		k.Confirms[set] = map[string]uint64{}
	}
	k.Confirms[set][signer] = index
	for _, a := range s.rules.sets {
		if len(k.Confirms[a]) < len(s.rules.members(a)) {
			return
		}
	}
	k.Status, k.ActiveLeaf = KeyActive, index
}

// nonceCommitment is H("statnet/v1/crs-commit"; params id, epoch, i, r_i).
func (s *State) nonceCommitment(epoch uint64, server string, nonce record.Hash) record.Hash {
	i := uint64(slices.Index(s.rules.servers, server) + 1)
	return labelled("statnet/v1/crs-commit", s.rules.cluster.Params, be64(epoch), be64(i), nonce[:])
}

// labelled is H(label; x1, x2, ...): one length byte before the label, four
// before each part, so that no two lists of parts have the same bytes.
func labelled(label string, parts ...[]byte) record.Hash {
	b := append([]byte{byte(len(label))}, label...)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
