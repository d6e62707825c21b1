package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// build is a database with branch pages, overflow pages, deletions and a small
// inline bucket.
func build(t testing.TB, path string) {
	t.Helper()
	db, err := OpenBolt(path, "big", "small")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		err := db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("big"))
			for i := range 100 {
				k := fmt.Appendf(nil, "key %05d", round*100+i)
				if err := b.Put(k, bytes.Repeat(k, 1+i%30)); err != nil {
					return err
				}
				if i%3 == 0 {
					if err := b.Delete(k); err != nil {
						return err
					}
				}
			}
			if err := b.Put([]byte("long"), make([]byte, 20_000)); err != nil {
				return err
			}
			return tx.Bucket([]byte("small")).Put([]byte("k"), []byte("v"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// content reads everything, the way a user of the database would.
func content(path string) (string, error) {
	db, err := OpenBolt(path, "big", "small")
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = Guard(path, func() error {
		return db.View(func(tx *bolt.Tx) error {
			return tx.ForEach(func(name []byte, bk *bolt.Bucket) error {
				return bk.ForEach(func(k, v []byte) error {
					_, err := fmt.Fprintf(&b, "%s/%s=%x\n", name, k, v)
					return err
				})
			})
		})
	})
	return b.String(), errors.Join(err, db.Close())
}

func TestGoodFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	for range 3 {
		build(t, path)
		if _, err := content(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := content(path); err != nil {
		t.Errorf("creation cut short before the first write: %v", err)
	}
}

// TestDamagedFiles harms a file in many places. Each is refused by name, or
// opens and differs at most inside values, which have their owners' checksums.
// Nothing panics and nothing is lost.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	build(t, good)
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	want, err := content(good)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	rng := rand.New(rand.NewPCG(1, 2))
	try := func(name string, bad []byte) {
		path := filepath.Join(dir, "bad.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := content(path)
		var damage *DamageError
		if err != nil && !errors.As(err, &damage) {
			t.Errorf("%s: %v, want a damage error", name, err)
		}
		if err == nil && bytes.Count([]byte(got), []byte("\n")) != bytes.Count([]byte(want), []byte("\n")) {
			t.Errorf("%s: entries were lost without a word", name)
		}
	}
	zero := func(from, to int) []byte {
		bad := bytes.Clone(data)
		clear(bad[from:to])
		return bad
	}
	try("meta 0", zero(0, page))
	try("meta 1", zero(page, 2*page))
	try("both metas", zero(0, 2*page))
	for i := range 60 {
		at := rng.IntN(len(data))
		bad := bytes.Clone(data)
		bad[at] ^= 1 << rng.IntN(8)
		try(fmt.Sprintf("flip %d at %d", i, at), bad)
	}
	for at := 2 * page; at < len(data); at += page * 7 {
		try(fmt.Sprintf("zero page at %d", at), zero(at, min(at+page, len(data))))
		head := bytes.Clone(data)
		for j := range 64 {
			head[at+j] = byte(rng.Uint32())
		}
		try(fmt.Sprintf("random header at %d", at), head)
		try(fmt.Sprintf("cut at %d", at+5), data[:at+5])
	}
	for _, m := range []int{0, page} { // each bit of what the metas say
		for at := m + pageHeader; at < m+pageHeader+metaSum+8; at++ {
			bad := bytes.Clone(data)
			bad[at] ^= 4
			path := filepath.Join(dir, "bad.db")
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			var damage *DamageError
			if _, err := OpenBolt(path); !errors.As(err, &damage) {
				t.Errorf("meta byte %d: %v, want a damage error", at, err)
			}
		}
	}
}

// TestLostFreePages cuts off pages that hold nothing at the moment: bbolt would
// map and write beyond the end.
func TestLostFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	build(t, path)
	db, err := OpenBolt(path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("big")) })
	for range 2 { // the second one reuses the pages the first one freed
		err = errors.Join(err, db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("small")).Put([]byte("k"), []byte("w")) }))
	}
	data, rerr := os.ReadFile(path)
	if err := errors.Join(err, db.Close(), rerr); err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	used := int(native.Uint64(data[pageHeader+40:])) // high water mark, in pages
	for n := used - 1; n > used-10; n-- {
		if err := os.WriteFile(path, data[:n*page], 0o600); err != nil {
			t.Fatal(err)
		}
		var damage *DamageError
		if _, err := OpenBolt(path); !errors.As(err, &damage) {
			t.Errorf("cut to %d of %d pages: %v, want a damage error", n, used, err)
		}
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := OpenBolt(path, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := OpenBolt(path, "a"); !errors.Is(err, ErrLocked) {
		t.Errorf("second opening: %v, want ErrLocked", err)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, want := range []string{"first", "second, longer", ""} {
		if err := WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		if err != nil || string(got) != want || info.Mode().Perm() != 0o600 {
			t.Errorf("file = %q %v, %v, want %q 0600", got, info.Mode(), err, want)
		}
	}
	if err := WriteFile(filepath.Join(dir, "none", "f"), nil); err == nil {
		t.Error("wrote into a directory that is not there")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files left, want 1 (%v)", len(left), err)
	}
}

func TestGuard(t *testing.T) {
	var damage *DamageError
	err := Guard("x.db", func() error { panic("page 7: bad") })
	if !errors.As(err, &damage) || err.Error() != "ledger damaged: x.db: page 7: bad" {
		t.Errorf("panic = %v", err)
	}
}

// TestAFileInUseIsNotReadAsDamaged: a writer's pages on their way would look
// like damage, and a frightened operator would throw a good file away.
func TestAFileInUseIsNotReadAsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := OpenBolt(path, "b")
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckBolt(path, 0); !errors.Is(err, ErrLocked) {
		t.Errorf("CheckBolt of a file in use = %v, want %v", err, ErrLocked)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := CheckBolt(path, 0); err != nil {
		t.Errorf("CheckBolt after close = %v, want nil", err)
	}
}
