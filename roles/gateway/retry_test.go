package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"statnet/config"
)

// TestRetrySendsTheStoredBytes: whatever failed, a second task sends what the
// first one made.
func TestRetrySendsTheStoredBytes(t *testing.T) {
	down := errors.New("down")
	tests := []struct {
		name string
		cut  func(w *world)
	}{
		{"uplink to the verifiers", func(w *world) {
			for _, v := range w.verifiers {
				v.onPut = func(_, _ []byte) error { return down }
			}
		}},
		{"submission", func(w *world) {
			for _, v := range w.verifiers {
				v.onSubmit = func([]byte) (uint64, error) { return 0, down }
			}
		}},
		{"upload to the server", func(w *world) { w.link.onUpload = func([]byte) error { return down } }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				tt.cut(w)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				_ = w.answer(ctx, w.task())
				first, ok, _ := w.mem.Answer(w.id)
				if !ok {
					t.Fatal("nothing was stored before sending")
				}
				w.build(t, w.Config) // the process is new, the store is not
				w.link.onUpload = nil
				for _, v := range w.verifiers {
					v.onPut, v.onSubmit = nil, nil
				}
				if err := w.answer(t.Context(), w.task()); err != nil {
					t.Fatalf("retry: %v", err)
				}
				if n := w.keys.count(); n != 1 {
					t.Errorf("encryptions = %d, want 1: a retry must not encrypt again", n)
				}
				if got := w.link.uploads[len(w.link.uploads)-1]; !bytes.Equal(got, first.Parts[0].Ciphertext) {
					t.Error("retry uploaded other bytes")
				}
				for _, v := range w.verifiers {
					for _, leaf := range v.leaves {
						if !bytes.Equal(leaf, first.Leaf) {
							t.Error("another record was submitted")
						}
					}
				}
				if a := w.registered(); a == nil || a.Parts[0].Ciphertext != first.Parts[0].Digest {
					t.Errorf("registered = %+v, want the stored answer", a)
				}
			})
		})
	}
}

// TestKilledBetweenStoreAndSubmit: the process dies when the first byte would
// leave; its successor sends the stored answer.
func TestKilledBetweenStoreAndSubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, kill := context.WithCancel(t.Context())
		for _, v := range w.verifiers {
			v.onPut = func(_, _ []byte) error { kill(); return context.Canceled }
		}
		w.link.onUpload = func([]byte) error { kill(); return context.Canceled }
		if err := w.answer(ctx, w.task()); err == nil {
			t.Fatal("answer of a killed process = nil, want an error")
		}
		if w.registered() != nil {
			t.Fatal("registered although the process died first")
		}
		w.link.onUpload = nil
		for _, v := range w.verifiers {
			v.onPut = nil
		}
		w.build(t, w.Config)
		if err := w.answer(t.Context(), w.task()); err != nil {
			t.Fatalf("after restart: %v", err)
		}
		if a := w.registered(); w.keys.count() != 1 || a == nil || a.Parts[0].Ciphertext != sha256.Sum256(w.link.uploads[0]) {
			t.Errorf("encryptions %d, registered %+v: want one encryption, the stored one registered", w.keys.count(), a)
		}
	})
}

// TestDeclineIsRepeatedAsItWas: a policy that changes between two tasks must
// not make two different signed records.
func TestDeclineIsRepeatedAsItWas(t *testing.T) {
	w := newWorld(t, withCluster(func(c *config.Cluster) { c.Policy = nil }))
	if err := w.answer(t.Context(), w.task()); err != nil {
		t.Fatalf("answer: %v", err)
	}
	w.Config.Cluster = w.ledger.l.Cluster
	w.build(t, w.Config)
	if err := w.answer(t.Context(), w.task()); err != nil {
		t.Fatalf("again: %v", err)
	}
	if w.keys.count() != 0 || len(w.link.uploads) != 0 {
		t.Error("a declined question was answered later: two records of one gateway contradict each other")
	}
}
