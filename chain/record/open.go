package record

// Attempts of an AGGREGATE.
const (
	AttemptPartial = 0 // a server's own gateways only
	AttemptTotal   = 1
	AttemptReissue = 2 // the same total with another active set
)

// Aggregate fixes what is summed and, as a total, what may be opened: with
// QUERY it is the whole opening context.
type Aggregate struct {
	QueryID Hash   `cbor:"0,keyasint"`
	Attempt uint8  `cbor:"1,keyasint"`
	Answers []Run  `cbor:"2,keyasint"` // ANSWER leaves
	C0      Hash   `cbor:"3,keyasint"` // SHA-256(Poly(K) c0)
	C1      Hash   `cbor:"4,keyasint"` // SHA-256(Poly(4096) c1)
	Active  []byte `cbor:"5,keyasint"` // ascending server indexes 1..n, in roster order; empty in attempt 0
	K       uint64 `cbor:"6,keyasint"` // opened coefficients
}

// Type implements Payload.
func (*Aggregate) Type() Type          { return TypeAggregate }
func (a *Aggregate) seq([]byte) uint64 { return uint64(a.Attempt) }
func (a *Aggregate) query([]byte) Hash { return a.QueryID }

func (a *Aggregate) check() error {
	switch {
	case a.Attempt > AttemptReissue:
		return malformed("AGGREGATE: unknown attempt %d", a.Attempt)
	case (a.Attempt == AttemptPartial) != (len(a.Active) == 0):
		return malformed("AGGREGATE: attempt %d with %d active servers", a.Attempt, len(a.Active))
	case len(a.Answers) == 0:
		return malformed("AGGREGATE: no answers")
	case a.K == 0 || a.K > 4096:
		return malformed("AGGREGATE: K = %d", a.K)
	case a.QueryID == Hash{}:
		return malformed("AGGREGATE: no query id")
	}
	for i, s := range a.Active {
		if s == 0 || i > 0 && s <= a.Active[i-1] {
			return malformed("AGGREGATE: active servers not ascending from 1")
		}
	}
	return checkRuns("AGGREGATE: answers", a.Answers)
}

// KeySwitch commits a server to its share of one opening.
type KeySwitch struct {
	QueryID   Hash   `cbor:"0,keyasint"`
	Aggregate uint64 `cbor:"1,keyasint"` // leaf of the total AGGREGATE
	Share     Hash   `cbor:"2,keyasint"` // digest of the share object
	ShareSize uint64 `cbor:"3,keyasint"` // bytes
	Proof     Hash   `cbor:"4,keyasint"` // zero without proofs
	ProofSize uint64 `cbor:"5,keyasint"` // bytes
	Attempt   uint8  `cbor:"6,keyasint"` // of the AGGREGATE; the idem key's seq
}

// Type implements Payload.
func (*KeySwitch) Type() Type          { return TypeKeySwitch }
func (k *KeySwitch) seq([]byte) uint64 { return uint64(k.Attempt) }
func (k *KeySwitch) query([]byte) Hash { return k.QueryID }

func (k *KeySwitch) check() error {
	if k.QueryID == (Hash{}) || k.ShareSize == 0 || k.ShareSize > 64<<20 || k.ProofSize > 64<<20 {
		return malformed("KEYSWITCH: no query id, or share or proof size out of range")
	}
	if k.Attempt != AttemptTotal && k.Attempt != AttemptReissue {
		return malformed("KEYSWITCH: attempt %d opens nothing", k.Attempt)
	}
	return nil
}

// Result is what a server says the querier gets; step compares it with the
// ledger's own state.
type Result struct {
	QueryID      Hash       `cbor:"0,keyasint"`
	Aggregate    uint64     `cbor:"1,keyasint"` // leaf
	KeySwitches  []uint64   `cbor:"2,keyasint"` // leaves, in the order of the active set
	Participants uint64     `cbor:"3,keyasint"` // distinct patients of the cohort in accepted answers
	Excluded     []Excluded `cbor:"4,keyasint"` // sorted by path
}

// Excluded is an asked gateway that is not in the sum.
type Excluded struct {
	_    struct{} `cbor:",toarray"`
	Path string
	Code Code
}

// Type implements Payload.
func (*Result) Type() Type          { return TypeResult }
func (*Result) seq([]byte) uint64   { return 0 }
func (r *Result) query([]byte) Hash { return r.QueryID }

func (r *Result) check() error {
	if r.QueryID == (Hash{}) || len(r.KeySwitches) == 0 {
		return malformed("RESULT: no query id or no key switches")
	}
	for i, e := range r.Excluded {
		if i > 0 && e.Path <= r.Excluded[i-1].Path {
			return malformed("RESULT: excluded not sorted")
		}
		if _, _, err := SplitPath(e.Path); err != nil {
			return err
		}
	}
	return nil
}

// Outcome is how a query ended.
type Outcome uint8

// Outcomes of CLOSE.
const (
	OutcomeComplete       Outcome = 0
	OutcomePartial        Outcome = 1 // opened without every asked gateway
	OutcomeCohortTooSmall Outcome = 2
	OutcomeNoVerdicts     Outcome = 3 // no verdict quorum
	OutcomeSumMissing     Outcome = 4
	OutcomeSumInvalid     Outcome = 5
	OutcomeShareMissing   Outcome = 6
	OutcomeShareInvalid   Outcome = 7
	OutcomeResultMissing  Outcome = 8
	OutcomeNoAnswers      Outcome = 9
	OutcomeRosterChanged  Outcome = 10
)

var outcomeNames = [...]string{"complete", "partial", "cohort_too_small", "no_verdict_quorum", "sum_missing",
	"sum_invalid", "share_missing", "share_invalid", "result_missing", "no_answers", "roster_changed"}

// String gives the name that output shows, for example "cohort_too_small".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// Opened reports whether a result was opened: only then may a number be shown.
func (o Outcome) Opened() bool { return o == OutcomeComplete || o == OutcomePartial }

// Close ends a query. Every field is computed; step refuses any other value.
type Close struct {
	QueryID      Hash    `cbor:"0,keyasint"`
	Outcome      Outcome `cbor:"1,keyasint"`
	Participants uint64  `cbor:"2,keyasint"`
	Summary      Hash    `cbor:"3,keyasint"` // Summary.Digest
}

// Type implements Payload.
func (*Close) Type() Type          { return TypeClose }
func (*Close) seq([]byte) uint64   { return 0 }
func (c *Close) query([]byte) Hash { return c.QueryID }

func (c *Close) check() error {
	if c.QueryID == (Hash{}) || c.Outcome > OutcomeRosterChanged {
		return malformed("CLOSE: no query id, or unknown outcome %d", c.Outcome)
	}
	return nil
}

// Summary is everything that counted in a query; CLOSE carries its digest.
// Leaf 0 (GENESIS) as Aggregate or Result means there is none.
type Summary struct {
	_            struct{} `cbor:",toarray"`
	Query        uint64   // leaf
	Outcome      Outcome
	Participants uint64
	Accepted     []Run          // ANSWER leaves
	Rejected     []RejectedLeaf // ascending
	Undecided    []Run          // ANSWER leaves
	Aggregate    uint64         // leaf of the total that counted, or 0
	KeySwitches  []uint64       // leaves, in the order of the active set
	Result       uint64         // leaf or 0
}

// RejectedLeaf is a rejected ANSWER with the code most verifiers gave.
type RejectedLeaf struct {
	_    struct{} `cbor:",toarray"`
	Leaf uint64
	Code Code
}

// Digest is CLOSE key 3.
func (s Summary) Digest() Hash { return digestOf(s) }
