package fsm_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/config"
)

// act posts something that may or may not be in place now.
func act(l *fsmtest.Ledger, id record.Hash, r *rapid.T) (fsm.Result, error) {
	q := l.Query(id)
	pick := func(name string, of []string) string { return rapid.SampledFrom(of).Draw(r, name) }
	switch rapid.SampledFrom([]string{"answer", "decline", "verdict", "partial", "total", "reissue", "share", "result", "close", "cut", "resend"}).Draw(r, "act") {
	case "answer":
		g := pick("gateway", l.Gateways)
		return l.Post(g, l.AnswerRecord(id, g))
	case "decline":
		g := pick("gateway", l.Gateways)
		return l.Post(g, &record.Answer{QueryID: id, Outcome: record.DeclinedNoData, HomeServer: "server/s1"})
	case "verdict":
		return l.Post(pick("verifier", l.Verifiers), randomVerdict(q, r))
	case "partial":
		s := pick("server", l.Servers)
		if p := l.PartialRecord(id, s); p != nil {
			return l.Post(s, p)
		}
	case "total", "reissue":
		a := l.TotalRecord(id)
		a.Answers = append([]record.Run{}, a.Answers...)
		if len(a.Answers) == 0 {
			a.Answers = []record.Run{{First: 1, Count: 1}}
		}
		a.Attempt = uint8(rapid.IntRange(1, 2).Draw(r, "attempt"))
		a.Active = []byte{1, byte(rapid.IntRange(2, 4).Draw(r, "second"))}
		return l.Post(pick("server", l.Servers), a)
	case "share":
		if s := pick("server", l.Servers); q.Total() != nil {
			return l.Post(s, l.KeySwitchRecord(id, s))
		}
	case "result":
		if rec, ok := q.ResultRecord(); ok {
			return l.Post(pick("server", l.Servers), rec)
		}
	case "close":
		if rec, ok := q.CloseRecord(); ok {
			return l.Post(pick("verifier", l.Verifiers), rec)
		}
	case "cut":
		l.NowMS += uint64(rapid.IntRange(0, 20_000).Draw(r, "ms"))
		return l.Post(pick("verifier", l.Verifiers), l.CutRecord())
	}
	return l.Apply(rapid.SampledFrom(l.Leaves).Draw(r, "leaf"))
}

func randomVerdict(q *fsm.Query, r *rapid.T) *record.Verdict {
	phase := uint8(rapid.IntRange(1, 3).Draw(r, "phase"))
	code := func() record.Code {
		return rapid.SampledFrom([]record.Code{1, 1, 1, 2, 3, 4, 5, 6, 7}).Draw(r, "code")
	}
	codes := map[uint64]record.Code{}
	switch {
	case phase == 1:
		for _, g := range q.Asked {
			if a := q.Answers[g]; a != nil && !a.Record.Declined() {
				codes[a.Leaf] = code()
			}
		}
	case phase == 2 && len(q.Totals) > 0:
		codes[q.Totals[0].Leaf] = code()
	case phase == 3:
		for _, s := range q.Servers {
			if k := q.Shares()[s]; k != nil {
				codes[k.Leaf] = code()
			}
		}
	}
	if len(codes) == 0 {
		codes[1] = record.CodeValid
	}
	return &record.Verdict{QueryID: q.ID, Phase: phase, Version: "none/1", Items: record.VerdictItems(codes)}
}

// Whatever is posted in whatever order: a refusal changes nothing, a duplicate
// changes nothing, decisions stand, and folding the leaves again, with resends
// in between, gives the same state.
func TestAnyHistory(t *testing.T) {
	reached := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		l, id := stage(t, fsm.Phase(rapid.IntRange(int(fsm.Open), int(fsm.Done)).Draw(r, "from")))
		decided := map[uint64]fsm.Decision{}
		for range rapid.IntRange(0, 60).Draw(r, "steps") {
			before, size := l.State.Digest(), l.State.Size()
			res, err := act(l, id, r)
			same := l.State.Digest() == before && l.State.Size() == size
			if _, ok := fsm.AsRefusal(err); err != nil && (!ok || !same) {
				r.Fatalf("%v: refusal %v, state unchanged %v", err, ok, same)
			}
			if err == nil && res.Duplicate != same {
				r.Fatalf("duplicate %v, but state unchanged %v", res.Duplicate, same)
			}
			checkDecisions(r, l.Query(id), decided)
		}
		q := l.Query(id)
		reached[fmt.Sprint(q.Phase, " ", len(q.Totals))]++
		refold(r, l)
	})
	t.Logf("phase and totals reached: %v", reached)
}

// checkDecisions: once accepted or rejected, for ever; never both.
func checkDecisions(r *rapid.T, q *fsm.Query, decided map[uint64]fsm.Decision) {
	items := []fsm.Item{}
	for _, a := range q.Answers {
		items = append(items, a.Item)
	}
	for _, a := range q.Totals {
		items = append(items, a.Item)
	}
	for _, ks := range q.KeySwitches {
		for _, k := range ks {
			items = append(items, k.Item)
		}
	}
	for _, i := range items {
		if was := decided[i.Leaf]; was != fsm.Undecided && was != i.Decision {
			r.Fatalf("leaf %d was %s, is %s", i.Leaf, was, i.Decision)
		}
		decided[i.Leaf] = i.Decision
	}
	if q.Phase >= fsm.Switch && q.Phase < fsm.Aborted && q.Total().Decision != fsm.Accepted {
		r.Fatalf("phase %s with a sum that is %s", q.Phase, q.Total().Decision)
	}
}

func refold(r *rapid.T, l *fsmtest.Ledger) {
	s := fsm.New(l.Cluster)
	step := func(leaf []byte) fsm.Result {
		cmd, err := record.Command(leaf)
		if err != nil {
			r.Fatal(err)
		}
		res, err := s.Step(s.Size(), cmd)
		if err != nil {
			r.Fatal(err)
		}
		return res
	}
	for i, leaf := range l.Leaves {
		step(leaf)
		if again := rapid.IntRange(0, i).Draw(r, "again"); !step(l.Leaves[again]).Duplicate {
			r.Fatalf("leaf %d again is not a duplicate", again)
		}
	}
	if s.Digest() != l.State.Digest() {
		r.Fatal("folding the leaves again gives another state")
	}
}

// Two readers who are shown different votes: honest verifiers vote for one of
// two contradicting items, bad ones for both. With the quorum rule not both
// items are ever accepted.
func TestQuorumProperty(t *testing.T) {
	var allowed [][3]int
	for n := 3; n <= 7; n++ {
		for f := 1; f < n; f++ {
			for q := 1; q <= n; q++ {
				if _, err := config.CheckQuorum(config.Byzantine, n, f, q); err == nil {
					allowed = append(allowed, [3]int{n, f, q})
				}
			}
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		nfq := rapid.SampledFrom(allowed).Draw(r, "n, f, q")
		n, f, q := nfq[0], nfq[1], nfq[2]
		a, b := map[string]record.Code{}, map[string]record.Code{}
		for i := range n {
			v := fmt.Sprint("v", i)
			first := rapid.Bool().Draw(r, "first")
			if i < f || first {
				a[v] = record.CodeValid
			}
			if i < f || !first {
				b[v] = record.CodeValid
			}
		}
		if fsm.Decide(a, q, f) == fsm.Accepted && fsm.Decide(b, q, f) == fsm.Accepted {
			r.Fatalf("n=%d f=%d q=%d: both accepted", n, f, q)
		}
	})
}

// The same search must find the fork that the rule forbids: 3/1/2.
func TestQuorumPropertyFindsTheFork(t *testing.T) {
	const n, f, q = 3, 1, 2
	found := false
	for mask := range 1 << n {
		a, b := map[string]record.Code{}, map[string]record.Code{}
		for i := range n {
			v := fmt.Sprint("v", i)
			if i < f || mask&(1<<i) != 0 {
				a[v] = record.CodeValid
			}
			if i < f || mask&(1<<i) == 0 {
				b[v] = record.CodeValid
			}
		}
		found = found || fsm.Decide(a, q, f) == fsm.Accepted && fsm.Decide(b, q, f) == fsm.Accepted
	}
	if !found {
		t.Error("no fork found at n=3, f=1, q=2: the property test would not notice a broken rule")
	}
}

// Both edges of the quorum rule.
func TestDecide(t *testing.T) {
	for _, tt := range []struct {
		name  string
		codes []record.Code
		want  fsm.Decision
	}{
		{"nobody", nil, fsm.Undecided},
		{"one below the quorum", []record.Code{1, 1}, fsm.Undecided},
		{"the quorum", []record.Code{1, 1, 1}, fsm.Accepted},
		{"f against", []record.Code{2, 1, 1}, fsm.Undecided},
		{"f+1 against", []record.Code{2, 7}, fsm.Rejected},
		{"f+1 that blame the network", []record.Code{5, 6, 5, 6}, fsm.Undecided},
		{"the quorum and f against", []record.Code{1, 4, 1, 1}, fsm.Accepted},
	} {
		votes := map[string]record.Code{}
		for i, c := range tt.codes {
			votes[fmt.Sprint("v", i)] = c
		}
		if got := fsm.Decide(votes, 3, 1); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
