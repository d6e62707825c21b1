package gateway

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"statnet/chain/fsm"
	"statnet/wire"
)

var errDown = errors.New("connection refused")

// TestSubmit: what several verifiers may say to one record.
func TestSubmit(t *testing.T) {
	late := func([]byte) (uint64, error) { return 0, &fsm.Refusal{Code: fsm.Late, Text: "too late"} }
	down := func([]byte) (uint64, error) { return 0, errDown }
	wireLate := func([]byte) (uint64, error) { return 0, wire.NewError(wire.CodeLate, "too late") }
	busy := func([]byte) (uint64, error) { return 0, wire.NewError(wire.CodeDiskLow, "1 GiB left") }
	lie := func([]byte) (uint64, error) { return 77, nil } // says yes, does nothing
	tests := []struct {
		name string
		say  []func([]byte) (uint64, error) // by verifier, in the order they are asked; nil is honest
		want bool                           // registered
	}{
		{"all honest", []func([]byte) (uint64, error){nil, nil, nil, nil}, true},
		{"first is down", []func([]byte) (uint64, error){down, nil, nil, nil}, true},
		{"first lies that it is registered", []func([]byte) (uint64, error){lie, nil, nil, nil}, true},
		{"one refuses falsely, f = 1", []func([]byte) (uint64, error){late, nil, nil, nil}, true},
		{"two refuse", []func([]byte) (uint64, error){late, late, nil, nil}, false},
		{"one is out of disk", []func([]byte) (uint64, error){busy, nil, nil, nil}, true},
		{"two refuse on the wire", []func([]byte) (uint64, error){wireLate, wireLate, nil, nil}, false},
		{"all down", []func([]byte) (uint64, error){down, down, down, down}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for i, v := range w.rotated() {
					v.(*verifier).onSubmit = tt.say[i]
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				err := w.answer(ctx, w.task())
				if got := w.registered() != nil; got != tt.want || (err == nil) != tt.want {
					t.Errorf("registered = %v, error %v, want %v", got, err, tt.want)
				}
				var first []byte
				for _, v := range w.verifiers {
					for _, leaf := range v.leaves {
						if first == nil {
							first = leaf
						}
						if !bytes.Equal(leaf, first) {
							t.Error("verifiers were sent different records")
						}
					}
				}
			})
		})
	}
}

func TestPublishNeedsQVerifiers(t *testing.T) {
	tests := []struct {
		name string
		down int
		want bool
	}{{"none down", 0, true}, {"one of four down", 1, true}, {"two of four down", 2, false}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, v := range w.verifiers[:tt.down] {
					v.onPut = func(_, _ []byte) error { return errDown }
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				err := w.answer(ctx, w.task())
				if (err == nil) != tt.want || (w.registered() != nil) != tt.want {
					t.Errorf("error %v, registered %v, want %v", err, w.registered() != nil, tt.want)
				}
			})
		})
	}
}

// TestServerDownDoesNotStopTheAnswer: servers can fetch from verifiers.
func TestServerDownDoesNotStopTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.link.onUpload = func([]byte) error { return errDown }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := w.answer(ctx, w.task()); err != nil {
			t.Fatalf("answer: %v", err)
		}
		if w.registered() == nil {
			t.Error("not registered")
		}
	})
}

// TestCancelledUploadIsNotRepeated: the server said that it wants no more.
func TestCancelledUploadIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := 0
		w.link.onUpload = func([]byte) error { n++; return wire.ErrCancelled }
		if err := w.answer(t.Context(), w.task()); err != nil {
			t.Fatalf("answer: %v", err)
		}
		if n != 1 {
			t.Errorf("uploads tried = %d, want 1", n)
		}
	})
}

func TestPatienceIsBounded(t *testing.T) {
	w := newWorld(t)
	now := w.Config.Now()
	tests := []struct {
		deadline time.Time
		want     time.Duration
	}{
		{time.Time{}, defaultPatience},
		{now.Add(30 * time.Second), 30 * time.Second},
		{now.Add(-time.Hour), 0},
		{now.Add(1000 * time.Hour), longestPatience},
	}
	for _, tt := range tests {
		if got := w.patience(Task{Deadline: tt.deadline}); got != tt.want {
			t.Errorf("patience(%v) = %v, want %v", tt.deadline, got, tt.want)
		}
	}
	q := w.ledger.l.Query(w.id)
	if got, want := w.remaining(q), 66*time.Second-time.Second; got > want+time.Second || got < want-time.Second {
		t.Errorf("remaining = %v, want about %v", got, want)
	}
}
