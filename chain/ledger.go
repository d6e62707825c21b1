package chain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"statnet/chain/fsm"
	"statnet/chain/merkle"
	"statnet/chain/record"
	"statnet/config"
	"statnet/internal/disk"
)

// Buckets of ledger.db. Values of the last three carry a CRC32C; leaves and
// hashes are checked by hashing.
const (
	bucketLeaf  = "leaf"  // be64 index -> leaf
	bucketHash  = "hash"  // be64 index -> leaf hash || every node it completed
	bucketKey   = "key"   // idem key -> be64 index
	bucketRaft  = "raft"  // be64 raft index -> SHA-256(command)
	bucketNote  = "note"  // "newest" -> q-cosigned note
	bucketState = "state" // "head" -> be64 applied || be64 size || root, and others
)

// Limits of one Entries call.
const (
	maxEntries    = 1000
	maxEntryBytes = 1 << 20
)

// stepFunc is fsm.State.Step; benchmarks replace it by one with simpler rules.
type stepFunc func(index uint64, command []byte) (fsm.Result, error)

type newState func(*config.Cluster) (*fsm.State, stepFunc)

func realState(c *config.Cluster) (*fsm.State, stepFunc) {
	s := fsm.New(c)
	return s, s.Step
}

// ledger is leaves on disk, the tree over them and the state they fold to.
// Readers of the database need no lock; the fields do, see the owners.
type ledger struct {
	path string
	db   *bolt.DB
	step stepFunc

	state   *fsm.State
	edge    merkle.Frontier
	applied uint64 // raft index; a Follower leaves it 0
}

// openLedger opens or creates the file, re-hashes every leaf and folds them
// again. path "" is a private temporary file.
func openLedger(path string, genesis []byte, cluster *config.Cluster, fresh newState) (*ledger, error) {
	db, path, err := openLedgerFile(path)
	if err != nil {
		return nil, err
	}
	l := &ledger{path: path, db: db}
	l.state, l.step = fresh(cluster)
	err = disk.Guard(path, l.load)
	if err == nil {
		err = l.begin(genesis)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

func openLedgerFile(path string) (*bolt.DB, string, error) {
	buckets := []string{bucketLeaf, bucketHash, bucketKey, bucketRaft, bucketNote, bucketState}
	if path != "" {
		db, err := disk.OpenBolt(path, buckets...)
		return db, path, err
	}
	dir, err := os.MkdirTemp("", "statnet-ledger-")
	if err != nil {
		return nil, "", fmt.Errorf("open temporary ledger: %w", err)
	}
	path = filepath.Join(dir, "ledger.db")
	db, err := disk.OpenBolt(path, buckets...)
	// The open file lives on without its name and goes with the process.
	if rmErr := os.RemoveAll(dir); err == nil && rmErr != nil {
		err = errors.Join(fmt.Errorf("open temporary ledger: %w", rmErr), db.Close())
	}
	return db, path, err
}

// load re-hashes and folds what is stored, and compares with the stored head.
func (l *ledger) load() error {
	return l.db.View(func(tx *bolt.Tx) error {
		hashes, keys := tx.Bucket([]byte(bucketHash)), tx.Bucket([]byte(bucketKey))
		err := tx.Bucket([]byte(bucketLeaf)).ForEach(func(k, leaf []byte) error {
			index := l.edge.Size()
			if !bytes.Equal(k, be64(index)) {
				return disk.Damaged(l.path, "leaf %d missing", index)
			}
			if !bytes.Equal(hashes.Get(k), join(l.edge.Append(merkle.LeafHash(leaf)))) {
				return disk.Damaged(l.path, "leaf %d: hash", index)
			}
			return l.replay(index, bytes.Clone(leaf), keys)
		})
		if err != nil {
			return err
		}
		return l.checkHead(tx)
	})
}

// replay folds one stored leaf.
func (l *ledger) replay(index uint64, leaf []byte, keys *bolt.Bucket) error {
	cmd, err := record.Command(leaf)
	if err != nil {
		return disk.Damaged(l.path, "leaf %d: %v", index, err)
	}
	res, err := l.step(index, cmd)
	if err != nil || res.Duplicate || res.Index != index {
		return disk.Damaged(l.path, "leaf %d is refused on replay: %v", index, err)
	}
	key := cmd[:32]
	if !bytes.Equal(keys.Get(key), be64(index)) {
		return disk.Damaged(l.path, "leaf %d: idem key", index)
	}
	return nil
}

// checkHead compares the fold with the head written last, so that a ledger that
// lost its newest leaves is noticed.
func (l *ledger) checkHead(tx *bolt.Tx) error {
	head, err := l.get(tx, bucketState, "head")
	if err != nil {
		return err
	}
	if head == nil && l.edge.Size() == 0 {
		return nil
	}
	if len(head) != 48 {
		return disk.Damaged(l.path, "head of %d bytes", len(head))
	}
	root := l.edge.Root()
	if size := binary.BigEndian.Uint64(head[8:]); size != l.edge.Size() || !bytes.Equal(head[16:], root[:]) {
		return disk.Damaged(l.path, "head says %d leaves, there are %d", size, l.edge.Size())
	}
	l.applied = binary.BigEndian.Uint64(head)
	return nil
}

// begin writes GENESIS as leaf 0, or compares it.
func (l *ledger) begin(genesis []byte) error {
	if l.edge.Size() > 0 {
		first, err := l.leaf(0)
		if err == nil && !bytes.Equal(first, genesis) {
			return fmt.Errorf("open %s: it belongs to another ledger (leaf 0 is not this GENESIS)", l.path)
		}
		return err
	}
	cmd, err := record.Command(genesis)
	if err != nil {
		return fmt.Errorf("read GENESIS: %w", err)
	}
	return l.db.Update(func(tx *bolt.Tx) error {
		if _, err := l.add(tx, cmd); err != nil {
			return fmt.Errorf("apply GENESIS: %w", err)
		}
		return l.putHead(tx)
	})
}

// add steps the state and, if the command makes a leaf, stores it in tx. Errors
// that are not refusals mean that state and disk may differ: the caller must
// stop. The head is the caller's to write, once per transaction.
func (l *ledger) add(tx *bolt.Tx, cmd []byte) (fsm.Result, error) {
	res, err := l.step(l.edge.Size(), cmd)
	if err != nil || res.Duplicate {
		return res, err
	}
	k := be64(res.Index)
	leaf := tx.Bucket([]byte(bucketLeaf))
	hash := tx.Bucket([]byte(bucketHash))
	leaf.FillPercent, hash.FillPercent = 0.95, 0.95 // keys only grow
	return res, errors.Join(
		leaf.Put(k, res.Leaf),
		hash.Put(k, join(l.edge.Append(merkle.LeafHash(res.Leaf)))),
		tx.Bucket([]byte(bucketKey)).Put(cmd[:32], k))
}

func (l *ledger) putHead(tx *bolt.Tx) error {
	root := l.edge.Root()
	return put(tx, bucketState, "head", append(append(be64(l.applied), be64(l.edge.Size())...), root[:]...))
}

// ReadHashes implements merkle.Reader.
func (l *ledger) ReadHashes(indexes []int64) ([]merkle.Hash, error) {
	out := make([]merkle.Hash, len(indexes))
	err := l.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketHash))
		for i, x := range indexes {
			leaf, level := merkle.Stored(uint64(x))
			v := b.Get(be64(leaf))
			if len(v) < (level+1)*merkle.HashSize {
				return fmt.Errorf("stored hash %d: %w", x, merkle.ErrRange)
			}
			out[i] = merkle.Hash(v[level*merkle.HashSize:])
		}
		return nil
	})
	return out, err
}

// root is the root of the first size leaves.
func (l *ledger) root(size uint64) (merkle.Hash, error) { return merkle.Root(size, l) }

// leaf reads one leaf and checks its hash.
func (l *ledger) leaf(index uint64) ([]byte, error) {
	es, err := l.entries(index, 1)
	if err != nil {
		return nil, err
	}
	if len(es) == 0 {
		return nil, fmt.Errorf("leaf %d: %w", index, ErrNotFound)
	}
	return es[0], nil
}

// entries reads leaves from index on, within the limits of one call, and checks
// each one's hash: what bbolt returns is not always what was written.
func (l *ledger) entries(from uint64, max int) ([][]byte, error) {
	var out [][]byte
	total := 0
	err := l.db.View(func(tx *bolt.Tx) error {
		hashes := tx.Bucket([]byte(bucketHash))
		c := tx.Bucket([]byte(bucketLeaf)).Cursor()
		for k, v := c.Seek(be64(from)); k != nil && len(out) < min(max, maxEntries); k, v = c.Next() {
			if total += len(v); total > maxEntryBytes && len(out) > 0 {
				break
			}
			h, stored := merkle.LeafHash(v), hashes.Get(k)
			if len(stored) < merkle.HashSize || !bytes.Equal(stored[:merkle.HashSize], h[:]) {
				return disk.Damaged(l.path, "leaf %x: hash", k)
			}
			out = append(out, bytes.Clone(v))
		}
		return nil
	})
	return out, err
}

// find returns the leaf index of a record that is already in the ledger, byte
// for byte.
func (l *ledger) find(cmd []byte) (index uint64, ok bool) {
	_ = l.db.View(func(tx *bolt.Tx) error {
		k := tx.Bucket([]byte(bucketKey)).Get(cmd[:32])
		if len(k) == 8 && bytes.Equal(tx.Bucket([]byte(bucketLeaf)).Get(k), cmd[32:]) {
			index, ok = binary.BigEndian.Uint64(k), true
		}
		return nil
	})
	return index, ok
}
