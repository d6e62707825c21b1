package record

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// Hash is a SHA-256 digest.
type Hash = [32]byte

// Pseudonym stands for a patient on the ledger.
type Pseudonym [16]byte

// PseudonymOf maps a patient id of cluster.yaml to the ledger. It is not a
// secret function: whoever knows the cluster name and an id can compute it.
// Patient ids must be pseudonyms themselves.
func PseudonymOf(cluster, id string) Pseudonym {
	h := sha256.Sum256([]byte("statnet/v1/pseudonym\x00" + cluster + "\x00" + id))
	return Pseudonym(h[:16])
}

// SortPseudonyms sorts in place and removes doubles: the order on the ledger.
func SortPseudonyms(ps []Pseudonym) []Pseudonym {
	slices.SortFunc(ps, func(a, b Pseudonym) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ps)
}

// CohortDigest is QUERY key 7: SHA-256("statnet/cohort/v1\0" ‖ sorted
// pseudonyms). The argument need not be sorted and is not changed.
func CohortDigest(ps []Pseudonym) Hash {
	sorted := SortPseudonyms(slices.Clone(ps))
	buf := []byte("statnet/cohort/v1\x00")
	for _, p := range sorted {
		buf = append(buf, p[:]...)
	}
	return sha256.Sum256(buf)
}

// Bounds of a QUERY.
const (
	WindowGrain  = 300             // seconds; windows begin and end on it
	MinTimeoutMS = 10_000          // shortest timeout, milliseconds
	MaxTimeoutMS = 24 * 3600_000   // longest timeout, milliseconds
	MaxAheadMS   = 10 * 60 * 1_000 // not_after is at most this far ahead of ledger time
)

// Query is one signed question. Exactly one of Cohort and Pseudonyms is set.
type Query struct {
	Nonce       [16]byte    `cbor:"1,keyasint"`
	Statistic   string      `cbor:"2,keyasint"`
	Params      []byte      `cbor:"3,keyasint"` // encoding of package stat, <= MaxParams bytes
	From        uint64      `cbor:"4,keyasint"` // Unix seconds, multiple of 300
	To          uint64      `cbor:"5,keyasint"` // Unix seconds, multiple of 300, exclusive
	Cohort      string      `cbor:"6,keyasint,omitempty"`
	CohortHash  Hash        `cbor:"7,keyasint"` // CohortDigest of the patients meant
	MinCohort   uint64      `cbor:"8,keyasint"` // patients; the policy may demand more
	Purpose     string      `cbor:"9,keyasint"` // "clinical", "research"
	QuerierKey  Hash        `cbor:"10,keyasint"`
	ParamsID    Hash        `cbor:"11,keyasint"` // parameter set of the encryption
	KeyLeaf     uint64      `cbor:"12,keyasint"` // KEYGEN leaf that made the key epoch active
	PolicyLeaf  uint64      `cbor:"13,keyasint"` // POLICY leaf; 0 = the policy of cluster.yaml
	NotAfter    uint64      `cbor:"14,keyasint"` // Unix milliseconds; registered before this or never
	TimeoutMS   uint64      `cbor:"15,keyasint"` // milliseconds
	Coordinator string      `cbor:"16,keyasint"` // "server/s1"
	Pseudonyms  []Pseudonym `cbor:"17,keyasint,omitempty"`
}

// Type implements Payload.
func (*Query) Type() Type                     { return TypeQuery }
func (*Query) seq([]byte) uint64              { return 0 }
func (*Query) query(payload []byte) (id Hash) { return QueryID(payload) }

func (q *Query) check() error {
	switch {
	case q.Statistic == "" || len(q.Statistic) > 64:
		return malformed("QUERY: statistic of %d bytes", len(q.Statistic))
	case len(q.Params) > MaxParams:
		return malformed("QUERY: parameters of %d bytes, limit %d", len(q.Params), MaxParams)
	case q.From >= q.To || q.To > 1<<40:
		return malformed("QUERY: empty window [%d, %d)", q.From, q.To)
	case q.From%WindowGrain != 0 || q.To%WindowGrain != 0:
		return malformed("QUERY: window [%d, %d) is not on multiples of %d s", q.From, q.To, WindowGrain)
	case (q.Cohort == "") == (len(q.Pseudonyms) == 0):
		return malformed("QUERY: exactly one of cohort and pseudonyms must be given")
	case len(q.Cohort) > 63 || len(q.Purpose) > 63:
		return malformed("QUERY: cohort or purpose over 63 bytes")
	case q.TimeoutMS < MinTimeoutMS || q.TimeoutMS > MaxTimeoutMS:
		return malformed("QUERY: timeout %d ms is not within [%d, %d]", q.TimeoutMS, MinTimeoutMS, MaxTimeoutMS)
	case q.NotAfter > 1<<53:
		return malformed("QUERY: not_after %d", q.NotAfter)
	case !ascending(q.Pseudonyms):
		return malformed("QUERY: pseudonyms not ascending")
	}
	role, _, err := SplitPath(q.Coordinator)
	if err == nil && role != RoleServer {
		return malformed("QUERY: coordinator %q is not a server", q.Coordinator)
	}
	return err
}

func ascending(ps []Pseudonym) bool {
	for i := 1; i < len(ps); i++ {
		if bytes.Compare(ps[i-1][:], ps[i][:]) >= 0 {
			return false
		}
	}
	return true
}

// Outcome of an ANSWER.
type AnswerOutcome uint8

// Outcomes of an ANSWER; all but Answered decline, with a code that names no
// patient.
const (
	Answered         AnswerOutcome = 0
	DeclinedPolicy   AnswerOutcome = 1
	DeclinedBudget   AnswerOutcome = 2
	DeclinedNoData   AnswerOutcome = 3
	DeclinedClock    AnswerOutcome = 4
	DeclinedInternal AnswerOutcome = 5
)

// ProofNone is the proof system of this version: there is no proof. Its digest
// is zero and its size 0.
const ProofNone = "none"

// Answer is a gateway's reply: digests of its ciphertexts, not the bytes.
type Answer struct {
	QueryID     Hash          `cbor:"0,keyasint"`
	Outcome     AnswerOutcome `cbor:"1,keyasint"`
	Parts       []Part        `cbor:"2,keyasint,omitempty"`
	ProofSystem string        `cbor:"3,keyasint,omitempty"` // "none" until proofs exist
	Samples     []Run         `cbor:"4,keyasint,omitempty"` // own SAMPLE leaves used
	HomeServer  string        `cbor:"5,keyasint"`           // "server/s1"
	LogRows     uint8         `cbor:"6,keyasint"`           // floor(log2 rows)
}

// Part is one ciphertext and the patients whose values it sums.
type Part struct {
	_          struct{} `cbor:",toarray"`
	Ciphertext Hash     // digest of the ciphertext object
	Proof      Hash     // digest of its proof; zero when the proof system is "none"
	ProofSize  uint64   // bytes
	Patients   []Pseudonym
}

// Type implements Payload.
func (*Answer) Type() Type            { return TypeAnswer }
func (*Answer) seq([]byte) uint64     { return 0 }
func (a *Answer) query([]byte) Hash   { return a.QueryID }
func (a *Answer) Declined() bool      { return a.Outcome != Answered }
func (a *Answer) Patients() int       { return len(a.AllPatients()) }
func (a *Answer) Ciphertexts() []Hash { return partDigests(a.Parts) }
func partDigests(parts []Part) []Hash {
	out := make([]Hash, len(parts))
	for i, p := range parts {
		out[i] = p.Ciphertext
	}
	return out
}

// AllPatients lists the pseudonyms of all parts in the order of the record.
func (a *Answer) AllPatients() []Pseudonym {
	var all []Pseudonym
	for _, p := range a.Parts {
		all = append(all, p.Patients...)
	}
	return all
}

func (a *Answer) check() error {
	switch {
	case a.Outcome > DeclinedInternal:
		return malformed("ANSWER: unknown outcome %d", a.Outcome)
	case a.Declined() && (len(a.Parts) > 0 || a.ProofSystem != "" || len(a.Samples) > 0):
		return malformed("ANSWER: declined with data")
	case !a.Declined() && (len(a.Parts) == 0 || len(a.Parts) > MaxParts):
		return malformed("ANSWER: %d parts, want 1 to %d", len(a.Parts), MaxParts)
	case !a.Declined() && a.ProofSystem == "":
		return malformed("ANSWER: no proof system named")
	case a.LogRows > 63:
		return malformed("ANSWER: row bucket %d", a.LogRows)
	}
	seen := map[Pseudonym]bool{}
	digests := map[Hash]bool{}
	for i, p := range a.Parts {
		if len(p.Patients) == 0 || !ascending(p.Patients) {
			return malformed("ANSWER: patients of part %d are none or not ascending", i)
		}
		if digests[p.Ciphertext] {
			return malformed("ANSWER: part %d repeats a ciphertext", i)
		}
		digests[p.Ciphertext] = true
		for _, ps := range p.Patients {
			if seen[ps] {
				return malformed("ANSWER: part %d repeats a patient", i)
			}
			seen[ps] = true
		}
	}
	if err := checkRuns("ANSWER: samples", a.Samples); err != nil {
		return err
	}
	role, _, err := SplitPath(a.HomeServer)
	if err == nil && role != RoleServer {
		return malformed("ANSWER: home server %q is not a server", a.HomeServer)
	}
	return err
}
