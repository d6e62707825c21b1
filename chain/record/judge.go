package record

import (
	"slices"
)

// Run is Count consecutive members of a sorted list of leaf indexes: leaves
// First .. First+Count-1.
type Run struct {
	_     struct{} `cbor:",toarray"`
	First uint64
	Count uint64
}

// Runs packs leaf indexes into sorted runs. The argument is not changed.
func Runs(leaves []uint64) []Run {
	sorted := slices.Compact(slices.Sorted(slices.Values(leaves)))
	var runs []Run
	for _, l := range sorted {
		if n := len(runs); n > 0 && runs[n-1].First+runs[n-1].Count == l {
			runs[n-1].Count++
			continue
		}
		runs = append(runs, Run{First: l, Count: 1})
	}
	return runs
}

// Leaves unpacks sorted runs; it refuses more than 4,096 leaves in all.
func Leaves(runs []Run) ([]uint64, error) {
	if err := checkRuns("runs", runs); err != nil {
		return nil, err
	}
	var out []uint64
	for _, r := range runs {
		for i := range r.Count {
			out = append(out, r.First+i)
		}
	}
	return out, nil
}

// checkRuns refuses empty, overlapping, touching or unsorted runs: a set of
// leaves has one encoding.
func checkRuns(what string, runs []Run) error {
	var total, end uint64
	for i, r := range runs {
		switch {
		case r.Count == 0 || r.Count > maxElements || r.First > 1<<62:
			return malformed("%s: run %d is [%d, %d]", what, i, r.First, r.Count)
		case i > 0 && r.First <= end:
			return malformed("%s: run %d is out of order", what, i)
		}
		end = r.First + r.Count
		if total += r.Count; total > maxElements {
			return malformed("%s: more than %d leaves", what, maxElements)
		}
	}
	return nil
}

// Phases of a VERDICT.
const (
	PhaseSetup   = 0 // SAMPLE and KEYGEN records
	PhaseAnswers = 1
	PhaseSums    = 2
	PhaseShares  = 3
)

// Code is what a verifier says about one item, and why a gateway is excluded.
type Code uint8

// Codes of a VERDICT. Invalid, Malformed, Signature and Policy are the item's
// fault and count towards REJECTED; Unavailable and Timeout may be the
// network's and do not.
const (
	CodeValid       Code = 1
	CodeInvalid     Code = 2 // proof or recomputation disagrees
	CodeMalformed   Code = 3
	CodeSignature   Code = 4
	CodeUnavailable Code = 5 // blob not found
	CodeTimeout     Code = 6
	CodePolicy      Code = 7
)

// Codes of RESULT key 4 beyond those of a VERDICT: why an asked gateway is not
// in the sum. 10 + outcome of its ANSWER if it declined.
const (
	ExcludedMissing   Code = 8  // no ANSWER before the deadline
	ExcludedUndecided Code = 9  // fewer than q valid verdicts, not rejected
	ExcludedDeclined  Code = 10 // plus the ANSWER's outcome, 11 to 15
)

var codeNames = map[Code]string{
	CodeValid: "valid", CodeInvalid: "proof_invalid", CodeMalformed: "malformed", CodeSignature: "bad_signature",
	CodeUnavailable: "blob_unavailable", CodeTimeout: "verdict_timeout", CodePolicy: "policy",
	ExcludedMissing: "no_answer", ExcludedUndecided: "undecided",
	ExcludedDeclined + Code(DeclinedPolicy):   "declined_policy",
	ExcludedDeclined + Code(DeclinedBudget):   "declined_budget",
	ExcludedDeclined + Code(DeclinedNoData):   "declined_no_data",
	ExcludedDeclined + Code(DeclinedClock):    "declined_clock",
	ExcludedDeclined + Code(DeclinedInternal): "declined_internal",
}

// String is the reason that a querier's output shows, for example "no_answer".
func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return "unknown"
}

// Rejects reports whether the code counts towards REJECTED.
func (c Code) Rejects() bool {
	return c == CodeInvalid || c == CodeMalformed || c == CodeSignature || c == CodePolicy
}

// Verdict is one verifier's judgement of the items of one phase.
type Verdict struct {
	QueryID Hash         `cbor:"0,keyasint,omitzero"` // absent in phase 0
	Phase   uint8        `cbor:"1,keyasint"`
	Items   []VerdictRun `cbor:"2,keyasint"`
	Version string       `cbor:"3,keyasint"`           // of the checker, "none/1" without proofs
	Notes   []Note       `cbor:"4,keyasint,omitempty"` // reasons for people
	Batch   uint64       `cbor:"5,keyasint,omitempty"` // phase 0 only: seq
}

// VerdictRun gives one code to Count leaves from First on.
type VerdictRun struct {
	_     struct{} `cbor:",toarray"`
	First uint64
	Count uint64
	Code  Code
}

// Note explains the code of one leaf, without naming a patient.
type Note struct {
	_    struct{} `cbor:",toarray"`
	Leaf uint64
	Code Code
	Text string // <= MaxText bytes
}

// Type implements Payload.
func (*Verdict) Type() Type          { return TypeVerdict }
func (v *Verdict) query([]byte) Hash { return v.QueryID }
func (v *Verdict) seq([]byte) uint64 {
	if v.Phase == PhaseSetup {
		return v.Batch
	}
	return uint64(v.Phase)
}

// Codes lists the verdict leaf by leaf, ascending.
func (v *Verdict) Codes() []VerdictRun {
	var out []VerdictRun
	for _, r := range v.Items {
		for i := range r.Count {
			out = append(out, VerdictRun{First: r.First + i, Count: 1, Code: r.Code})
		}
	}
	return out
}

// VerdictItems packs codes by leaf into the runs of a VERDICT.
func VerdictItems(codes map[uint64]Code) []VerdictRun {
	leaves := make([]uint64, 0, len(codes))
	for l := range codes {
		leaves = append(leaves, l)
	}
	slices.Sort(leaves)
	runs := []VerdictRun{}
	for _, l := range leaves {
		n := len(runs)
		if n > 0 && runs[n-1].Code == codes[l] && runs[n-1].First+runs[n-1].Count == l {
			runs[n-1].Count++
			continue
		}
		runs = append(runs, VerdictRun{First: l, Count: 1, Code: codes[l]})
	}
	return runs
}

func (v *Verdict) check() error {
	switch {
	case v.Phase > PhaseShares:
		return malformed("VERDICT: unknown phase %d", v.Phase)
	case (v.Phase == PhaseSetup) != (v.QueryID == Hash{}):
		return malformed("VERDICT: phase %d and query id do not fit", v.Phase)
	case v.Phase != PhaseSetup && v.Batch != 0:
		return malformed("VERDICT: batch in phase %d", v.Phase)
	case len(v.Items) == 0 || len(v.Version) > 32:
		return malformed("VERDICT: no items, or version over 32 bytes")
	}
	var total, end uint64
	for i, r := range v.Items {
		if r.Count == 0 || r.Count > maxElements || r.First > 1<<62 || i > 0 && r.First < end {
			return malformed("VERDICT: run %d is out of order or range", i)
		}
		if i > 0 && r.First == end && r.Code == v.Items[i-1].Code {
			return malformed("VERDICT: run %d continues the one before", i)
		}
		if r.Code < CodeValid || r.Code > CodePolicy {
			return malformed("VERDICT: unknown code %d", r.Code)
		}
		end = r.First + r.Count
		if total += r.Count; total > maxElements {
			return malformed("VERDICT: more than %d items", maxElements)
		}
	}
	for i, n := range v.Notes {
		if len(n.Text) > MaxText || n.Code < CodeValid || n.Code > CodePolicy || i > 0 && n.Leaf <= v.Notes[i-1].Leaf {
			return malformed("VERDICT: note %d", i)
		}
	}
	return nil
}
