package fsm_test

import (
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
)

func newLedger(t *testing.T) *fsmtest.Ledger {
	l := fsmtest.New(t, fsmtest.Options{})
	l.Keygen()
	return l
}

func TestWalk(t *testing.T) {
	l := newLedger(t)
	id, _ := l.Run(l.QueryRecord())
	q := l.Query(id)
	if q.Phase != fsm.Closed || q.Outcome != record.OutcomeComplete || q.Participants() != 6 {
		t.Errorf("phase %s, outcome %s, %d participants; want CLOSED, complete, 6", q.Phase, q.Outcome, q.Participants())
	}
	if k, _ := l.State.CurrentKey(); k.Reserved != 1 {
		t.Errorf("openings = %d, want 1", k.Reserved)
	}
}
