package chain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/config"
)

// harness is a cluster of verifiers in one process: loopback TCP for raft, plain
// calls for everything else.
type harness struct {
	t       testing.TB
	dir     string
	cluster *config.Cluster
	genesis []byte
	state   newState
	log     *slog.Logger
	ids     []string

	mu    sync.Mutex
	addrs map[string]string // raft address of GENESIS -> where it listens now
	nodes map[string]*member
	now   func() time.Time
	ahead atomic.Int64 // everybody's clocks are set forward by so many ms
}

// member is a running node.
type member struct {
	*Node
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; after done
}

const testHeartbeat = 500 * time.Millisecond

func newHarness(t testing.TB, o fsmtest.Options, state newState) *harness {
	t.Helper()
	h := newHarnessIn(t, t.TempDir(), o, state)
	for _, id := range h.ids {
		h.mark(id)
	}
	return h
}

// newHarnessIn uses directories that may have been used before.
func newHarnessIn(t testing.TB, dir string, o fsmtest.Options, state newState) *harness {
	t.Helper()
	cluster, err := config.ParseCluster("cluster.yaml", fsmtest.ClusterYAML(o))
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := record.Seal("", fsmtest.Signer("operator/op-1"), fsm.Genesis(cluster, fsmtest.StartMS))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	h := &harness{t: t, dir: dir, cluster: cluster, genesis: genesis, state: state,
		log: slog.New(slog.DiscardHandler), addrs: map[string]string{}, nodes: map[string]*member{}}
	h.now = func() time.Time { return time.UnixMilli(fsmtest.StartMS + h.ahead.Load()).Add(time.Since(start)) }
	if os.Getenv("STATNET_TEST_LOG") != "" {
		h.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, v := range cluster.Verifiers {
		h.ids = append(h.ids, v.ID)
	}
	t.Cleanup(h.stopAll)
	return h
}

func (h *harness) path(id string) string { return filepath.Join(h.dir, id) }

// mark makes a node's data directory the one GENESIS names.
func (h *harness) mark(id string) {
	h.t.Helper()
	v, _ := h.cluster.Verifier(id)
	if err := WriteInstance(h.path(id), [16]byte(v.Instance)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) config(id string) Config {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	v, _ := h.cluster.Verifier(id)
	h.mu.Lock()
	h.addrs[v.Raft] = l.Addr().String()
	h.mu.Unlock()
	return Config{
		Dir: h.path(id), ID: id, Genesis: h.genesis, Cluster: h.cluster,
		RecordKey: fsmtest.Signer("verifier/" + id), CosignKey: fsmtest.CosignKey("verifier/" + id),
		Listener: l, Dial: h.dial, Peers: peers{h}, Now: h.now, Log: h.log, Heartbeat: testHeartbeat,
	}
}

func (h *harness) dial(ctx context.Context, addr string) (net.Conn, error) {
	h.mu.Lock()
	real := h.addrs[addr]
	h.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, "tcp", real)
}

// open opens a node without running it.
func (h *harness) open(id string) (*Node, error) {
	h.t.Helper()
	cfg := h.config(id)
	n, err := open(cfg, h.state)
	if err != nil {
		_ = cfg.Listener.Close()
	}
	return n, err
}

// start opens and runs nodes, all of them if none is named.
func (h *harness) start(ids ...string) {
	h.t.Helper()
	if ids == nil {
		ids = h.ids
	}
	for _, id := range ids {
		n, err := h.open(id)
		if err != nil {
			h.t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		m := &member{Node: n, cancel: cancel, done: make(chan struct{})}
		h.mu.Lock()
		h.nodes[id] = m
		h.mu.Unlock()
		go func() {
			m.err = n.Run(ctx)
			close(m.done)
		}()
	}
}

// stop ends a node and returns what Run did.
func (h *harness) stop(id string) error {
	h.t.Helper()
	h.mu.Lock()
	m := h.nodes[id]
	delete(h.nodes, id)
	h.mu.Unlock()
	if m == nil {
		return nil
	}
	m.cancel()
	<-m.done
	return m.err
}

func (h *harness) stopAll() {
	for _, id := range h.ids {
		if err := h.stop(id); err != nil {
			h.t.Errorf("stop %s: %v", id, err)
		}
	}
}

func (h *harness) node(id string) *Node {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.nodes[id]; m != nil {
		return m.Node
	}
	return nil
}

// leader waits for a node that leads and has applied what came before.
func (h *harness) leader() string {
	h.t.Helper()
	var leader string
	h.eventually("a leader", func() bool {
		for _, id := range h.ids {
			if n := h.node(id); n != nil && n.Status().Raft == "Leader" {
				leader = id
				return true
			}
		}
		return false
	})
	return leader
}

// eventually polls a condition; tests of raft have no clock of their own.
func (h *harness) eventually(what string, cond func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // machines are busy
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			h.t.Fatalf("no %s within a minute", what)
		}
	}
}

// audit seals a cheap record; the loose state accepts one a day of each signer.
func (h *harness) audit(path string, day uint64, fill ...byte) []byte {
	h.t.Helper()
	a := &record.Audit{Day: day}
	copy(a.Digest[:], fill)
	leaf, err := record.Seal(record.Origin(h.cluster.Name, h.genesis), fsmtest.Signer(path), a)
	if err != nil {
		h.t.Fatal(err)
	}
	return leaf
}

// submit sends a leaf until it is acknowledged.
func (h *harness) submit(id string, leaf []byte) uint64 {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	index, err := h.node(id).Submit(ctx, leaf)
	if err != nil {
		h.t.Fatalf("submit at %s: %v", id, err)
	}
	return index
}

// cosigned waits until every running node has a q-cosigned checkpoint over size.
func (h *harness) cosigned(size uint64) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("checkpoint over %d leaves", size), func() bool {
		for _, id := range h.ids {
			if n := h.node(id); n != nil && n.Status().Cosigned < size {
				return false
			}
		}
		return true
	})
}

// peers calls other nodes directly.
type peers struct{ h *harness }

var errDown = errors.New("peer is down")

// Forward implements Peers.
func (p peers) Forward(ctx context.Context, id string, leaf []byte) (uint64, error) {
	if n := p.h.node(id); n != nil {
		return n.Lead(ctx, leaf)
	}
	return 0, errDown
}

// PushNote implements Peers.
func (p peers) PushNote(ctx context.Context, id string, note []byte) error {
	if n := p.h.node(id); n != nil {
		return n.AcceptNote(ctx, note)
	}
	return errDown
}

// ClaimTime implements Peers.
func (p peers) ClaimTime(ctx context.Context, id string, previous uint64) ([]byte, error) {
	if n := p.h.node(id); n != nil {
		return n.Claim(ctx, previous)
	}
	return nil, errDown
}

// looseState is the real state machine, plus AUDIT and EVIDENCE records of anyone:
// they are small, independent of each other and need no key generation.
func looseState(cluster *config.Cluster) (*fsm.State, stepFunc) {
	s := fsm.NewReplay(cluster)
	seen := map[record.Hash]uint64{}
	hash := map[record.Hash]record.Hash{}
	return s, func(index uint64, cmd []byte) (fsm.Result, error) {
		key, leaf, err := record.SplitCommand(cmd)
		if err != nil {
			return fsm.Result{}, &fsm.Refusal{Code: fsm.Malformed}
		}
		e, err := record.Decode(leaf)
		if err != nil || e.Type != record.TypeAudit && e.Type != record.TypeEvidence {
			return s.Step(index, cmd)
		}
		if old, ok := seen[key]; ok {
			if hash[key] != record.LeafHash(leaf) {
				return fsm.Result{}, &fsm.Refusal{Code: fsm.Conflict}
			}
			return fsm.Result{Index: old, Duplicate: true}, nil
		}
		pub, _ := cluster.RecordKey(e.Signer)
		if err := e.Verify(s.Origin(), ed25519.PublicKey(pub)); err != nil {
			return fsm.Result{}, &fsm.Refusal{Code: fsm.BadSignature, Text: err.Error()}
		}
		seen[key], hash[key] = index, record.LeafHash(leaf)
		return fsm.Result{Index: index, Leaf: leaf, Type: e.Type}, nil
	}
}
