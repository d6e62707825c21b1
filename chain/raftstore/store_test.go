package raftstore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"

	"statnet/internal/disk"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "raft.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func entries(from, to uint64) []*raft.Log {
	var out []*raft.Log
	for i := from; i <= to; i++ {
		out = append(out, &raft.Log{Index: i, Term: 2, Data: fmt.Appendf(nil, "entry %d", i), AppendedAt: time.Unix(1795000000, 0).UTC()})
	}
	return out
}

func TestKnownEntry(t *testing.T) {
	const want = "a73cc14f" + "0000000000000007" + "0000000000000002" + "00" + "18e91efd5bd38000" + "00000000" + "616263"
	l := raft.Log{Index: 7, Term: 2, Data: []byte("abc"), AppendedAt: time.Unix(1795000000, 0)}
	got, err := encodeEntry(&l)
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("entry = %x, %v, want %s", got, err, want)
	}
}

func TestLogStore(t *testing.T) {
	s := open(t)
	if first, last := index(t, s.FirstIndex), index(t, s.LastIndex); first != 0 || last != 0 {
		t.Errorf("empty store = %d to %d, want 0, 0", first, last)
	}
	if err := s.StoreLogs(entries(1, 10)); err != nil {
		t.Fatal(err)
	}
	var l raft.Log
	if err := s.GetLog(11, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("absent entry: %v, want ErrLogNotFound", err)
	}
	want := raft.Log{Index: 12, Term: 9, Type: raft.LogConfiguration, Data: []byte("d"), Extensions: []byte("ext")}
	if err := errors.Join(s.StoreLogs(entries(11, 11)), s.StoreLog(&want), s.GetLog(12, &l)); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(l) != fmt.Sprint(want) {
		t.Errorf("entry = %v, want %v", l, want)
	}
	if err := errors.Join(s.DeleteRange(1, 4), s.DeleteRange(9, 12)); err != nil {
		t.Fatal(err)
	}
	if first, last := index(t, s.FirstIndex), index(t, s.LastIndex); first != 5 || last != 8 {
		t.Errorf("after deletions = %d to %d, want 5, 8", first, last)
	}
	if !s.IsMonotonic() {
		t.Error("store says it allows gaps")
	}
	if err := s.StoreLog(&raft.Log{Index: 9, Data: make([]byte, MaxEntry+1)}); err == nil {
		t.Error("an entry over the limit was stored")
	}
}

func index(t *testing.T, f func() (uint64, error)) uint64 {
	t.Helper()
	i, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestStableStore(t *testing.T) {
	s := open(t)
	// raft compares this text, not an error value.
	if _, err := s.Get([]byte("CurrentTerm")); err == nil || err.Error() != "not found" {
		t.Errorf("absent key: %v, want exactly \"not found\"", err)
	}
	if _, err := s.GetUint64([]byte("CurrentTerm")); err == nil || err.Error() != "not found" {
		t.Errorf("absent number: %v, want exactly \"not found\"", err)
	}
	if err := errors.Join(s.SetUint64([]byte("CurrentTerm"), 7), s.Set([]byte("LastVoteCand"), []byte("v2"))); err != nil {
		t.Fatal(err)
	}
	term, err1 := s.GetUint64([]byte("CurrentTerm"))
	vote, err2 := s.Get([]byte("LastVoteCand"))
	if term != 7 || string(vote) != "v2" || err1 != nil || err2 != nil {
		t.Errorf("stable = %d, %q, %v, %v, want 7, v2", term, vote, err1, err2)
	}
	if _, err := s.GetUint64([]byte("LastVoteCand")); err == nil {
		t.Error("two bytes were read as a number")
	}
}

// TestAppliedCannotBeReplaced is the measured attack: a leader with a higher
// term makes an honest follower delete what it has applied.
func TestAppliedCannotBeReplaced(t *testing.T) {
	s := open(t)
	if err := s.StoreLogs(entries(1, 51)); err != nil {
		t.Fatal(err)
	}
	s.Applied(47)
	if err := s.DeleteRange(4, 51); !errors.Is(err, ErrRewrite) {
		t.Errorf("delete 4 to 51, 47 applied: %v, want ErrRewrite", err)
	}
	if err := s.DeleteRange(47, 51); !errors.Is(err, ErrRewrite) {
		t.Errorf("delete 47 to 51, 47 applied: %v, want ErrRewrite", err)
	}
	if err := s.StoreLogs(entries(47, 47)); !errors.Is(err, ErrRewrite) {
		t.Errorf("store 47 again: %v, want ErrRewrite", err)
	}
	if last := index(t, s.LastIndex); last != 51 {
		t.Errorf("last entry = %d, want 51", last)
	}
	if err := s.DeleteRange(48, 51); err != nil {
		t.Errorf("delete what is not applied: %v", err)
	}
	if err := s.DeleteRange(1, 20); err != nil {
		t.Errorf("compaction: %v", err)
	}
	s.AllowReset()
	if err := s.DeleteRange(21, 47); err != nil {
		t.Errorf("reset after a snapshot: %v", err)
	}
	if err := errors.Join(s.StoreLogs(entries(48, 50))); err != nil {
		t.Fatal(err)
	}
	s.Applied(50)
	if err := s.DeleteRange(48, 50); !errors.Is(err, ErrRewrite) {
		t.Errorf("second reset: %v, want ErrRewrite", err)
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	for i := range uint64(3) {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if last := index(t, s.LastIndex); last != i*10 {
			t.Errorf("last entry = %d, want %d", last, i*10)
		}
		if err := errors.Join(s.StoreLogs(entries(i*10+1, i*10+10)), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamageIsNamed edits values behind the store's back.
func TestDamageIsNamed(t *testing.T) {
	edit := func(bucket string, k []byte, f func([]byte) []byte) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			v := f(bytes.Clone(b.Get(k)))
			if v == nil {
				return b.Delete(k)
			}
			return b.Put(k, v)
		}
	}
	flip := func(v []byte) []byte { v[len(v)-1] ^= 1; return v }
	tests := []struct {
		name string
		edit func(*bolt.Tx) error
	}{
		{"flipped entry", edit("log", key(3), flip)},
		{"cut entry", edit("log", key(3), func(v []byte) []byte { return v[:20] })},
		{"missing entry", edit("log", key(3), func([]byte) []byte { return nil })},
		{"entry under another index", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("log"))
			return b.Put(key(3), bytes.Clone(b.Get(key(4))))
		}},
		{"short key", edit("log", []byte("x"), func([]byte) []byte { return []byte("y") })},
		{"flipped vote", edit("stable", []byte("LastVoteTerm"), flip)},
		{"vote under another key", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("stable"))
			return b.Put([]byte("CurrentTerm"), bytes.Clone(b.Get([]byte("LastVoteTerm"))))
		}},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "raft.db")
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(s.StoreLogs(entries(1, 5)), s.SetUint64([]byte("LastVoteTerm"), 4), s.db.Update(tt.edit), s.Close())
		if err != nil {
			t.Fatal(err)
		}
		var damage *disk.DamageError
		if _, err := Open(path); !errors.As(err, &damage) || damage.File != path {
			t.Errorf("%s: %v, want a damage error of %s", tt.name, err, path)
		}
	}
}

func TestHalfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.StoreLogs(entries(1, 2000)), s.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	var damage *disk.DamageError
	if _, err := Open(path); !errors.As(err, &damage) {
		t.Errorf("file cut in half: %v, want a damage error", err)
	}
}

func TestWriteErrorIsReported(t *testing.T) {
	s := open(t)
	var got []error
	s.OnWriteError(func(err error) { got = append(got, err) })
	if err := errors.Join(s.StoreLogs(entries(1, 5)), s.db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.StoreLogs(entries(6, 6)); err == nil || len(got) != 1 {
		t.Errorf("write to a closed file: %v, reported %v", err, got)
	}
	s.Applied(9)
	if err := s.StoreLogs(entries(6, 6)); err == nil {
		t.Error("write to a closed file succeeded")
	}
}

func FuzzEntry(f *testing.F) {
	b, err := encodeEntry(&raft.Log{Index: 7, Term: 2, Data: []byte("abc"), Extensions: []byte("e"), AppendedAt: time.Unix(1795000000, 0)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:entryHead])
	f.Fuzz(func(t *testing.T, data []byte) {
		var l raft.Log
		if err := decodeEntry(7, data, &l); err != nil {
			return
		}
		if again, err := encodeEntry(&l); err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted %x, encodes as %x, %v", data, again, err)
		}
	})
}
