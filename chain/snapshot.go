package chain

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// snapshots is raft's file store, which keeps only manifests that match the own
// ledger. The check stands before the file gets its name: raft would start from
// a forged snapshot's index and voters after a restart, even if Restore had
// refused it.
type snapshots struct {
	raft.SnapshotStore
	node *Node
}

func (n *Node) openSnapshots() error {
	files, err := raft.NewFileSnapshotStoreWithLogger(n.cfg.Dir, retainSnapshots, raftLogger(n.log, n.cfg.Now))
	if err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	n.snapshots = &snapshots{SnapshotStore: files, node: n}
	return nil
}

// Create implements raft.SnapshotStore.
func (s *snapshots) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, t raft.Transport) (raft.SnapshotSink, error) {
	if !s.node.sameVoters(c) {
		return nil, errors.New("refuse snapshot: it changes the voters without a ROSTER")
	}
	sink, err := s.SnapshotStore.Create(v, index, term, c, ci, t)
	if err != nil {
		return nil, err
	}
	return &checkedSink{SnapshotSink: sink, node: s.node, index: index}, nil
}

// checkedSink holds a snapshot back until Close has checked it.
type checkedSink struct {
	raft.SnapshotSink
	node  *Node
	index uint64 // raft index that raft takes it for
	data  bytes.Buffer
}

// Write implements io.Writer.
func (s *checkedSink) Write(p []byte) (int, error) {
	if s.data.Len()+len(p) > maxManifest {
		return 0, fmt.Errorf("refuse snapshot of more than %d bytes: %w", maxManifest, io.ErrShortWrite)
	}
	s.data.Write(p)
	return s.SnapshotSink.Write(p)
}

// Close implements io.Closer: the snapshot exists only if it returns nil.
func (s *checkedSink) Close() error {
	m, err := s.node.checkManifest(s.data.Bytes())
	if err == nil && m.Applied > s.index {
		err = fmt.Errorf("manifest is of raft entry %d, not %d", m.Applied, s.index)
	}
	if err != nil {
		s.node.log.Error("snapshot refused", "error", err)
		return errors.Join(fmt.Errorf("refuse snapshot: %w", err), s.Cancel())
	}
	return s.SnapshotSink.Close()
}
