package chain

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"

	"statnet/chain/fsm"
	"statnet/chain/merkle"
	"statnet/chain/record"
)

// machine is Node as raft sees it. Its methods run on raft's one FSM goroutine.
type machine Node

// applied is what ApplyBatch answers for a command.
type applied struct {
	index uint64
	err   error // a *fsm.Refusal, or why the node stopped
}

// ApplyBatch implements raft.BatchingFSM: one transaction, one fsync for all. A
// command is acknowledged only after its leaf is on disk.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	n := (*Node)(m)
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]any, len(logs))
	if n.halted != nil {
		return n.refuseAll(out, 0)
	}
	var diverged error
	done := 0
	err := n.ledger.db.Update(func(tx *bolt.Tx) error {
		var err error
		done, err, diverged = n.applyAll(tx, logs, out)
		if err != nil {
			return err
		}
		if diverged != nil {
			if err := put(tx, bucketState, "diverged", []byte(diverged.Error())); err != nil {
				return err
			}
		}
		if err := put(tx, bucketState, "signed", be64(n.lastSigned())); err != nil {
			return err
		}
		return n.ledger.putHead(tx)
	})
	switch {
	case err != nil:
		// State in memory is ahead of the disk: nothing may follow it.
		n.halt(fmt.Errorf("write %s: %w", n.ledger.path, err))
		return n.refuseAll(out, 0)
	case diverged != nil:
		n.halt(diverged)
	}
	n.store.Applied(n.ledger.applied)
	n.changed.broadcast()
	return n.refuseAll(out, done)
}

// applyAll applies logs until one of them contradicts what this node knows. It
// returns how many it did.
func (n *Node) applyAll(tx *bolt.Tx, logs []*raft.Log, out []any) (done int, err, diverged error) {
	for i, l := range logs {
		var a applied
		switch l.Type {
		case raft.LogConfiguration:
			if !n.sameVoters(raft.DecodeConfiguration(l.Data)) {
				return i, nil, fmt.Errorf("%w: raft entry %d changes the voters without a ROSTER", ErrDiverged, l.Index)
			}
		case raft.LogCommand:
			a, diverged, err = n.applyOne(tx, l)
			if err != nil || diverged != nil {
				return i, err, diverged
			}
		}
		out[i] = a
	}
	return len(logs), nil, nil
}

func (n *Node) applyOne(tx *bolt.Tx, l *raft.Log) (a applied, diverged, err error) {
	digest := sha256.Sum256(l.Data)
	if l.Index <= n.ledger.applied {
		return a, n.checkReplayed(tx, l.Index, digest), nil
	}
	if err := put(tx, bucketRaft, string(be64(l.Index)), digest[:]); err != nil {
		return a, nil, err
	}
	res, err := n.ledger.add(tx, l.Data)
	n.ledger.applied = l.Index
	if _, refused := fsm.AsRefusal(err); refused {
		return applied{err: err}, nil, nil
	}
	if err != nil {
		return a, nil, err
	}
	if !res.Duplicate {
		n.noticed(res)
	}
	return applied{index: res.Index}, nil, nil
}

// checkReplayed compares an entry that was applied before, on this start or the
// last, with what it was then. Raft replays its log after a restart; if a bad
// leader rewrote it in between, this is where it shows.
func (n *Node) checkReplayed(tx *bolt.Tx, index uint64, digest [32]byte) error {
	if index > n.replayTo {
		return fmt.Errorf("%w: raft entry %d was applied twice", ErrDiverged, index)
	}
	was, err := n.ledger.get(tx, bucketRaft, string(be64(index)))
	if err != nil || !bytes.Equal(was, digest[:]) {
		return errors.Join(fmt.Errorf("%w: raft entry %d is not what was applied", ErrDiverged, index), err)
	}
	return nil
}

// noticed remembers what the cut and sign loops need to know of a new leaf.
func (n *Node) noticed(res fsm.Result) {
	if res.WantsCut {
		n.wantsCut = true
	}
	if res.Type == record.TypeCut {
		n.wantsCut = res.WantsCut
		n.toSign = append(n.toSign, signJob{size: res.Index + 1, root: n.ledger.edge.Root()})
	}
}

// refuseAll fills the answers from done on, if the node has halted.
func (n *Node) refuseAll(out []any, done int) []any {
	for i := done; i < len(out); i++ {
		out[i] = applied{err: n.halted}
	}
	return out
}

// halt stops the node for good: no vote, no signature, no acknowledgement.
// Caller holds mu. The first reason stays.
func (n *Node) halt(err error) {
	if n.halted != nil {
		return
	}
	n.halted = err
	n.log.Error("ledger stopped", "error", err)
	close(n.stop)
	n.changed.broadcast()
}

// Apply implements raft.FSM; raft prefers ApplyBatch.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// Snapshot implements raft.FSM: a manifest, not the ledger.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	n := (*Node)(m)
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.halted != nil {
		return nil, n.halted
	}
	return manifest{Applied: n.ledger.applied, Size: n.ledger.edge.Size(), Root: n.ledger.edge.Root(), Note: n.newest.Note}, nil
}

// Restore implements raft.FSM. The snapshot store has accepted the manifest
// already, so it is known to match the own ledger and there is nothing to load.
func (m *machine) Restore(r io.ReadCloser) error {
	n := (*Node)(m)
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	if _, err := n.checkManifest(data); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	n.store.AllowReset()
	return nil
}

// manifest is a snapshot: where the ledger was, not what is in it. A peer could
// feed anything into a snapshot with content.
type manifest struct {
	_       struct{} `cbor:",toarray"`
	Applied uint64   // raft index
	Size    uint64   // leaves
	Root    merkle.Hash
	Note    []byte // newest q-cosigned note, may be empty
}

// maxManifest bounds a manifest in bytes.
const maxManifest = 32 << 10

// Persist implements raft.FSMSnapshot.
func (m manifest) Persist(sink raft.SnapshotSink) error {
	data, err := record.EncodeStrict(m)
	if err == nil {
		_, err = sink.Write(data)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (manifest) Release() {}

// checkManifest accepts a manifest only if the own ledger already holds what it
// describes. A node that lacks leaves cannot take them from a snapshot.
func (n *Node) checkManifest(data []byte) (manifest, error) {
	var m manifest
	if len(data) > maxManifest {
		return m, fmt.Errorf("manifest of %d bytes, at most %d", len(data), maxManifest)
	}
	if err := record.DecodeStrict(data, &m); err != nil {
		return m, fmt.Errorf("read manifest: %w", err)
	}
	n.mu.RLock()
	applied, size := n.ledger.applied, n.ledger.edge.Size()
	n.mu.RUnlock()
	if m.Applied > applied || m.Size > size {
		return m, fmt.Errorf("snapshot has %d leaves at raft entry %d, this ledger %d at %d: "+
			"fetching leaves for a snapshot is not supported by this version; set the node up anew under a new id",
			m.Size, m.Applied, size, applied)
	}
	root, err := n.ledger.root(m.Size)
	if err != nil {
		return m, err
	}
	if root != m.Root {
		return m, fmt.Errorf("%w: snapshot of %d leaves has another root", ErrDiverged, m.Size)
	}
	return m, nil
}
