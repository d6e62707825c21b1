package server

import (
	"strings"
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/keys"
	"statnet/chain/record"
	"statnet/config"
)

// switching takes a question to SWITCH.
func switching(t *testing.T, w *world) record.Hash {
	t.Helper()
	l := w.ledger
	id := l.Ask(l.QueryRecord())
	l.Answer(id)
	l.Judge(id, record.PhaseAnswers)
	l.Sum(id)
	l.Judge(id, record.PhaseSums)
	if p := l.Query(id).Phase; p != fsm.Switch {
		t.Fatalf("query is in %s", p)
	}
	return id
}

// TestGateRefuses takes away one condition at a time.
func TestGateRefuses(t *testing.T) {
	total := func(q *fsm.Query, change func(*record.Aggregate)) {
		rec := *q.Total().Record
		change(&rec)
		q.Totals[0].Record = &rec
	}
	for _, tt := range []struct {
		name   string
		change func(s *Server, q *fsm.Query) *fsm.Query
		want   string // in the refusal; "" for none
	}{
		{"nothing wrong", func(_ *Server, q *fsm.Query) *fsm.Query { return q }, ""},
		{"unknown query", func(*Server, *fsm.Query) *fsm.Query { return nil }, "not on the co-signed ledger"},
		{"before the verdict on the sum", func(_ *Server, q *fsm.Query) *fsm.Query { q.Phase = fsm.Judge2; return q }, "in phase JUDGE2"},
		{"after the query", func(_ *Server, q *fsm.Query) *fsm.Query { q.Phase = fsm.Closed; return q }, "in phase CLOSED"},
		{"no sum", func(_ *Server, q *fsm.Query) *fsm.Query { q.Totals = nil; return q }, "no quorum"},
		{"undecided sum", func(_ *Server, q *fsm.Query) *fsm.Query { q.Totals[0].Decision = fsm.Undecided; return q }, "no quorum"},
		{"rejected sum", func(_ *Server, q *fsm.Query) *fsm.Query { q.Totals[0].Decision = fsm.Rejected; return q }, "no quorum"},
		{"one answer left out", func(_ *Server, q *fsm.Query) *fsm.Query {
			total(q, func(a *record.Aggregate) { a.Answers = []record.Run{{First: a.Answers[0].First, Count: 1}} })
			return q
		}, "exactly the accepted"},
		{"an answer that is not accepted", func(_ *Server, q *fsm.Query) *fsm.Query {
			q.Answers["gateway/gw-2"].Decision = fsm.Undecided
			return q
		}, "exactly the accepted"},
		{"no answers", func(_ *Server, q *fsm.Query) *fsm.Query {
			q.Answers = nil
			total(q, func(a *record.Aggregate) { a.Answers = nil })
			return q
		}, "no accepted answer"},
		{"fewer patients than the query needs", func(_ *Server, q *fsm.Query) *fsm.Query { q.Minimum = 7; return q }, "policy requires 7"},
		{"own policy has no rule", func(s *Server, q *fsm.Query) *fsm.Query {
			c := *s.Cluster
			c.Policy = nil
			s.Cluster = &c
			return q
		}, "may ask nothing"},
		{"own policy wants a larger cohort", func(s *Server, q *fsm.Query) *fsm.Query {
			c := *s.Cluster
			c.Policy = append([]config.Rule{}, c.Policy...)
			c.Policy[0].MinCohort = 5
			s.Cluster = &c
			delete(q.Answers, "gateway/gw-1")
			total(q, func(a *record.Aggregate) { a.Answers = q.Accepted() })
			return q
		}, "own policy requires 5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, fsmtest.Options{})
			q := w.ledger.Query(switching(t, w))
			q = tt.change(w.Server, q)
			var err error
			if q != nil && q.Total() != nil {
				err = gate{w.Server}.judge(q, w.HE.OpeningContext(keys.OpeningOf(q)))
			} else {
				err = gate{w.Server}.judge(q, record.Hash{})
			}
			if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("gate = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestGateRefusesAnotherOpening: the context must be that of the ledger's own
// opening, down to the active set.
func TestGateRefusesAnotherOpening(t *testing.T) {
	w := newWorld(t, fsmtest.Options{})
	o := keys.OpeningOf(w.ledger.Query(switching(t, w)))
	if err := (gate{w.Server}).Admit(t.Context(), o, w.HE.OpeningContext(o)); err != nil {
		t.Errorf("gate = %v, want nil for the ledger's opening", err)
	}
	o.Active = []int{1, 3}
	if err := (gate{w.Server}).Admit(t.Context(), o, w.HE.OpeningContext(o)); err == nil {
		t.Error("gate admits another active set")
	}
	o.Query = record.Hash{1}
	if err := (gate{w.Server}).Admit(t.Context(), o, w.HE.OpeningContext(o)); err == nil {
		t.Error("gate admits another query")
	}
}

// TestNoShareWithoutAPartOfTheKey: such a server says so, and does not offer to
// open. (That the gate refuses before the verdict: TestGateRefuses.)
func TestNoShareWithoutAPartOfTheKey(t *testing.T) {
	w := newWorld(t, fsmtest.Options{})
	id := switching(t, w)
	if err := w.switchKey(t.Context(), w.ledger.Query(id), w.Log); err == nil || !strings.Contains(err.Error(), "no part of key epoch") {
		t.Errorf("switchKey without a key = %v", err)
	}
	if err := w.CanOpen(t.Context(), id); err == nil {
		t.Error("server says that it can open")
	}
}
