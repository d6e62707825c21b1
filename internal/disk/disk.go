// Package disk keeps files that a power cut or a bad sector must not change
// unnoticed: it names damage, replaces files whole, and opens bbolt databases
// only after looking at every page.
//
//	WriteFile: temporary file ▸ fsync ▸ rename ▸ fsync of the directory
//	OpenBolt:  both metas ▸ length ▸ every page of every tree ▸ bbolt.Open
//
// bbolt alone is not enough: it opened a file cut in half without complaint,
// falls back a transaction when its newest meta page is broken, and panics in a
// goroutine of its own, past every recover, when a page is.
//
// It does not check what stands in keys and values: their owners keep checksums.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

// DamageError names a file that is not what was written.
type DamageError struct {
	File   string
	Reason string
}

// Error gives the file and the reason. What to do is the caller's to say: a
// verifier is set up anew under a new id, a reader's copy may simply be deleted.
func (e *DamageError) Error() string { return fmt.Sprintf("ledger damaged: %s: %s", e.File, e.Reason) }

// Damaged builds a DamageError.
func Damaged(file, format string, args ...any) error {
	return &DamageError{File: file, Reason: fmt.Sprintf(format, args...)}
}

// Guard runs f and turns a panic, or a fault on a page of a mapped file, into a
// DamageError of file. It covers the calling goroutine only.
func Guard(file string, f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = Damaged(file, "%v", r)
		}
	}()
	return f()
}

// WriteFile replaces path by data: after a power cut the file has the old or
// the new bytes, whole. The mode is 0600.
func WriteFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, f.Close(), os.Remove(f.Name())))
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	_ = f.Close() // renamed and synced: nothing is left to fail
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in dir survive a power cut.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
