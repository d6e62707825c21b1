package chain

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/merkle"
	"statnet/chain/record"
	"statnet/internal/disk"
)

// script is a source that serves a test ledger, honestly or not.
type script struct {
	mu     sync.Mutex
	ledger *fsmtest.Ledger
	size   uint64 // of its checkpoint
	news   signal

	note    func([]byte) []byte     // nil, or what it makes of its note
	entries func([][]byte) [][]byte // nil, or what it makes of leaves
	proof   func([][]byte) [][]byte
	silent  bool // waits for ever
}

func newScript(l *fsmtest.Ledger) *script { return &script{ledger: l, size: l.State.Size()} }

// grow makes the ledger's present size the checkpoint.
func (s *script) grow() {
	s.mu.Lock()
	s.size = s.ledger.State.Size()
	s.mu.Unlock()
	s.news.broadcast()
}

// Entries implements Source.
func (s *script) Entries(_ context.Context, from uint64, max int) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.ledger.Leaves[from:min(uint64(len(s.ledger.Leaves)), from+uint64(min(max, 3)))] // short answers are normal
	if s.entries != nil {
		out = s.entries(out)
	}
	return out, nil
}

// Checkpoint implements Source.
func (s *script) Checkpoint(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.ledger.Note(s.size)
	if s.note != nil {
		n = s.note(n)
	}
	return n, nil
}

// Wait implements Source.
func (s *script) Wait(ctx context.Context, size uint64) (uint64, error) {
	for {
		next := s.news.next()
		s.mu.Lock()
		now, silent := s.size, s.silent
		s.mu.Unlock()
		if now > size && !silent {
			return now, nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Consistency implements Source.
func (s *script) Consistency(_ context.Context, from, to uint64) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := merkle.ProveConsistency(from, to, &s.ledger.Tree)
	out := bytesOf(p)
	if s.proof != nil {
		out = s.proof(out)
	}
	return out, err
}

// asking is a test ledger with a key and one open question. Ledgers of other
// nonces fork from it there.
func asking(t testing.TB, nonce byte) (*fsmtest.Ledger, record.Hash) {
	l := fsmtest.New(t, fsmtest.Options{})
	l.Keygen()
	q := l.QueryRecord()
	q.Nonce[15] = nonce
	return l, l.Ask(q)
}

func newTestFollower(t testing.TB, l *fsmtest.Ledger, file string, sources ...Source) *Follower {
	t.Helper()
	f, err := NewFollower(FollowerConfig{Genesis: l.Leaves[0], Cluster: l.Cluster, Sources: sources, File: file, Silence: 2 * time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// follow runs f until its checkpoint covers size leaves.
func follow(t testing.TB, f *Follower, size uint64) error {
	t.Helper()
	return followFor(t, f, size, time.Minute)
}

func followFor(t testing.TB, f *Follower, size uint64, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	err := f.await(ctx, func() bool { return f.last.Size >= size })
	cancel()
	if run := <-done; run != nil {
		return run
	}
	return err
}

func TestFollow(t *testing.T) {
	l, id := asking(t, 1)
	file := filepath.Join(t.TempDir(), "ledger.db")
	f := newTestFollower(t, l, file, newScript(l))
	if err := follow(t, f, l.State.Size()); err != nil {
		t.Fatal(err)
	}
	f.View(func(s *fsm.State) {
		if _, ok := s.Query(id); !ok || s.Digest() != l.State.Digest() {
			t.Error("copy has another state than the ledger")
		}
	})
	size := l.State.Size()
	proof, err := f.Proof(3)
	leaf, err2 := f.Leaf(3)
	root, _ := merkle.Root(size, &l.Tree)
	if err != nil || err2 != nil || merkle.VerifyInclusion(3, size, root, merkle.LeafHash(leaf), toHashes(proof)) != nil {
		t.Errorf("proof of leaf 3: %v, %v", err, err2)
	}
	if !bytes.Equal(f.Checkpoint(), l.Note(size)) {
		t.Error("checkpoint is not the source's note")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	// The next run starts from the file, and only the rest is fetched.
	l.Answer(id)
	l.Cut(20)
	src := newScript(l)
	src.entries = func(leaves [][]byte) [][]byte {
		if bytes.Equal(leaves[0], l.Leaves[1]) {
			t.Error("leaves of the first run were fetched again")
		}
		return leaves
	}
	f = newTestFollower(t, l, file, src)
	defer f.Close()
	if f.Size() != size {
		t.Errorf("after reopening: %d leaves, want %d", f.Size(), size)
	}
	if err := follow(t, f, l.State.Size()); err != nil {
		t.Error(err)
	}
}

func toHashes(p []record.Hash) (out []merkle.Hash) {
	for _, h := range p {
		out = append(out, h)
	}
	return out
}

// TestBadSources puts a cheating verifier first in the list, beside an honest
// one: the copy is right, and complete.
func TestBadSources(t *testing.T) {
	l, _ := asking(t, 1)
	tests := []struct {
		name  string
		cheat func(*script)
	}{
		{"silent", func(s *script) { s.silent = true }},
		{"note without a quorum", func(s *script) {
			s.note = func([]byte) []byte { return l.Note(s.size, l.Verifiers[:2]...) }
		}},
		{"garbage note", func(s *script) { s.note = func([]byte) []byte { return []byte("hello") } }},
		{"no leaves", func(s *script) { s.entries = func([][]byte) [][]byte { return nil } }},
		{"more leaves than asked", func(s *script) {
			s.entries = func(in [][]byte) [][]byte { return append(in, make([][]byte, 2000)...) }
		}},
		{"altered leaf", func(s *script) {
			s.entries = func(in [][]byte) [][]byte {
				bad := bytes.Clone(in[0])
				bad[len(bad)-1] ^= 1
				return append([][]byte{bad}, in[1:]...)
			}
		}},
		{"dropped leaf", func(s *script) { s.entries = func(in [][]byte) [][]byte { return in[1:] } }},
		{"bad proof", func(s *script) { s.proof = func([][]byte) [][]byte { return [][]byte{{1}} } }},
		{"empty proof", func(s *script) { s.proof = func([][]byte) [][]byte { return nil } }},
		{"stale", func(s *script) { s.size = 2 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := newScript(l)
			tt.cheat(bad)
			f := newTestFollower(t, l, "", bad, newScript(l))
			defer f.Close()
			if err := follow(t, f, l.State.Size()); err != nil {
				t.Error(err)
			}
			f.View(func(s *fsm.State) {
				if s.Digest() != l.State.Digest() {
					t.Error("copy has another state than the ledger")
				}
			})
		})
	}
}

// TestFork shows a copy a second ledger, cosigned by the same quorum: longer,
// equal and shorter than what the copy has seen.
func TestFork(t *testing.T) {
	a, idA := asking(t, 1)
	b, idB := asking(t, 2)
	if a.State.Size() != b.State.Size() {
		t.Fatal("test ledgers differ in size")
	}
	a.Answer(idA, "gateway/gw-1")
	b.Answer(idB, "gateway/gw-1")
	equal := a.State.Size()
	a.Cut(20)
	b.Cut(20)
	long := a.State.Size()
	tests := []struct {
		name     string
		own, see uint64
	}{
		{"equal size", long, long},
		{"shorter", long, equal},
		{"longer", equal, long},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ledger.db")
			src := newScript(a)
			src.size = tt.own
			f := newTestFollower(t, a, file, src)
			if err := errors.Join(follow(t, f, tt.own), f.Close()); err != nil {
				t.Fatal(err)
			}
			one, two := newScript(b), newScript(b)
			one.size, two.size = tt.see, tt.see
			eager := func(s *script) Source { return &always{s} }
			f = newTestFollower(t, a, file, eager(one), eager(two))
			defer f.Close()
			err := follow(t, f, long+1)
			var fork *ForkError
			if !errors.As(err, &fork) || !errors.Is(err, ErrFork) {
				t.Fatalf("follow the other ledger: %v, want a fork", err)
			}
			if !bytes.Equal(fork.First, a.Note(tt.own)) || !bytes.Equal(fork.Second, b.Note(tt.see)) {
				t.Error("the fork does not carry both notes")
			}
		})
	}
}

// always announces news whatever the reader has.
type always struct{ *script }

// Wait implements Source.
func (a *always) Wait(context.Context, uint64) (uint64, error) { return a.size, nil }

// TestOneLiarIsNoFork: one source that shows the other ledger's note is a quorum
// broken, but one source that shows wrong leaves is only a liar.
func TestOneLiarIsNoFork(t *testing.T) {
	l, _ := asking(t, 1)
	liar := newScript(l)
	liar.proof = func([][]byte) [][]byte { return [][]byte{make([]byte, 32)} }
	liar.entries = func(in [][]byte) [][]byte { return [][]byte{[]byte("no leaf")} }
	f := newTestFollower(t, l, "", liar)
	defer f.Close()
	if err := followFor(t, f, 100, 300*time.Millisecond); errors.Is(err, ErrFork) {
		t.Errorf("one liar alone: %v", err)
	}
	if f.Size() != 1 {
		t.Errorf("copy has %d leaves of a liar, want GENESIS only", f.Size())
	}
}

// TestQuorumOnly: a source whose note has too few signatures moves nothing.
func TestQuorumOnly(t *testing.T) {
	l, _ := asking(t, 1)
	src := newScript(l)
	src.note = func([]byte) []byte { return l.Note(src.size, l.Verifiers[:2]...) }
	f := newTestFollower(t, l, "", src)
	defer f.Close()
	if err := followFor(t, f, 2, 300*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) || f.Size() != 1 {
		t.Errorf("two of three signatures: %v, copy has %d leaves, want GENESIS only", err, f.Size())
	}
}

// TestRules: a quorum that cosigns a leaf which the rules refuse is not obeyed.
func TestRules(t *testing.T) {
	l, id := asking(t, 1)
	l.Answer(id)
	close := l.Seal("verifier/v1", &record.Close{QueryID: id, Participants: 99})
	l.Leaves = append(l.Leaves, close)
	l.Tree.Append(merkle.LeafHash(close))
	src := newScript(l)
	src.size = uint64(len(l.Leaves))
	f := newTestFollower(t, l, "", src)
	defer f.Close()
	if err := follow(t, f, src.size); !errors.Is(err, ErrRules) {
		t.Errorf("follow a forged CLOSE: %v, want ErrRules", err)
	}
}

func TestFollowerFiles(t *testing.T) {
	l, _ := asking(t, 1)
	file := filepath.Join(t.TempDir(), "ledger.db")
	f := newTestFollower(t, l, file, newScript(l))
	if err := follow(t, f, l.State.Size()); err != nil {
		t.Fatal(err)
	}
	_, err := NewFollower(FollowerConfig{Genesis: l.Leaves[0], Cluster: l.Cluster, File: file})
	if !errors.Is(err, disk.ErrLocked) {
		t.Errorf("second process: %v, want ErrLocked", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	other := fsmtest.New(t, fsmtest.Options{Gateways: 2})
	if _, err := NewFollower(FollowerConfig{Genesis: other.Leaves[0], Cluster: other.Cluster, File: file}); err == nil {
		t.Error("a copy of another ledger was opened")
	}
	if _, err := NewFollower(FollowerConfig{Genesis: l.Leaves[0], Cluster: other.Cluster, File: file}); err == nil {
		t.Error("GENESIS with another cluster.yaml was accepted")
	}
}

// TestFollowNode follows real nodes while they work.
func TestFollowNode(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, realState)
	h.start()
	sources := []Source{nodeSource{h, "v1"}, nodeSource{h, "v2"}}
	f, err := NewFollower(FollowerConfig{Genesis: h.genesis, Cluster: h.cluster, Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	q := h.keygenAndAsk("v3")
	err = f.Until(ctx, func(s *fsm.State) bool { _, ok := s.Query(q.id); return ok })
	if err != nil {
		t.Error(err)
	}
	h.cosigned(q.index + 1)
	ticket, err := h.node("v4").Ticket(q.id)
	if err != nil {
		t.Fatal(err)
	}
	if _, index, err := f.CheckTicket(ctx, ticket, h.now()); err != nil || index != q.index {
		t.Errorf("ticket: leaf %d, %v, want %d", index, err, q.index)
	}
	cancel()
	if err := errors.Join(<-done, f.Close()); err != nil {
		t.Error(err)
	}
}

// nodeSource serves a node as wire's client would.
type nodeSource struct {
	h  *harness
	id string
}

// Entries implements Source.
func (s nodeSource) Entries(_ context.Context, from uint64, max int) ([][]byte, error) {
	return s.h.node(s.id).Entries(from, max)
}

// Checkpoint implements Source.
func (s nodeSource) Checkpoint(context.Context) ([]byte, error) {
	return s.h.node(s.id).Checkpoint(), nil
}

// Wait implements Source.
func (s nodeSource) Wait(ctx context.Context, size uint64) (uint64, error) {
	return s.h.node(s.id).Wait(ctx, size)
}

// Consistency implements Source.
func (s nodeSource) Consistency(_ context.Context, from, to uint64) ([][]byte, error) {
	return s.h.node(s.id).Consistency(from, to)
}
