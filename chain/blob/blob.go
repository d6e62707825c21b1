// Package blob stores ciphertexts and proofs under their SHA-256, one file each.
// The ledger holds digests only; a blob that does not have its digest is never
// returned.
//
//	Put: size ▸ quota ▸ SHA-256 ▸ temporary file ▸ fsync ▸ rename    blobs/ab/cdef…
//	Get: size ▸ read ▸ SHA-256 ▸ bytes, or ErrDamaged
//
// It does not check what is inside a blob, nor who may store one.
package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"statnet/internal/disk"
)

// Digest is the SHA-256 of a blob.
type Digest = [32]byte

// MaxBlob bounds one blob in bytes.
const MaxBlob = 64 << 20

// Errors that callers branch on.
var (
	// ErrNotFound reports a digest that is not stored here; another verifier
	// may have it.
	ErrNotFound = errors.New("blob not found")
	// ErrDamaged reports a file whose bytes no longer have their digest. It is
	// put aside, so that the blob can be fetched from a peer and stored again.
	ErrDamaged = errors.New("blob damaged")
	// ErrDigest reports offered bytes that do not have the digest they claim.
	ErrDigest = errors.New("blob has another digest")
	// ErrTooLarge reports a blob over the limit, of the store or the caller.
	ErrTooLarge = errors.New("blob too large")
	// ErrFull reports that the quota is used up.
	ErrFull = errors.New("blob store full")
)

// Store is a directory of blobs. Safe for concurrent use.
type Store struct {
	dir   string
	quota int64 // bytes

	names [64]sync.Mutex // by first byte of the digest: one writer of a name at a time

	mu   sync.Mutex
	used int64 // bytes of stored blobs and of writes under way; guarded by mu
}

// Open uses dir, creating it if absent, removes what a power cut left half
// written and counts what is there. quota bounds the sum of sizes in bytes.
func Open(dir string, quota int64) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	s := &Store{dir: dir, quota: quota}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasPrefix(d.Name(), ".tmp-") {
			return os.Remove(path)
		}
		info, err := d.Info()
		if err == nil {
			s.used += info.Size()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open blob store %s: %w", dir, err)
	}
	return s, nil
}

// Put stores data, whose SHA-256 must be want. When it returns, the blob
// survives a power cut. Storing it again is free.
func (s *Store) Put(want Digest, data []byte) error {
	if len(data) > MaxBlob {
		return fmt.Errorf("put blob of %d bytes, at most %d: %w", len(data), MaxBlob, ErrTooLarge)
	}
	if got := sha256.Sum256(data); got != want {
		return fmt.Errorf("put blob %x: %w: %x", want[:8], ErrDigest, got[:8])
	}
	name := &s.names[want[0]%64]
	name.Lock()
	defer name.Unlock()
	if _, ok := s.Has(want); ok {
		return nil
	}
	if err := s.reserve(int64(len(data))); err != nil {
		return err
	}
	if err := s.write(want, data); err != nil {
		s.release(int64(len(data)))
		return err
	}
	return nil
}

func (s *Store) write(d Digest, data []byte) error {
	path := s.path(d)
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err == nil {
		if err := disk.SyncDir(s.dir); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put blob: %w", err)
	}
	return disk.WriteFile(path, data)
}

// Get reads a blob of at most max bytes and checks its digest.
func (s *Store) Get(d Digest, max int64) ([]byte, error) {
	f, err := os.Open(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("get blob %x: %w", d[:8], ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("get blob: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("get blob: %w", err)
	}
	if max = min(max, MaxBlob); info.Size() > max {
		return nil, fmt.Errorf("get blob %x of %d bytes, at most %d: %w", d[:8], info.Size(), max, ErrTooLarge)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("get blob %x: %w", d[:8], err)
	}
	if sha256.Sum256(data) != d {
		return nil, s.putAside(d, info.Size())
	}
	return data, nil
}

// putAside renames a damaged file: it stays for whoever wants to know why, and
// no longer stands in the way of a good copy.
func (s *Store) putAside(d Digest, size int64) error {
	path := s.path(d)
	if err := os.Rename(path, path+".damaged"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return fmt.Errorf("%s: %d bytes with another digest: %w", path, size, ErrDamaged)
}

// Has reports whether the blob is there, and its size; its bytes are not read.
func (s *Store) Has(d Digest) (size int64, ok bool) {
	info, err := os.Stat(s.path(d))
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// Delete removes a blob; absent is not an error.
func (s *Store) Delete(d Digest) error {
	name := &s.names[d[0]%64]
	name.Lock()
	defer name.Unlock()
	size, ok := s.Has(d)
	if !ok {
		return nil
	}
	if err := os.Remove(s.path(d)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("delete blob: %w", err)
	}
	s.release(size)
	return disk.SyncDir(filepath.Dir(s.path(d)))
}

// Used is the sum of the sizes of stored blobs, bytes.
func (s *Store) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

func (s *Store) reserve(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used+n > s.quota {
		return fmt.Errorf("put blob of %d bytes, %d of %d used: %w", n, s.used, s.quota, ErrFull)
	}
	s.used += n
	return nil
}

func (s *Store) release(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
}

// path is blobs/ab/cdef….
func (s *Store) path(d Digest) string {
	h := hex.EncodeToString(d[:])
	return filepath.Join(s.dir, h[:2], h[2:])
}
