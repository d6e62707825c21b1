package chain

import (
	"context"
	"errors"
	"testing"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
)

func TestCutClock(t *testing.T) {
	const now = 1_000_000
	tests := []struct {
		name  string
		clock cutClock
		view  cutView
		want  int64
	}{
		{"no CUT yet", cutClock{}, cutView{}, now},
		{"nothing to do", cutClock{}, cutView{last: 5}, now + 300_000},
		{"an event now", cutClock{}, cutView{last: 5, wants: true, busy: true}, now + 20},
		{"an event seen 15 ms ago", cutClock{last: 5, cutAt: now - 500, wantedAt: now - 15}, cutView{last: 5, wants: true, busy: true}, now + 5},
		{"leaves", cutClock{}, cutView{last: 5, busy: true}, now + 1000},
		{"leaves for 900 ms", cutClock{last: 5, cutAt: now - 2000, busyAt: now - 900}, cutView{last: 5, busy: true}, now + 100},
		{"a deadline ahead", cutClock{}, cutView{last: 5, deadline: now + 50}, now + 150},
		{"a deadline passed", cutClock{last: 5, cutAt: now - 500}, cutView{last: 5, deadline: now - 200}, now - 100},
		{"a deadline that the last CUT did not reach", cutClock{last: 5, cutAt: now - 50}, cutView{last: 5, deadline: now - 200}, now + 950},
		{"an attempt failed just now", cutClock{last: 5, cutAt: now - 500, wantedAt: now - 100, triedAt: now}, cutView{last: 5, wants: true}, now + 200},
		{"the clock was set back an hour", cutClock{last: 5, cutAt: now + 3_600_000, wantedAt: now + 3_600_000, triedAt: now + 3_600_000}, cutView{last: 5, wants: true}, now + 200},
		{"another node's CUT resets all", cutClock{last: 4, cutAt: now - 500, wantedAt: now - 100, triedAt: now}, cutView{last: 5}, now + 300_000},
	}
	for _, tt := range tests {
		if got := tt.clock.due(tt.view, now); got != tt.want {
			t.Errorf("%s: due at now%+d ms, want now%+d", tt.name, got-now, tt.want-now)
		}
	}
}

// TestClaim: a clock reading is given for the newest CUT only.
func TestClaim(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	h.start()
	h.cosigned(2)
	n := h.node("v1")
	var last uint64
	n.View(func(s *fsm.State) { last = s.LastCut() })
	data, err := n.Claim(context.Background(), last)
	if err != nil {
		t.Fatal(err)
	}
	c, err := record.ParseClaim(data)
	if err != nil || c.Verify(n.origin, last, []byte(n.verifiers[0].RecordKey[:])) != nil {
		t.Errorf("claim does not verify: %v", err)
	}
	h.submit("v1", h.audit("gateway/gw-1", 1)) // brings another CUT within a second
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Until(ctx, func(s *fsm.State) bool { return s.LastCut() > last }); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Claim(ctx, last); err == nil {
		t.Error("a claim for a CUT that is not the newest was signed")
	}
	cancel()
	if _, err := n.Claim(ctx, last+1000); !errors.Is(err, context.Canceled) {
		t.Errorf("claim for a CUT to come: %v, want to wait for it", err)
	}
}

// TestQueryAfterIdleness: a question to a ledger that has slept is judged by the
// time of day, not by that of the last CUT.
func TestQueryAfterIdleness(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, realState)
	h.start()
	first := h.keygenAndAsk("v1")
	h.cosigned(first.index + 1)
	h.ahead.Store(100_000) // less than the idle interval
	e, err := record.Decode(first.leaf)
	if err != nil {
		t.Fatal(err)
	}
	q := *e.Payload.(*record.Query)
	q.Nonce[0] ^= 1
	leaf, err := record.Seal(h.node("v1").origin, fsmtest.Signer("querier/dr-a"), &q)
	if err != nil {
		t.Fatal(err)
	}
	index := h.submit("v2", leaf)
	before, err := h.node(h.leader()).Leaf(index - 1)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := record.Decode(before); err != nil || e.Type != record.TypeCut {
		t.Errorf("leaf before the QUERY is %v, %v, want a CUT", e.Type, err)
	}
}

// TestOneCutAfterEach: a second CUT after the same CUT, with other claims, would
// be evidence against this node. It must come out byte for byte the same.
func TestOneCutAfterEach(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	h.start()
	h.cosigned(2)
	n := h.node("v1")
	var last uint64
	n.View(func(s *fsm.State) { last = s.LastCut() })
	first, err := n.sealedCut(context.Background(), last)
	if err != nil {
		t.Fatal(err)
	}
	again, err := n.sealedCut(context.Background(), last)
	if err != nil || string(again) != string(first) {
		t.Errorf("second CUT after leaf %d differs from the first (%v)", last, err)
	}
}
