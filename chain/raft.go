package chain

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Settings of raft, each measured or chosen in DESIGN.md.
const (
	defaultHeartbeat  = time.Second
	maxAppendEntries  = 512
	trailingLogs      = 10240
	snapshotThreshold = 8192
	snapshotInterval  = 120 * time.Second
	raftPool          = 3
	raftTimeout       = 10 * time.Second
	retainSnapshots   = 2
)

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.cfg.ID)
	c.HeartbeatTimeout = n.cfg.Heartbeat
	c.ElectionTimeout = n.cfg.Heartbeat
	c.LeaderLeaseTimeout = n.cfg.Heartbeat / 2
	c.MaxAppendEntries = maxAppendEntries
	c.TrailingLogs = trailingLogs
	c.SnapshotThreshold = snapshotThreshold
	c.SnapshotInterval = snapshotInterval
	c.NoSnapshotRestoreOnStart = true // ledger.db is the state; a manifest cannot restore it
	c.NoLegacyTelemetry = true
	c.Logger = raftLogger(n.log, n.cfg.Now)
	return c
}

// voters is the one configuration every node bootstraps with: GENESIS's
// verifiers, in its order.
func (n *Node) voters() raft.Configuration {
	var c raft.Configuration
	for _, v := range n.verifiers {
		c.Servers = append(c.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(v.ID), Address: raft.ServerAddress(v.Raft)})
	}
	return c
}

// sameVoters reports whether c is voters(): until ROSTER records exist nobody
// may change it, whatever a leader says.
func (n *Node) sameVoters(c raft.Configuration) bool {
	byID := func(a, b raft.Server) int { return compare(string(a.ID), string(b.ID)) }
	a, b := slices.Clone(c.Servers), n.voters().Servers
	slices.SortFunc(a, byID)
	slices.SortFunc(b, byID)
	return slices.Equal(a, b)
}

// startRaft joins the cluster. The caller closes what it returns with stopRaft.
func (n *Node) startRaft() error {
	layer := newStream(n.cfg.Listener, n.cfg.Dial, n.log)
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: layer, MaxPool: raftPool, Timeout: raftTimeout, Logger: raftLogger(n.log, n.cfg.Now),
	})
	stop := func() {
		trans.CloseStreams()
		_ = trans.Close()
		layer.closeAll()
	}
	n.store.OnWriteError(func(err error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.halt(err)
	})
	conf := n.raftConfig()
	cached, err := raft.NewLogCache(maxAppendEntries, n.store)
	if err != nil {
		stop()
		return fmt.Errorf("start raft: %w", err)
	}
	if n.bootstrap {
		if err := raft.BootstrapCluster(conf, cached, n.store, n.snapshots, trans, n.voters()); err != nil {
			stop()
			return fmt.Errorf("bootstrap raft: %w", err)
		}
	}
	r, err := raft.NewRaft(conf, (*machine)(n), cached, n.store, n.snapshots, trans)
	if err != nil {
		stop()
		return fmt.Errorf("start raft: %w", err)
	}
	n.raftMu.Lock()
	n.raft, n.stopTransport = r, stop
	n.raftMu.Unlock()
	return nil
}

// stopRaft hands leadership on, if there is anyone to take it, and waits until
// raft's goroutines are gone.
func (n *Node) stopRaft(handOver bool) {
	n.raftMu.Lock()
	r := n.raft
	n.raft = nil
	n.raftMu.Unlock()
	if r == nil {
		return
	}
	if handOver && len(n.verifiers) > 1 && r.State() == raft.Leader {
		if err := r.LeadershipTransfer().Error(); err != nil {
			n.log.Debug("leadership transfer", "error", err)
		}
	}
	stopped := r.Shutdown()
	n.stopTransport() // first: a call to a silent peer would hold raft for its whole timeout
	if err := stopped.Error(); err != nil {
		n.log.Warn("stop raft", "error", err)
	}
}

// running is raft, nil before Run and after it.
func (n *Node) running() *raft.Raft {
	n.raftMu.RLock()
	defer n.raftMu.RUnlock()
	return n.raft
}
