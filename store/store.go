package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"statnet/internal/disk"
)

// formatVersion changes with the layout of rows; see layout.go.
const formatVersion = 1

const defaultLockTimeout = 2 * time.Second

// Store is an open store. Any number of goroutines may use it: bbolt runs one
// writing transaction at a time, and readers see the last committed state.
type Store struct {
	db   *bolt.DB
	path string
}

// Open opens or creates the store at path (mode 0600). It fails with ErrLocked
// when another process has it open, ErrDamaged when the file is not a whole
// store, ErrFormat and ErrCluster when it is not this store.
//
// It does not read every row: see Check.
func Open(path string, opt Options) (s *Store, err error) {
	if opt.LockTimeout <= 0 {
		opt.LockTimeout = defaultLockTimeout
	}
	s = &Store{path: path}
	defer s.guard(&err)
	_, statErr := os.Stat(path)
	isNew := errors.Is(statErr, os.ErrNotExist)
	if !isNew {
		// A broken page makes bbolt fault where no recover reaches, so every
		// page is looked at first.
		err := disk.CheckBolt(path, opt.LockTimeout)
		if errors.Is(err, disk.ErrLocked) {
			return nil, lockedError(path, opt)
		}
		if err != nil {
			return nil, fmt.Errorf("open store %s: %w: %w", path, ErrDamaged, err)
		}
	}
	// bbolt's default is to sync every commit: a transaction that Append has
	// returned from survives a power cut.
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: opt.LockTimeout, ReadOnly: opt.ReadOnly, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, lockedError(path, opt)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("open store %s: %w: %w", path, ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s.db = db
	if err = s.prepare(opt, isNew); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func lockedError(path string, opt Options) error {
	return fmt.Errorf("open store %s: waited %v: %w; stop the other gateway or choose another data_dir", path, opt.LockTimeout, ErrLocked)
}

// prepare creates the buckets of a new store and checks those of an old one.
func (s *Store) prepare(opt Options, isNew bool) error {
	if opt.ReadOnly {
		return s.view(func(tx *bolt.Tx) error { return s.checkMeta(tx, opt.Cluster) })
	}
	err := s.update(func(tx *bolt.Tx) error {
		if tx.Bucket(bucketMeta) != nil {
			return s.checkMeta(tx, opt.Cluster)
		}
		for _, name := range [][]byte{bucketMeta, bucketPatients, bucketAnswers, bucketBudget} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		version := binary.BigEndian.AppendUint32(nil, formatVersion)
		return errors.Join(meta.Put(keyFormat, version), meta.Put(keyCluster, []byte(opt.Cluster)))
	})
	if err != nil || !isNew {
		return err
	}
	// The file's name must survive a power cut as well as its bytes.
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return fmt.Errorf("sync directory of store %s: %w", s.path, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory of store %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) checkMeta(tx *bolt.Tx, cluster string) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil || tx.Bucket(bucketPatients) == nil || tx.Bucket(bucketAnswers) == nil || tx.Bucket(bucketBudget) == nil {
		return fmt.Errorf("open store %s: buckets are missing: %w", s.path, ErrDamaged)
	}
	v := meta.Get(keyFormat)
	if len(v) != 4 || binary.BigEndian.Uint32(v) != formatVersion {
		return fmt.Errorf("open store %s: format %x, this program reads %d: %w", s.path, v, formatVersion, ErrFormat)
	}
	if have := string(meta.Get(keyCluster)); cluster != "" && have != cluster {
		return fmt.Errorf("open store %s: of cluster %q, not %q: %w", s.path, have, cluster, ErrCluster)
	}
	return nil
}

// Close waits for running transactions and releases the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) view(f func(*bolt.Tx) error) (err error) {
	defer s.guard(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.View(f)
}

func (s *Store) update(f func(*bolt.Tx) error) (err error) {
	defer s.guard(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.Update(f)
}

// guard turns a panic into ErrDamaged. bbolt trusts its pages: overwritten ones
// fail its assertions, and a truncated file faults in the memory map. bbolt has
// rolled the transaction back by the time we are here.
func (s *Store) guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("read store %s: %v: %w", s.path, r, ErrDamaged)
	}
}

// Check reads every row and every page, and reports all damage it finds. It
// takes about a second for three million beats.
func (s *Store) Check() error {
	return s.view(func(tx *bolt.Tx) error {
		var errs []error
		for err := range tx.Check() {
			if len(errs) < 20 {
				errs = append(errs, fmt.Errorf("check store %s: %w: %w", s.path, ErrDamaged, err))
			}
		}
		if len(errs) > 0 {
			return errors.Join(errs...) // the rows of broken pages are not worth reading
		}
		return s.checkRows(tx)
	})
}

func (s *Store) checkRows(tx *bolt.Tx) error {
	var errs []error
	note := func(err error) {
		if err != nil && len(errs) < 20 {
			errs = append(errs, err)
		}
	}
	err := tx.Bucket(bucketPatients).ForEachBucket(func(id []byte) error {
		p := s.patient(tx, string(id))
		for _, kind := range rowKinds {
			if b := p.b.Bucket(kind); b != nil {
				note(b.ForEach(func(k, v []byte) error {
					_, err := p.open(kind, k, v)
					note(err)
					return nil
				}))
			}
		}
		for _, k := range [][]byte{keyState, keyClosed, keyLate} {
			_, err := p.get(k)
			note(err)
		}
		return nil
	})
	note(err)
	for _, name := range [][]byte{bucketAnswers, bucketBudget} {
		note(tx.Bucket(name).ForEach(func(k, v []byte) error {
			_, err := s.open(name, k, v)
			note(err)
			return nil
		}))
	}
	return errors.Join(errs...)
}
