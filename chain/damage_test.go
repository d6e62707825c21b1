package chain

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"statnet/chain/fsm/fsmtest"
	"statnet/internal/disk"
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
