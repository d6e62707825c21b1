// Package signer is a verifier's memory of what it has signed. A checkpoint's
// signature leaves only after the journal says so on disk, and nothing is ever
// signed that the last entry does not lead to.
//
//	Checkpoint + consistency proof ──▶ rules ──▶ cosign ──▶ journal, fsync ──▶ line
//
// So a verifier that is stopped, restarted, fed a forged raft log or restored
// from last week's files cannot be made to sign two ledgers: at worst it stops
// signing. The journal is append only and is not a database: bbolt opened a file
// cut in half without complaint.
//
// The signer does not know what a ledger should contain, only that it grows.
package signer

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/internal/disk"
)

// Refusals.
var (
	// ErrRefused reports a checkpoint that contradicts what was signed before,
	// or does not show that it extends it.
	ErrRefused = errors.New("signer refused")
	// ErrBroken reports a signer whose journal could not be written; it signs
	// nothing more.
	ErrBroken = errors.New("signer stopped")
)

// Identity is what a journal belongs to; its header names it.
type Identity struct {
	Origin   string
	Cosigner note.Cosigner
	Instance [16]byte // of the data directory
}

// Entry is one signed checkpoint.
type Entry struct {
	Size uint64
	Root merkle.Hash
	Time uint64 // Unix seconds
	Sig  [64]byte
}

// Signer signs checkpoints that grow. Safe for concurrent use.
type Signer struct {
	path string
	id   Identity
	key  ed25519.PrivateKey

	mu   sync.Mutex
	file *os.File
	last Entry // zero if nothing was signed
	err  error // sticky
}

// Create writes an empty journal. It is for the first start of a new identity
// only: an identity that has lost its journal must never sign again.
func Create(path string, id Identity) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create signer journal: %w", err)
	}
	_, err = f.Write(header(id))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("create signer journal %s: %w", path, err)
	}
	return disk.SyncDir(filepath.Dir(path))
}

// Open reads the whole journal. rootAt gives the root of the ledger's first
// size leaves from a ledger that has just been re-hashed; a torn last entry is
// cut off only if the entry before it agrees with that ledger. Any other damage
// is a *disk.DamageError: this identity never signs again.
func Open(path string, id Identity, key ed25519.PrivateKey, rootAt func(size uint64) (merkle.Hash, error)) (*Signer, error) {
	if !id.Cosigner.Key.Equal(key.Public()) {
		return nil, fmt.Errorf("open signer journal %s: the key is not the roster's cosign key of %s", path, id.Cosigner.ID)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open signer journal: %w", err)
	}
	j, err := parse(path, id, data)
	if err != nil {
		return nil, err
	}
	if err := agrees(path, j.last, rootAt); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open signer journal: %w", err)
	}
	if err := cut(f, j.good, len(data)); err != nil {
		return nil, errors.Join(fmt.Errorf("cut torn tail of %s: %w", path, err), f.Close())
	}
	return &Signer{path: path, id: id, key: key, file: f, last: j.last}, nil
}

// agrees compares the last signature with the ledger. A ledger shorter than
// what was signed has lost leaves; one with another root was replaced.
func agrees(path string, last Entry, rootAt func(uint64) (merkle.Hash, error)) error {
	if last.Size == 0 {
		return nil
	}
	root, err := rootAt(last.Size)
	if err != nil {
		return disk.Damaged(path, "ledger lacks the %d leaves that were signed: %v", last.Size, err)
	}
	if root != last.Root {
		return disk.Damaged(path, "ledger has another root at the signed size %d", last.Size)
	}
	return nil
}

// cut drops a torn tail and leaves the file offset at the end.
func cut(f *os.File, good, size int) error {
	if good < size {
		if err := f.Truncate(int64(good)); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	_, err := f.Seek(int64(good), 0)
	return err
}

// Last is the last signed entry; Size 0 if there is none.
func (s *Signer) Last() Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Sign returns this verifier's line for cp at the given Unix time. proof shows
// that cp extends Last; it is not needed for the first signature. The same size
// and root again return the stored signature with its old time.
//
// The line is returned only after it is on disk.
func (s *Signer) Sign(cp note.Checkpoint, proof []merkle.Hash, unix uint64) (note.Line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return note.Line{}, s.err
	}
	last := s.last
	switch {
	case cp.Origin != s.id.Origin:
		return note.Line{}, fmt.Errorf("sign checkpoint of %q: %w: another ledger", cp.Origin, ErrRefused)
	case cp.Size == 0:
		return note.Line{}, fmt.Errorf("sign size 0: %w: it promises nothing", ErrRefused)
	case cp.Size < last.Size:
		return note.Line{}, fmt.Errorf("sign size %d: %w: size %d was signed", cp.Size, ErrRefused, last.Size)
	case cp.Size == last.Size && cp.Root == last.Root:
		return s.line(last), nil
	case cp.Size == last.Size:
		return note.Line{}, fmt.Errorf("sign size %d: %w: another root was signed", cp.Size, ErrRefused)
	case last.Size > 0:
		if err := merkle.VerifyConsistency(last.Size, cp.Size, last.Root, cp.Root, proof); err != nil {
			return note.Line{}, fmt.Errorf("sign size %d: %w: %w", cp.Size, ErrRefused, err)
		}
	}
	l := note.Cosign(s.id.Cosigner, s.key, cp, unix)
	e := Entry{Size: cp.Size, Root: cp.Root, Time: unix, Sig: l.Sig}
	if err := s.append(e); err != nil {
		return note.Line{}, err
	}
	s.last = e
	return l, nil
}

// append writes and syncs. After a failure the tail is unknown, and a second
// fsync may report success for bytes that never reached the disk: so none is
// tried.
func (s *Signer) append(e Entry) error {
	_, err := s.file.Write(e.marshal())
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		s.err = fmt.Errorf("%w: write %s: %w", ErrBroken, s.path, err)
	}
	return s.err
}

func (s *Signer) line(e Entry) note.Line {
	return note.Line{Name: s.id.Cosigner.Name, KeyID: s.id.Cosigner.KeyID(), Time: e.Time, Sig: e.Sig}
}

// Close releases the file; nothing is signed afterwards.
func (s *Signer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("%w: closed", ErrBroken)
	}
	return s.file.Close()
}
