package raftstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"

	"statnet/internal/disk"
)

var (
	bucketLog    = []byte("log")
	bucketStable = []byte("stable")
)

// errNotFound has exactly the text that raft compares with.
var errNotFound = errors.New("not found")

// Store implements raft.LogStore, raft.MonotonicLogStore and raft.StableStore.
// Every write is on disk when it returns.
type Store struct {
	path string
	db   *bolt.DB

	failed  func(error)   // see OnWriteError
	applied atomic.Uint64 // entries up to here may be compacted, never replaced
	reset   atomic.Bool   // one deletion of the whole log is allowed
}

// ErrRewrite reports a leader that wants to replace entries which have been
// applied. Raft itself would let it.
var ErrRewrite = errors.New("refused to replace applied raft entries")

// Applied tells the store that entries up to index have been applied. It may
// only grow.
func (s *Store) Applied(index uint64) { s.applied.Store(index) }

// OnWriteError calls f, once or more, when the disk refused a write. Raft goes
// on trying; a node whose memory cannot be written should not. Set it before raft
// starts.
func (s *Store) OnWriteError(f func(error)) { s.failed = f }

// update runs f in a transaction and reports what the disk did to it.
func (s *Store) update(f func(*bolt.Tx) error) error {
	var own error // refused by f, not by the disk
	err := s.db.Update(func(tx *bolt.Tx) error {
		own = f(tx)
		return own
	})
	if err != nil && own == nil && s.failed != nil {
		s.failed(fmt.Errorf("write %s: %w", s.path, err))
	}
	return err
}

// AllowReset lets raft delete the whole log once, as it does after it has
// restored a snapshot.
func (s *Store) AllowReset() { s.reset.Store(true) }

// Open opens or creates the file and checks every entry. Damage is a
// *disk.DamageError: votes or acknowledged entries may be missing, so the node
// must not go on with what is left.
func Open(path string) (*Store, error) {
	db, err := disk.OpenBolt(path, string(bucketLog), string(bucketStable))
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, db: db}
	if err := disk.Guard(path, s.check); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close releases the file.
func (s *Store) Close() error { return s.db.Close() }

// check reads every entry, and that no index is missing between two.
func (s *Store) check() error {
	return s.db.View(func(tx *bolt.Tx) error {
		var next uint64
		err := tx.Bucket(bucketLog).ForEach(func(k, v []byte) error {
			if len(k) != 8 {
				return disk.Damaged(s.path, "raft entry with a key of %d bytes", len(k))
			}
			index := binary.BigEndian.Uint64(k)
			if next != 0 && index != next {
				return disk.Damaged(s.path, "raft entry %d missing", next)
			}
			next = index + 1
			var l raft.Log
			return s.decode(index, v, &l)
		})
		if err != nil {
			return err
		}
		return tx.Bucket(bucketStable).ForEach(func(k, v []byte) error {
			_, err := s.stable(k, v)
			return err
		})
	})
}

func (s *Store) decode(index uint64, v []byte, l *raft.Log) error {
	if err := decodeEntry(index, v, l); err != nil {
		return disk.Damaged(s.path, "raft entry %d: %v", index, err)
	}
	return nil
}

// FirstIndex implements raft.LogStore; 0 if there is none.
func (s *Store) FirstIndex() (uint64, error) { return s.edge((*bolt.Cursor).First) }

// LastIndex implements raft.LogStore; 0 if there is none.
func (s *Store) LastIndex() (uint64, error) { return s.edge((*bolt.Cursor).Last) }

func (s *Store) edge(at func(*bolt.Cursor) ([]byte, []byte)) (index uint64, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		if k, _ := at(tx.Bucket(bucketLog).Cursor()); len(k) == 8 {
			index = binary.BigEndian.Uint64(k)
		}
		return nil
	})
	return index, err
}

// GetLog implements raft.LogStore.
func (s *Store) GetLog(index uint64, l *raft.Log) error {
	return s.db.View(func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketLog).Get(key(index))
		if v == nil {
			return raft.ErrLogNotFound
		}
		return s.decode(index, v, l)
	})
}

// StoreLog implements raft.LogStore.
func (s *Store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore: all entries in one transaction, on disk
// when it returns.
func (s *Store) StoreLogs(logs []*raft.Log) error {
	err := s.update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketLog)
		b.FillPercent = 0.95 // keys only grow, a page never gets an insertion in its middle
		for _, l := range logs {
			if l.Index <= s.applied.Load() {
				return fmt.Errorf("entry %d: %w", l.Index, ErrRewrite)
			}
			v, err := encodeEntry(l)
			if err != nil {
				return err
			}
			if err := b.Put(key(l.Index), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	return nil
}

// DeleteRange implements raft.LogStore; both ends are inclusive. Raft deletes a
// prefix to compact, and a suffix to replace it by a leader's entries; a suffix
// that reaches into what has been applied is refused with ErrRewrite.
func (s *Store) DeleteRange(min, max uint64) error {
	err := s.update(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketLog).Cursor()
		last, _ := c.Last()
		suffix := last == nil || bytes.Compare(key(max), last) >= 0
		if suffix && min <= s.applied.Load() && !s.reset.CompareAndSwap(true, false) {
			return ErrRewrite
		}
		end := key(max)
		for k, _ := c.Seek(key(min)); k != nil && bytes.Compare(k, end) <= 0; k, _ = c.Seek(key(min)) {
			if err := c.Delete(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete raft entries %d to %d of %s: %w", min, max, s.path, err)
	}
	return nil
}

// IsMonotonic implements raft.MonotonicLogStore: gaps are damage here, so raft
// must not use one to mark a restored snapshot.
func (s *Store) IsMonotonic() bool { return true }

// Set implements raft.StableStore.
func (s *Store) Set(k, val []byte) error {
	v := make([]byte, 4, 4+len(val))
	binary.BigEndian.PutUint32(v, stableSum(k, val))
	v = append(v, val...)
	err := s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketStable).Put(k, v) })
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	return nil
}

// Get implements raft.StableStore.
func (s *Store) Get(k []byte) (val []byte, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketStable).Get(k)
		if v == nil {
			return errNotFound
		}
		val, err = s.stable(k, v)
		return err
	})
	return val, err
}

// stable checks and copies a stored value.
func (s *Store) stable(k, v []byte) ([]byte, error) {
	if len(v) < 4 || binary.BigEndian.Uint32(v) != stableSum(k, v[4:]) {
		return nil, disk.Damaged(s.path, "raft's %q: checksum", k)
	}
	return append([]byte(nil), v[4:]...), nil
}

// SetUint64 implements raft.StableStore.
func (s *Store) SetUint64(k []byte, val uint64) error { return s.Set(k, key(val)) }

// GetUint64 implements raft.StableStore.
func (s *Store) GetUint64(k []byte) (uint64, error) {
	v, err := s.Get(k)
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, disk.Damaged(s.path, "raft's %q: %d bytes", k, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

// stableSum covers the key too: a value under another key is damage.
func stableSum(k, val []byte) uint32 {
	return crc32.Update(crc32.Checksum(k, castagnoli), castagnoli, val)
}

func key(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }
