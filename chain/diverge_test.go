package chain

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/note"
	"statnet/chain/raftstore"
	"statnet/chain/record"
)

// TestRewrittenRaftLog is the measured attack seen after a restart: raft's log
// says something else than what was applied.
func TestRewrittenRaftLog(t *testing.T) {
	t.Parallel()
	h := used(t)
	tests := []struct {
		name string
		edit func(*raftstore.Store, uint64) error
	}{
		{"other command", func(s *raftstore.Store, last uint64) error {
			var l raft.Log
			if err := s.GetLog(last-3, &l); err != nil {
				return err
			}
			l.Data = append(l.Data, 1)
			return s.StoreLog(&l)
		}},
		{"command turned into a no-op", func(s *raftstore.Store, last uint64) error {
			var l raft.Log
			if err := s.GetLog(last-3, &l); err != nil {
				return err
			}
			l.Type = raft.LogNoop
			return s.StoreLog(&l)
		}},
		{"cut short", func(s *raftstore.Store, last uint64) error { return s.DeleteRange(last-5, last) }},
	}
	for _, tt := range tests {
		dir := copyDir(t, h.path("v1"))
		s, err := raftstore.Open(filepath.Join(dir, "raft.db"))
		if err != nil {
			t.Fatal(err)
		}
		last, err := s.LastIndex()
		if err := errors.Join(err, tt.edit(s, last), s.Close()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second start finds the mark of the first
			st, err := h.openIn(dir)
			if err != nil || st.Diverged == "" {
				t.Errorf("%s: opened as %+v, %v, want diverged", tt.name, st, err)
			}
		}
	}
}

// TestReplay: without the check at start, raft's own replay finds a rewritten
// entry.
func TestReplay(t *testing.T) {
	t.Parallel()
	h := used(t)
	n, err := h.open("v1")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var l raft.Log
	for i := n.replayTo; l.Type != raft.LogCommand || l.Index == 0; i-- {
		if err := n.store.GetLog(i, &l); err != nil {
			t.Fatal(err)
		}
	}
	m := (*machine)(n)
	if a := m.Apply(&l).(applied); a.err != nil {
		t.Errorf("replay of the same entry: %v", a.err)
	}
	size := n.Status().Size
	l.Data[40] ^= 1
	if a := m.Apply(&l).(applied); !errors.Is(a.err, ErrDiverged) {
		t.Errorf("replay of another entry: %v, want ErrDiverged", a.err)
	}
	if a := m.Apply(&raft.Log{Index: l.Index + 100, Data: l.Data}).(applied); !errors.Is(a.err, ErrDiverged) || n.Status().Size != size {
		t.Errorf("an entry after divergence: %v, size %d, want ErrDiverged, %d", a.err, n.Status().Size, size)
	}
}

func TestAppliedTwice(t *testing.T) {
	t.Parallel()
	h := used(t)
	n, err := h.open("v1")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	cmd, err := record.Command(h.audit("gateway/gw-2", 1))
	if err != nil {
		t.Fatal(err)
	}
	l := &raft.Log{Index: n.replayTo + 1, Data: cmd}
	m := (*machine)(n)
	if a := m.Apply(l).(applied); a.err != nil {
		t.Fatal(a.err)
	}
	if a := m.Apply(l).(applied); !errors.Is(a.err, ErrDiverged) {
		t.Errorf("the same raft index twice in one run: %v, want ErrDiverged", a.err)
	}
}

// TestVotersChange: until ROSTER records exist, a leader that changes the voters
// is not followed.
func TestVotersChange(t *testing.T) {
	t.Parallel()
	h := used(t)
	n, err := h.open("v1")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	m := (*machine)(n)
	same := &raft.Log{Index: n.replayTo + 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(n.voters())}
	m.Apply(same)
	if s := n.Status(); s.Diverged != "" {
		t.Errorf("the roster's own voters: %s", s.Diverged)
	}
	c := n.voters()
	c.Servers = append(c.Servers, raft.Server{ID: "mallory", Address: "127.0.0.1:1"})
	m.Apply(&raft.Log{Index: n.replayTo + 2, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(c)})
	if s := n.Status(); s.Diverged == "" {
		t.Error("a foreign voter was accepted")
	}
}

// TestContradictingQuorum shows a node a checkpoint that q verifiers signed over
// other leaves: it stops, keeps the evidence, and stays stopped.
func TestContradictingQuorum(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	h.start()
	h.cosigned(2)
	n := h.node("v4")
	forged := func(size uint64, ids ...string) []byte {
		cp := note.Checkpoint{Origin: n.origin, Size: size, Root: sha256.Sum256([]byte("other"))}
		var lines []note.Line
		for _, c := range n.policy.Cosigners {
			for _, id := range ids {
				if c.ID == id {
					lines = append(lines, note.Cosign(c, fsmtest.CosignKey("verifier/"+id), cp, 1795000000))
				}
			}
		}
		return note.Format(cp, lines)
	}
	ctx := context.Background()
	if err := n.AcceptNote(ctx, forged(2, "v1", "v2")); err == nil || n.Status().Diverged != "" {
		t.Errorf("two signers of another root: %v, status %+v; want an error and no stop", err, n.Status())
	}
	if err := n.AcceptNote(ctx, forged(2)); !errors.Is(err, note.ErrMalformed) {
		t.Errorf("note without a line: %v, want ErrMalformed", err)
	}
	if err := n.AcceptNote(ctx, []byte("garbage")); !errors.Is(err, note.ErrMalformed) {
		t.Errorf("garbage: %v, want ErrMalformed", err)
	}
	// Lines that arrive one by one, for a size still to come.
	for _, id := range []string{"v1", "v2", "v3"} {
		if err := n.AcceptNote(ctx, forged(5, id)); err != nil {
			t.Fatal(err)
		}
	}
	for day := range uint64(5) {
		h.submit("v1", h.audit("gateway/gw-1", day))
	}
	h.eventually("divergence", func() bool { return n.Status().Diverged != "" })
	if files, err := os.ReadDir(n.file("evidence")); err != nil || len(files) != 2 {
		t.Errorf("%d evidence files, %v, want one a root", len(files), err)
	}
	if _, err := n.Submit(ctx, h.audit("gateway/gw-2", 1)); !errors.Is(err, ErrDiverged) {
		t.Errorf("submit at a diverged node: %v, want ErrDiverged", err)
	}
	if _, err := n.Claim(ctx, 1); err == nil {
		t.Error("a diverged node signs its clock")
	}
	if _, err := n.Leaf(3); err != nil {
		t.Errorf("a diverged node serves reads: %v", err)
	}
	signed := n.Status().Signed
	if err := h.stop("v4"); err != nil {
		t.Errorf("stop of a diverged node: %v", err)
	}
	h.start("v4")
	h.submit("v1", h.audit("gateway/gw-1", 99)) // three of four go on
	h.cosigned2([]string{"v1", "v2", "v3"})
	if s := h.node("v4").Status(); s.Diverged == "" || s.Raft != "Shutdown" || s.Signed > signed {
		t.Errorf("after a restart: %+v, want diverged, out of raft and not signing", s)
	}
}

// cosigned2 waits until the given nodes have cosigned all they have.
func (h *harness) cosigned2(ids []string) {
	h.t.Helper()
	h.eventually("checkpoint of the others", func() bool {
		for _, id := range ids {
			if s := h.node(id).Status(); s.Cosigned < s.Size {
				return false
			}
		}
		return true
	})
}

func TestRefusedSnapshots(t *testing.T) {
	t.Parallel()
	h := used(t)
	n, err := h.open("v1")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	snap, err := (*machine)(n).Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	good := snap.(manifest)
	_, trans := raft.NewInmemTransport("")
	tests := []struct {
		name string
		edit func(*manifest)
		ok   bool
	}{
		{"own", func(*manifest) {}, true},
		{"other root", func(m *manifest) { m.Root[0] ^= 1 }, false},
		{"more leaves", func(m *manifest) { m.Size++ }, false},
		{"later entry", func(m *manifest) { m.Applied++ }, false},
	}
	for _, tt := range tests {
		m := good
		tt.edit(&m)
		sink, err := n.snapshots.Create(1, good.Applied+5, 2, n.voters(), 1, trans)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Persist(sink); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want accepted %v", tt.name, err, tt.ok)
		}
	}
	sink, err := n.snapshots.Create(1, good.Applied+5, 2, n.voters(), 1, trans)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write(make([]byte, maxManifest+1)); err == nil {
		t.Error("a snapshot over the limit was written")
	}
	if err := sink.Cancel(); err != nil {
		t.Fatal(err)
	}
	c := n.voters()
	c.Servers = append(c.Servers, raft.Server{ID: "mallory", Address: "127.0.0.1:1"})
	if _, err := n.snapshots.Create(1, good.Applied, 2, c, 1, trans); err == nil {
		t.Error("a snapshot that changes the voters was accepted")
	}
	if list, err := n.snapshots.List(); err != nil || len(list) != 1 {
		t.Errorf("%d snapshots kept, %v, want the good one", len(list), err)
	}
}

// TestSnapshotRestart takes a real snapshot, restarts and goes on.
func TestSnapshotRestart(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{Verifiers: 1, Faulty: 0, Quorum: 1, CrashOnly: true}, looseState)
	h.start()
	acked := map[uint64]uint64{}
	for day := range uint64(10) {
		acked[day] = h.submit("v1", h.audit("gateway/gw-1", day))
	}
	if err := h.node("v1").running().Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	for day := range uint64(10) {
		acked[day+10] = h.submit("v1", h.audit("gateway/gw-1", day+10))
	}
	for range 2 {
		if err := h.stop("v1"); err != nil {
			t.Fatal(err)
		}
		h.start("v1")
	}
	acked[50] = h.submit("v1", h.audit("gateway/gw-1", 50))
	h.checkAcked(acked)
}

// TestStateEqualsFold: whatever order and restarts, the state is the fold over
// the leaves.
func TestStateEqualsFold(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, realState)
	h.start()
	q := h.keygenAndAsk("v2")
	h.cosigned(q.index + 1)
	if err := h.stop("v3"); err != nil {
		t.Fatal(err)
	}
	h.start("v3")
	h.checkAcked(nil)
	fold := fsm.New(h.cluster)
	leaves, err := h.node("v1").Entries(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, leaf := range leaves {
		cmd, err := record.Command(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fold.Step(uint64(i), cmd); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range h.ids {
		h.eventually("state of "+id, func() (same bool) {
			h.node(id).View(func(s *fsm.State) { same = s.Size() != fold.Size() || s.Digest() == fold.Digest() })
			return same
		})
	}
}
