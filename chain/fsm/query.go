package fsm

import (
	"maps"
	"slices"

	"statnet/chain/record"
)

// K is the number of opened coefficients of every sum.
const K = 256

// MaxOpenings of one key epoch, re-issues included.
const MaxOpenings = 256

// Phase of a query's life.
type Phase uint8

// The phases, in order.
const (
	Open    Phase = iota + 1 // asked gateways answer
	Judge1                   // verifiers judge the answers
	Sum                      // servers add the accepted ciphertexts
	Judge2                   // verifiers re-add
	Switch                   // active servers switch keys
	Judge3                   // verifiers judge the shares
	Done                     // a server posts RESULT, then any verifier CLOSE
	Aborted                  // any verifier posts CLOSE
	Closed
)

var phaseNames = [...]string{"", "OPEN", "JUDGE1", "SUM", "JUDGE2", "SWITCH", "JUDGE3", "DONE", "ABORTED", "CLOSED"}

// String gives the name that documents and logs use, for example "JUDGE1".
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return "unknown"
}

// permille of the timeout at which a phase ends by itself.
var permille = map[Phase]uint64{Open: 550, Judge1: 700, Sum: 750, Judge2: 800, Switch: 890, Judge3: 950, Done: 975}

// Halfway of SUM, after which the next server may post the total, and the time
// from which the coordinator may re-issue an opening, in permille.
const (
	sumHandover = 725
	reissueFrom = 840
)

// Decision on an item.
type Decision uint8

// Decisions; Undecided items are not opened either.
const (
	Undecided Decision = iota
	Accepted
	Rejected
)

// String implements fmt.Stringer.
func (d Decision) String() string {
	return [...]string{"undecided", "accepted", "rejected"}[d%3]
}

// Item is a leaf that verifiers judge.
type Item struct {
	Leaf     uint64
	Votes    map[string]record.Code // counted verdicts, by verifier path
	Decision Decision               // final once it is not Undecided
	Reason   record.Code            // if Rejected: the code that most votes gave then
}

// Disputed reports counted verdicts both for and against the item.
func (i Item) Disputed() bool {
	var valid, against bool
	for _, c := range i.Votes {
		valid = valid || c == record.CodeValid
		against = against || c.Rejects()
	}
	return valid && against
}

// blame is the rejecting code that most votes give, the smallest of equals.
func blame(votes map[string]record.Code) record.Code {
	count := map[record.Code]int{}
	for _, c := range votes {
		if c.Rejects() {
			count[c]++
		}
	}
	best := record.CodeInvalid
	for c := record.CodeValid; c <= record.CodePolicy; c++ {
		if count[c] > count[best] {
			best = c
		}
	}
	return best
}

// decide is the quorum rule: ACCEPTED at q valid votes, REJECTED at f+1 votes
// that blame the item. f+1 means that an honest verifier is among them.
func decide(votes map[string]record.Code, q, f int) Decision {
	valid, against := 0, 0
	for _, c := range votes {
		switch {
		case c == record.CodeValid:
			valid++
		case c.Rejects():
			against++
		}
	}
	switch {
	case valid >= q:
		return Accepted
	case against >= f+1:
		return Rejected
	}
	return Undecided
}

// Answer is a gateway's reply and what became of it.
type Answer struct {
	Item
	Record *record.Answer // shared, do not change
}

// Aggregate is an AGGREGATE and what became of it.
type Aggregate struct {
	Item
	Server string
	Record *record.Aggregate // shared, do not change
}

// KeySwitch is a KEYSWITCH and what became of it.
type KeySwitch struct {
	Item
	Record *record.KeySwitch // shared, do not change
}

// Query is everything the ledger says about one question.
type Query struct {
	ID       record.Hash
	Leaf     uint64
	Querier  string        // "querier/dr-a"
	Record   *record.Query // shared, do not change
	Patients []record.Pseudonym
	Asked    []string // gateways that own patients of the cohort, sorted
	Minimum  uint64   // k: participants needed, the larger of the policy's and the query's
	PartSize int      // patients that one part of an ANSWER may hold
	KeyEpoch uint64
	Servers  []string // roster order; index 1 is Servers[0]

	Phase   Phase
	Started bool
	T0      uint64            // ledger time of the first CUT after QUERY, Unix ms; if Started
	Ended   map[Phase]uint64  // ledger time at which each phase ended, Unix ms
	Leaves  []uint64          // every leaf of this query, ascending, late verdicts included
	Cuts    []uint64          // those on which this state rests, ascending: they set a time or ended a phase
	Voted   []map[string]bool // by phase 1, 2, 3: verifiers whose VERDICT is in

	Answers     map[string]*Answer      // by gateway
	Partials    map[string]*Aggregate   // AGGREGATE 0, by server
	Totals      []*Aggregate            // attempt 1, then 2 if re-issued
	KeySwitches []map[string]*KeySwitch // beside Totals, by server
	Result      *record.Result          // nil until posted
	ResultLeaf  uint64                  // if Result
	Outcome     record.Outcome          // if Aborted or Closed, or Done with Result
	CloseLeaf   uint64                  // if Closed
}

func (q *Query) clone() *Query {
	c := *q
	c.Ended = maps.Clone(q.Ended)
	c.Leaves = slices.Clone(q.Leaves)
	c.Cuts = slices.Clone(q.Cuts)
	c.Voted = cloneMaps(q.Voted, func(b bool) bool { return b })
	c.Answers = cloneMap(q.Answers, func(a *Answer) *Answer { return &Answer{a.Item.clone(), a.Record} })
	c.Partials = cloneMap(q.Partials, (*Aggregate).clone)
	c.Totals = make([]*Aggregate, len(q.Totals))
	for i, t := range q.Totals {
		c.Totals[i] = t.clone()
	}
	c.KeySwitches = cloneMaps(q.KeySwitches, func(k *KeySwitch) *KeySwitch { return &KeySwitch{k.Item.clone(), k.Record} })
	return &c
}

func (i Item) clone() Item {
	i.Votes = maps.Clone(i.Votes)
	return i
}

func (a *Aggregate) clone() *Aggregate { return &Aggregate{a.Item.clone(), a.Server, a.Record} }

func cloneMap[V any](m map[string]V, f func(V) V) map[string]V {
	c := make(map[string]V, len(m))
	for k, v := range m {
		c[k] = f(v)
	}
	return c
}

func cloneMaps[V any](ms []map[string]V, f func(V) V) []map[string]V {
	c := make([]map[string]V, len(ms))
	for i, m := range ms {
		c[i] = cloneMap(m, f)
	}
	return c
}

// Total is the AGGREGATE that is to be opened: the newest attempt, or nil.
func (q *Query) Total() *Aggregate {
	if len(q.Totals) == 0 {
		return nil
	}
	return q.Totals[len(q.Totals)-1]
}

// Shares are the KEYSWITCHes of Total, by server; empty if there is no total.
func (q *Query) Shares() map[string]*KeySwitch {
	if len(q.KeySwitches) == 0 {
		return nil
	}
	return q.KeySwitches[len(q.KeySwitches)-1]
}

// Active are the servers of Total's active set, ascending; nil if there is none.
func (q *Query) Active() []string {
	t := q.Total()
	if t == nil {
		return nil
	}
	out := make([]string, 0, len(t.Record.Active))
	for _, i := range t.Record.Active {
		out = append(out, q.Servers[i-1])
	}
	return out
}

// EndOf is the ledger time (Unix ms) at which the phase ends by itself; false
// before T0 or for a phase without end.
func (q *Query) EndOf(p Phase) (uint64, bool) {
	x, ok := permille[p]
	if !ok || !q.Started {
		return 0, false
	}
	return q.at(x), true
}

// Deadline is EndOf the current phase.
func (q *Query) Deadline() (uint64, bool) {
	if q.Phase == Done && q.Result != nil {
		return 0, false
	}
	return q.EndOf(q.Phase)
}

// handover is the ledger time (Unix ms) within the current phase from which a
// silent server's turn goes to another one.
func (q *Query) handover() (uint64, bool) {
	switch {
	case !q.Started:
		return 0, false
	case q.Phase == Sum:
		return q.at(sumHandover), true
	case q.Phase == Switch && len(q.Totals) == 1:
		return q.at(reissueFrom), true
	}
	return 0, false
}

func (q *Query) at(permille uint64) uint64 { return q.T0 + q.Record.TimeoutMS*permille/1000 }

// Accepted lists the accepted ANSWER leaves as runs, ascending.
func (q *Query) Accepted() []record.Run { return record.Runs(q.answerLeaves(Accepted)) }

// AcceptedGateways lists their gateways in the order of the leaves: the order
// of the sum.
func (q *Query) AcceptedGateways() []string {
	var out []string
	for _, p := range sortedKeys(q.Answers) {
		if q.Answers[p].Decision == Accepted {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return compare(q.Answers[a].Leaf, q.Answers[b].Leaf) })
	return out
}

// AcceptedCiphertexts lists the digests that the total sums, in the order of
// the opening context: by ANSWER leaf, then by part.
func (q *Query) AcceptedCiphertexts() []record.Hash {
	var out []record.Hash
	for _, p := range q.AcceptedGateways() {
		out = append(out, q.Answers[p].Record.Ciphertexts()...)
	}
	return out
}

func (q *Query) answerLeaves(d Decision) []uint64 {
	var out []uint64
	for _, a := range q.Answers {
		if a.Decision == d && !a.Record.Declined() {
			out = append(out, a.Leaf)
		}
	}
	slices.Sort(out)
	return out
}

// Participants counts the distinct patients of the cohort in accepted answers.
func (q *Query) Participants() uint64 { return q.count(Accepted) }

func (q *Query) count(ds ...Decision) uint64 {
	seen := map[record.Pseudonym]bool{}
	for _, a := range q.Answers {
		if slices.Contains(ds, a.Decision) {
			for _, p := range a.Record.AllPatients() {
				seen[p] = true
			}
		}
	}
	return uint64(len(seen))
}

// Excluded lists the asked gateways that are not in the sum, with the reason,
// sorted. It is final once JUDGE1 has ended.
func (q *Query) Excluded() []record.Excluded {
	out := []record.Excluded{}
	for _, p := range q.Asked {
		a, ok := q.Answers[p]
		code := record.ExcludedMissing
		switch {
		case !ok:
		case a.Decision == Accepted:
			continue
		case a.Decision == Rejected:
			code = a.Reason
		case a.Record.Declined():
			code = record.ExcludedDeclined + record.Code(a.Record.Outcome)
		default:
			code = record.ExcludedUndecided
		}
		out = append(out, record.Excluded{Path: p, Code: code})
	}
	return out
}

// WaitsFor lists the node paths whose record would move the query on, sorted
// by role order; verifiers are every verifier that has not voted in the phase.
func (q *Query) WaitsFor(verifiers []string) []string {
	var out []string
	switch q.Phase {
	case Open:
		for _, p := range q.Asked {
			if q.Answers[p] == nil {
				out = append(out, p)
			}
		}
	case Judge1, Judge2, Judge3:
		for _, v := range verifiers {
			if !q.Voted[q.Phase.verdict()-1][v] {
				out = append(out, v)
			}
		}
	case Sum:
		out = []string{q.Record.Coordinator}
	case Switch:
		for _, p := range q.Active() {
			if q.Shares()[p] == nil {
				out = append(out, p)
			}
		}
	case Done:
		if q.Result == nil {
			return []string{q.Record.Coordinator}
		}
		out = slices.Clone(verifiers)
	case Aborted:
		out = slices.Clone(verifiers)
	}
	return out
}

// verdict is the VERDICT phase that a judging phase waits for, else 0.
func (p Phase) verdict() uint8 {
	switch p {
	case Judge1:
		return record.PhaseAnswers
	case Judge2:
		return record.PhaseSums
	case Judge3:
		return record.PhaseShares
	}
	return 0
}
