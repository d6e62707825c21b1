package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"statnet/chain/blob"
	"statnet/chain/fsm"
	"statnet/chain/note"
	"statnet/chain/raftstore"
	"statnet/chain/record"
	"statnet/chain/signer"
)

// Node is a verifier's ledger. Its methods may be called from any goroutine,
// before, during and after Run; without Run nothing is added or signed.
type Node struct {
	cfg       Config
	log       *slog.Logger
	verifiers []record.GenesisVerifier
	origin    string
	policy    note.Policy
	store     *raftstore.Store
	signer    *signer.Signer
	blobs     *blob.Store
	snapshots *snapshots
	bootstrap bool   // first start
	replayTo  uint64 // applied raft index at start

	changed signal        // after every batch, note and halt
	stop    chan struct{} // closed by halt
	closed  sync.Once

	cutMu sync.Mutex // held by the one attempt to post a CUT

	raftMu        sync.RWMutex
	raft          *raft.Raft // nil unless running
	stopTransport func()

	mu       sync.RWMutex
	ledger   *ledger // its fields are guarded by mu; its database is not
	halted   error   // why nothing is applied, signed or voted any more
	wantsCut bool    // a leaf after the last CUT asks for one soon
	toSign   []signJob
	newest   note.Signed       // q-cosigned and equal to the own tree; Size 0 if none
	lines    map[string][]held // by verifier id: its newest lines, see hold
	mine     note.Checkpoint   // own newest signed one; Size 0 if none
	owed     map[string]bool   // verifiers that lack newest
}

// Run votes, applies and signs until ctx is cancelled, then hands leadership on,
// closes every file and returns nil. A diverged node serves reads until then;
// any other stop is an error. Run is called once.
func (n *Node) Run(ctx context.Context) error {
	defer n.Close()
	if err := n.haltedErr(); err != nil {
		_ = n.cfg.Listener.Close() // peers see at once that nobody votes here
		return n.serveReads(ctx, err)
	}
	if err := n.startRaft(); err != nil {
		return err
	}
	eg, work := errgroup.WithContext(ctx)
	eg.Go(func() error { return n.cutLoop(work) })
	eg.Go(func() error { return n.signLoop(work) })
	for _, v := range n.verifiers {
		if v.ID != n.cfg.ID {
			eg.Go(func() error { return n.pushLoop(work, v.ID) })
		}
	}
	eg.Go(func() error {
		select {
		case <-work.Done():
			return nil
		case <-n.stop:
			return n.haltedErr()
		}
	})
	err := eg.Wait()
	n.stopRaft(err == nil)
	if err == nil || ctx.Err() != nil && !isHalt(err) {
		return nil
	}
	return n.serveReads(ctx, err)
}

// isHalt tells a real stop from a loop that saw its context cancelled.
func isHalt(err error) bool { return !errors.Is(err, context.Canceled) }

// serveReads keeps a diverged node's files open for readers; what it holds is
// evidence. Other reasons end Run.
func (n *Node) serveReads(ctx context.Context, err error) error {
	if !errors.Is(err, ErrDiverged) {
		return fmt.Errorf("verifier %s: %w", n.cfg.ID, err)
	}
	<-ctx.Done()
	return nil
}

// Close releases the files. Run does it; it is for a node that never ran.
func (n *Node) Close() error {
	var err error
	n.closed.Do(func() {
		n.mu.Lock()
		if n.halted == nil {
			n.halted = ErrStopped
			close(n.stop)
		}
		n.mu.Unlock()
		n.changed.broadcast()
		if n.signer != nil {
			err = n.signer.Close()
		}
		err = errors.Join(err, n.store.Close(), n.ledger.db.Close(), n.cfg.Listener.Close())
	})
	return err
}

func (n *Node) haltedErr() error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.halted
}

// Blobs is this verifier's store of ciphertexts and proofs.
func (n *Node) Blobs() *blob.Store { return n.blobs }

// Status is what a health page shows.
type Status struct {
	Size     uint64      // leaves applied
	Root     record.Hash // of these
	Raft     string      // "Leader", "Follower", "Candidate" or "Shutdown"
	Leader   string      // id, "" if none is known
	Cosigned uint64      // size of the newest q-cosigned checkpoint
	Signed   uint64      // size of the newest checkpoint signed by this node
	Halted   string      // why it stopped voting and signing, "" if it did not
	Diverged string      // the same, if its files contradict the cluster's
}

// Status reports the node's state.
func (n *Node) Status() Status {
	s := Status{Raft: raft.Shutdown.String(), Signed: n.lastSigned()}
	if r := n.running(); r != nil {
		_, id := r.LeaderWithID()
		s.Raft, s.Leader = r.State().String(), string(id)
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	s.Size, s.Root, s.Cosigned = n.ledger.edge.Size(), n.ledger.edge.Root(), n.newest.Size
	if n.halted != nil {
		s.Halted = n.halted.Error()
		if errors.Is(n.halted, ErrDiverged) {
			s.Diverged = s.Halted
		}
	}
	return s
}

func (n *Node) lastSigned() uint64 {
	if n.signer == nil {
		return 0
	}
	return n.signer.Last().Size
}

// View calls f with the state of all applied leaves; f must not keep it, nor
// call the node.
func (n *Node) View(f func(*fsm.State)) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	f(n.ledger.state)
}

// Until returns once cond holds; it is asked again after every change. Nil
// means it held, whatever came after.
func (n *Node) Until(ctx context.Context, cond func(*fsm.State) bool) error {
	return n.await(ctx, func() bool { return cond(n.ledger.state) })
}

// Wait returns once the newest q-cosigned note covers more than size leaves,
// and its size.
func (n *Node) Wait(ctx context.Context, size uint64) (uint64, error) {
	var got uint64
	err := n.await(ctx, func() bool {
		got = n.newest.Size
		return got > size
	})
	return got, err
}

// await asks cond under the read lock until it holds.
func (n *Node) await(ctx context.Context, cond func() bool) error {
	for {
		next := n.changed.next()
		n.mu.RLock()
		ok, halted := cond(), n.halted
		n.mu.RUnlock()
		switch {
		case ok:
			return nil
		case halted != nil:
			return halted
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// signal wakes any number of waiters. The zero value is ready.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// next is closed by the first broadcast after this call.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

func (n *Node) file(name string) string { return filepath.Join(n.cfg.Dir, name) }
