package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"

	"statnet/internal/disk"
)

// checkMemory compares what this node applied with raft's log and with the
// newest q-cosigned note.
func (n *Node) checkMemory() error {
	reason, err := n.ledger.read(bucketState, "diverged")
	if err != nil {
		return err
	}
	if reason != nil {
		return fmt.Errorf("%w, on an earlier run: %s", ErrDiverged, reason)
	}
	if err := n.checkRaftLog(); err != nil {
		return err
	}
	data, err := n.ledger.read(bucketNote, "newest")
	if err != nil || data == nil {
		return err
	}
	s, err := n.policy.Verify(data)
	if err != nil {
		return disk.Damaged(n.ledger.path, "stored note: %v", err)
	}
	root, err := n.ledger.root(s.Size)
	if err != nil || root != s.Root {
		return fmt.Errorf("%w: a quorum signed %d leaves with another root", ErrDiverged, s.Size)
	}
	n.newest = s
	return nil
}

// checkRaftLog finds a raft log that was rewritten below what was applied,
// before raft starts from it.
func (n *Node) checkRaftLog() error {
	first, err1 := n.store.FirstIndex()
	last, err2 := n.store.LastIndex()
	snaps, err3 := n.snapshots.List()
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("read raft log: %w", err)
	}
	reached := last
	if len(snaps) > 0 {
		reached = max(reached, snaps[0].Index)
	}
	if reached < n.ledger.applied {
		return fmt.Errorf("%w: raft's log ends at entry %d, entry %d was applied", ErrDiverged, reached, n.ledger.applied)
	}
	return n.ledger.db.View(func(tx *bolt.Tx) error {
		for i := max(first, 1); i <= min(last, n.ledger.applied); i++ {
			if err := n.checkRaftEntry(tx, i); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *Node) checkRaftEntry(tx *bolt.Tx, index uint64) error {
	var l raft.Log
	if err := n.store.GetLog(index, &l); err != nil {
		return err
	}
	was, err := n.ledger.get(tx, bucketRaft, string(be64(index)))
	if err != nil {
		return err
	}
	var is []byte // digests are kept of commands only
	if l.Type == raft.LogCommand {
		sum := sha256.Sum256(l.Data)
		is = sum[:]
	}
	if !bytes.Equal(was, is) {
		return fmt.Errorf("%w: raft entry %d is not what was applied", ErrDiverged, index)
	}
	return nil
}

// diverge stops the node for good, on disk too.
func (n *Node) diverge(reason error) error {
	err := n.ledger.db.Update(func(tx *bolt.Tx) error {
		return put(tx, bucketState, "diverged", []byte(reason.Error()))
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.halt(reason)
	return err
}

// checkJournal finds a journal that lost whole entries, or was brought back from
// a copy: the ledger remembers a later signature.
func (n *Node) checkJournal() error {
	last := n.signer.Last().Size
	stored, err := n.ledger.read(bucketState, "signed")
	if err != nil {
		return err
	}
	if len(stored) == 8 && binary.BigEndian.Uint64(stored) > last {
		return disk.Damaged(n.file("signer.journal"), "it ends at size %d, size %d was signed", last, binary.BigEndian.Uint64(stored))
	}
	if n.newest.Size > last && slices.Contains(n.newest.Signers, n.cfg.ID) {
		return disk.Damaged(n.file("signer.journal"), "it ends at size %d, a co-signed note of size %d has this node's line", last, n.newest.Size)
	}
	return nil
}
