package blob_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"statnet/chain/blob"
)

func open(t *testing.T, dir string, quota int64) *blob.Store {
	t.Helper()
	s, err := blob.Open(dir, quota)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPutGet(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100)
	data := []byte("a ciphertext")
	d := sha256.Sum256(data)
	if _, err := s.Get(d, 100); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("absent blob: %v, want ErrNotFound", err)
	}
	if err := s.Put(d, append(data, '!')); !errors.Is(err, blob.ErrDigest) {
		t.Errorf("other bytes: %v, want ErrDigest", err)
	}
	for range 2 {
		if err := s.Put(d, data); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Used(); got != int64(len(data)) {
		t.Errorf("used = %d, want %d: the second copy is free", got, len(data))
	}
	s = open(t, dir, 100)
	if got, err := s.Get(d, int64(len(data))); err != nil || !bytes.Equal(got, data) {
		t.Errorf("after reopening: %q, %v", got, err)
	}
	if _, err := s.Get(d, int64(len(data))-1); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("caller's limit: %v, want ErrTooLarge", err)
	}
	if size, ok := s.Has(d); !ok || size != int64(len(data)) {
		t.Errorf("has = %d, %v", size, ok)
	}
	if err := errors.Join(s.Delete(d), s.Delete(d)); err != nil {
		t.Error(err)
	}
	if _, ok := s.Has(d); ok || s.Used() != 0 {
		t.Errorf("after delete: has %v, used %d", ok, s.Used())
	}
}

func TestQuota(t *testing.T) {
	s := open(t, t.TempDir(), 10)
	put := func(text string) error { return s.Put(sha256.Sum256([]byte(text)), []byte(text)) }
	if err := put("123456"); err != nil {
		t.Fatal(err)
	}
	if err := put("12345"); !errors.Is(err, blob.ErrFull) {
		t.Errorf("one over the quota: %v, want ErrFull", err)
	}
	if err := put("1234"); err != nil {
		t.Errorf("exactly the quota: %v", err)
	}
	if err := s.Put([32]byte{}, make([]byte, blob.MaxBlob+1)); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("over the limit: %v, want ErrTooLarge", err)
	}
}

// TestDamage flips and cuts a stored file: it is never returned, and a good copy
// can be stored again.
func TestDamage(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 1000)
	d := sha256.Sum256(data)
	for name, harm := range map[string]func([]byte) []byte{
		"flip":     func(b []byte) []byte { b[500] ^= 1; return b },
		"truncate": func(b []byte) []byte { return b[:500] },
		"extend":   func(b []byte) []byte { return append(b, 0) },
		"empty":    func([]byte) []byte { return nil },
	} {
		dir := t.TempDir()
		s := open(t, dir, 10000)
		if err := s.Put(d, data); err != nil {
			t.Fatal(err)
		}
		path := only(t, dir)
		if err := os.WriteFile(path, harm(bytes.Clone(data)), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(d, 10000)
		if !errors.Is(err, blob.ErrDamaged) || got != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want ErrDamaged that names %s", name, err, path)
		}
		if err := s.Put(d, data); err != nil {
			t.Errorf("%s: store a good copy: %v", name, err)
		}
		if got, err := s.Get(d, 10000); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: good copy: %v", name, err)
		}
	}
}

// only is the one file under dir.
func only(t *testing.T, dir string) (path string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			path = p
		}
		return err
	})
	if err != nil || path == "" {
		t.Fatalf("no file under %s: %v", dir, err)
	}
	return path
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ab"), 0o700); err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(dir, "ab", ".tmp-123")
	if err := os.WriteFile(torn, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := open(t, dir, 100); s.Used() != 0 {
		t.Errorf("used = %d, want 0", s.Used())
	}
	if _, err := os.Stat(torn); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half written file is still there: %v", err)
	}
}

func TestConcurrentPut(t *testing.T) {
	s := open(t, t.TempDir(), 1<<20)
	data := bytes.Repeat([]byte("y"), 1000)
	d := sha256.Sum256(data)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := s.Put(d, data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.Used() != 1000 {
		t.Errorf("used = %d after 16 writers of one blob, want 1000", s.Used())
	}
}
