package chain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"

	"statnet/chain/disk"
	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/note"
	"statnet/chain/raftstore"
	"statnet/chain/record"
)

// used is a stopped cluster of one verifier that has worked: 30 leaves, CUTs, a
// journal, a stored note and a blob.
func used(t testing.TB) *harness {
	t.Helper()
	h := newHarness(t, fsmtest.Options{Verifiers: 1, Faulty: 0, Quorum: 1, CrashOnly: true}, looseState)
	h.start()
	for day := range uint64(30) {
		h.submit("v1", h.audit("gateway/gw-1", day))
	}
	h.cosigned(h.node("v1").Status().Size)
	if err := h.node("v1").Blobs().Put(sha256.Sum256([]byte("blob")), []byte("blob")); err != nil {
		t.Fatal(err)
	}
	if err := h.stop("v1"); err != nil {
		t.Fatal(err)
	}
	return h
}

// openIn opens v1 over a directory; on success it closes it again.
func (h *harness) openIn(dir string) (Status, error) {
	h.t.Helper()
	cfg := h.config("v1")
	defer cfg.Listener.Close()
	cfg.Dir = dir
	n, err := open(cfg, h.state)
	if err != nil {
		return Status{}, err
	}
	s := n.Status()
	return s, n.Close()
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestDamagedFiles harms each file of a data directory in each way. Either the
// file is named, or the node opens with everything it had.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	h := used(t)
	want, err := h.openIn(copyDir(t, h.path("v1")))
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	harms := []struct {
		name string
		do   func([]byte) []byte
	}{
		{"flip at the end", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"flip in the middle", func(b []byte) []byte { b[len(b)/2] ^= 4; return b }},
		{"flip at a third", func(b []byte) []byte { b[len(b)/3] ^= 16; return b }},
		{"first page zero", func(b []byte) []byte { clear(b[:min(page, len(b))]); return b }},
		{"both metas zero", func(b []byte) []byte { clear(b[:min(2*page, len(b))]); return b }},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"empty", func(b []byte) []byte { return nil }},
		{"missing", nil},
	}
	for _, file := range []string{"raft.db", "ledger.db", "signer.journal", "instance-id"} {
		for _, harm := range harms {
			dir := copyDir(t, h.path("v1"))
			path := filepath.Join(dir, file)
			if harm.do == nil {
				err = os.Remove(path)
			} else if data, rerr := os.ReadFile(path); rerr != nil {
				err = rerr
			} else {
				err = os.WriteFile(path, harm.do(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := h.openIn(dir)
			var damage *disk.DamageError
			switch {
			case err == nil && got != want && got.Diverged == "":
				t.Errorf("%s, %s: opened as %+v, want %+v or an error", file, harm.name, got, want)
			case err != nil && file == "instance-id" && !errors.Is(err, ErrInstance):
				t.Errorf("%s, %s: %v, want ErrInstance", file, harm.name, err)
			case err != nil && file != "instance-id" && !errors.As(err, &damage):
				t.Errorf("%s, %s: %v, want a damage error", file, harm.name, err)
			case damage != nil && filepath.Dir(damage.File) != dir:
				t.Errorf("%s, %s: %v does not name the file", file, harm.name, err)
			}
		}
	}
}

// TestEditedLedger changes ledger.db through bbolt itself, past every page
// check: the leaves' own hashes must notice.
func TestEditedLedger(t *testing.T) {
	t.Parallel()
	h := used(t)
	flip := func(bucket, key string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			v := bytes.Clone(b.Get([]byte(key)))
			v[len(v)/2] ^= 1
			return b.Put([]byte(key), v)
		}
	}
	drop := func(bucket, key string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucket)).Delete([]byte(key)) }
	}
	at := func(i uint64) string { return string(be64(i)) }
	tests := []struct {
		name string
		edit func(*bolt.Tx) error
	}{
		{"flipped leaf", flip(bucketLeaf, at(7))},
		{"flipped hash", flip(bucketHash, at(7))},
		{"missing leaf", drop(bucketLeaf, at(7))},
		{"missing hash", drop(bucketHash, at(7))},
		{"flipped head", flip(bucketState, "head")},
		{"missing head", drop(bucketState, "head")},
		{"flipped note", flip(bucketNote, "newest")},
		{"last leaf dropped", func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte(bucketLeaf)).Cursor()
			c.Last()
			return c.Delete()
		}},
		{"two leaves swapped", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucketLeaf))
			x, y := bytes.Clone(b.Get([]byte(at(7)))), bytes.Clone(b.Get([]byte(at(8))))
			return errors.Join(b.Put([]byte(at(7)), y), b.Put([]byte(at(8)), x))
		}},
		{"idem key lost", func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte(bucketKey)).Cursor()
			c.First()
			return c.Delete()
		}},
		{"applied entry's digest flipped", func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte(bucketRaft)).Cursor()
			k, _ := c.First()
			return flip(bucketRaft, string(bytes.Clone(k)))(tx)
		}},
	}
	for _, tt := range tests {
		dir := copyDir(t, h.path("v1"))
		path := filepath.Join(dir, "ledger.db")
		db, err := disk.OpenBolt(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(tt.edit), db.Close()); err != nil {
			t.Fatal(err)
		}
		var damage *disk.DamageError
		if _, err := h.openIn(dir); !errors.As(err, &damage) || damage.File != path {
			t.Errorf("%s: %v, want a damage error of %s", tt.name, err, path)
		}
	}
}

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

// TestInstance: a wiped or copied data directory never comes back under its id.
func TestInstance(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	if err := os.RemoveAll(h.path("v1")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.open("v1"); !errors.Is(err, ErrInstance) {
		t.Errorf("wiped directory: %v, want ErrInstance", err)
	}
	if err := WriteInstance(h.path("v1"), [16]byte{9}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.open("v1"); !errors.Is(err, ErrInstance) {
		t.Errorf("another instance: %v, want ErrInstance", err)
	}
	if err := WriteInstance(h.path("v2"), [16]byte{2}); err == nil {
		t.Error("a directory was marked twice")
	}
}

func TestWrongIdentity(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	other := newHarness(t, fsmtest.Options{Gateways: 2}, looseState)
	tests := []struct {
		name string
		edit func(*Config)
	}{
		{"unknown id", func(c *Config) { c.ID = "v9" }},
		{"another's record key", func(c *Config) { c.RecordKey = fsmtest.Signer("verifier/v2") }},
		{"key under another path", func(c *Config) { c.RecordKey = fsmtest.Signer("server/s1") }},
		{"another's cosign key", func(c *Config) { c.CosignKey = fsmtest.CosignKey("verifier/v2") }},
		{"another cluster.yaml", func(c *Config) { c.Cluster = other.cluster }},
		{"another GENESIS", func(c *Config) { c.Genesis = other.genesis }},
		{"GENESIS of nobody", func(c *Config) { c.Genesis = h.audit("gateway/gw-1", 1) }},
		{"forged GENESIS", func(c *Config) {
			c.Genesis = bytes.Clone(c.Genesis)
			c.Genesis[len(c.Genesis)-1] ^= 1
		}},
		{"no peers", func(c *Config) { c.Peers = nil }},
	}
	for _, tt := range tests {
		cfg := h.config("v1")
		tt.edit(&cfg)
		n, err := open(cfg, h.state)
		if err == nil {
			t.Errorf("%s: opened", tt.name)
			_ = n.Close()
		}
		_ = cfg.Listener.Close()
		if err := os.RemoveAll(h.path("v1")); err != nil {
			t.Fatal(err)
		}
		h.mark("v1")
	}
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
