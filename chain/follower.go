package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"statnet/chain/fsm"
	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/config"
	"statnet/internal/disk"
)

// FollowerConfig is what a reader of the ledger needs.
type FollowerConfig struct {
	Genesis []byte          // leaf 0, pinned
	Cluster *config.Cluster // cluster.yaml; GENESIS carries its digest
	Sources []Source        // verifiers; all are watched, any may deliver
	File    string          // bbolt file of leaves and the last note; "" keeps nothing beyond the process
	Log     *slog.Logger    // default slog.Default
	Silence time.Duration   // bounds each call of a source; default 10 s
}

const defaultSilence = 10 * time.Second

// Follower is a checked copy of the ledger: every leaf in it is under a
// checkpoint that q verifiers cosigned and that extends all seen before. Servers,
// gateways and queriers act on this copy only. Safe for concurrent use.
type Follower struct {
	cfg    FollowerConfig
	log    *slog.Logger
	origin string
	policy note.Policy

	changed signal // after every accepted chunk, and when it stops
	turn    chan struct{}
	closed  sync.Once

	mu      sync.RWMutex
	ledger  *ledger // its fields are guarded by mu; its database is not
	last    note.Signed
	stopped error
	strange map[int][]byte // by source: a q-cosigned note that it could not connect to this copy
}

// NewFollower opens the file, checks it and folds what it holds. A file that
// another process holds is disk.ErrLocked.
func NewFollower(cfg FollowerConfig) (*Follower, error) { return newFollower(cfg, realState) }

func newFollower(cfg FollowerConfig, fresh newState) (*Follower, error) {
	if cfg.Silence == 0 {
		cfg.Silence = defaultSilence
	}
	f := &Follower{cfg: cfg, log: cfg.Log, turn: make(chan struct{}, 1), strange: map[int][]byte{}}
	if f.log == nil {
		f.log = slog.Default()
	}
	g, origin, err := genesisOf(cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("open ledger copy: %w", err)
	}
	if cfg.Cluster == nil || g.Cluster != cfg.Cluster.Digest {
		return nil, errors.New("open ledger copy: GENESIS names another cluster.yaml")
	}
	f.origin, f.policy = origin, policyOf(g, origin)
	if f.ledger, err = openLedger(cfg.File, cfg.Genesis, cfg.Cluster, fresh); err != nil {
		return nil, fmt.Errorf("open ledger copy: %w", err)
	}
	if err := f.loadNote(); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger copy: %w", err), f.ledger.db.Close())
	}
	return f, nil
}

// loadNote reads back the note that this copy must stay consistent with.
func (f *Follower) loadNote() error {
	data, err := f.ledger.read(bucketNote, "newest")
	if err != nil || data == nil {
		return err
	}
	s, err := f.policy.Verify(data)
	if err != nil {
		return disk.Damaged(f.ledger.path, "stored note: %v", err)
	}
	if root, err := f.ledger.root(s.Size); err != nil || root != s.Root {
		return disk.Damaged(f.ledger.path, "stored note of size %d is not of these leaves", s.Size)
	}
	f.last = s
	return nil
}

// Close releases the file, after Run has returned or without it.
func (f *Follower) Close() error {
	var err error
	f.closed.Do(func() {
		f.stop(ErrStopped)
		err = f.ledger.db.Close()
	})
	return err
}

// stop makes waiters return err. The first reason stays.
func (f *Follower) stop(err error) {
	f.mu.Lock()
	if f.stopped == nil {
		f.stopped = err
	}
	f.mu.Unlock()
	f.changed.broadcast()
}

// View calls fn with the state of the copy; fn must not keep it, nor call the
// follower.
func (f *Follower) View(fn func(*fsm.State)) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	fn(f.ledger.state)
}

// Until returns once cond holds; it is asked again after every change.
func (f *Follower) Until(ctx context.Context, cond func(*fsm.State) bool) error {
	return f.await(ctx, func() bool { return cond(f.ledger.state) })
}

func (f *Follower) await(ctx context.Context, cond func() bool) error {
	for {
		next := f.changed.next()
		f.mu.RLock()
		ok, stopped := cond(), f.stopped
		f.mu.RUnlock()
		switch {
		case ok:
			return nil
		case stopped != nil:
			return stopped
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Checkpoint is the last accepted note, nil before the first.
func (f *Follower) Checkpoint() []byte {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.last.Note
}

// Size is the number of leaves of the copy, at least those of Checkpoint.
func (f *Follower) Size() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.ledger.edge.Size()
}

// Leaf returns a leaf of the copy.
func (f *Follower) Leaf(index uint64) ([]byte, error) { return f.ledger.leaf(index) }

// Proof shows that leaf index is under Checkpoint. Whoever needs proofs that
// belong together keeps one checkpoint and asks ProofAt: a newer one may come
// between two calls.
func (f *Follower) Proof(index uint64) ([]record.Hash, error) { return f.ProofAt(index, f.noteSize()) }

// ProofAt shows that leaf index is in the ledger of size leaves.
func (f *Follower) ProofAt(index, size uint64) ([]record.Hash, error) {
	if own := f.Size(); size > own {
		return nil, fmt.Errorf("ledger copy of %d leaves, %d wanted: %w", own, size, ErrNotFound)
	}
	hs, err := merkle.ProveInclusion(index, size, f.ledger)
	if err != nil {
		return nil, err
	}
	out := make([]record.Hash, len(hs))
	for i := range hs {
		out[i] = hs[i]
	}
	return out, nil
}

// CheckTicket is the package's CheckTicket, and that the ticket's note agrees
// with this copy; a copy that is behind is waited for, within ctx. A
// contradiction is a *ForkError.
func (f *Follower) CheckTicket(ctx context.Context, ticket []byte, now time.Time) (*record.Query, uint64, error) {
	q, t, s, err := checkTicket(f.cfg.Genesis, f.cfg.Cluster, ticket, now)
	if err != nil {
		return nil, 0, err
	}
	if err := f.await(ctx, func() bool { return f.ledger.edge.Size() >= s.Size }); err != nil {
		return nil, 0, fmt.Errorf("check ticket: follow the ledger to %d leaves: %w", s.Size, err)
	}
	root, err := f.ledger.root(s.Size)
	if err != nil {
		return nil, 0, fmt.Errorf("check ticket: %w", err)
	}
	if root != s.Root {
		return nil, 0, fmt.Errorf("%w: %w", ErrTicket, &ForkError{First: f.Checkpoint(), Second: s.Note})
	}
	return q, t.Index, nil
}

// accept stores checked leaves, and the note if they reach its size, in one
// transaction.
func (f *Follower) accept(leaves [][]byte, s note.Signed) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.ledger.db.Update(func(tx *bolt.Tx) error {
		for _, leaf := range leaves {
			index := f.ledger.edge.Size()
			cmd, err := record.Command(leaf)
			if err != nil {
				return fmt.Errorf("leaf %d: %w: %w", index, ErrRules, err)
			}
			res, err := f.ledger.add(tx, cmd)
			if _, refused := fsm.AsRefusal(err); refused {
				return fmt.Errorf("leaf %d: %w: %w", index, ErrRules, err)
			}
			if err != nil {
				return err
			}
			if res.Duplicate {
				return fmt.Errorf("leaf %d: %w: it is leaf %d again", index, ErrRules, res.Index)
			}
		}
		if f.ledger.edge.Size() == s.Size {
			if err := put(tx, bucketNote, "newest", s.Note); err != nil {
				return err
			}
		}
		return f.ledger.putHead(tx)
	})
	if err != nil {
		// The state in memory may be ahead of the file: nothing may follow it.
		return fmt.Errorf("apply leaves: %w", err)
	}
	if f.ledger.edge.Size() == s.Size {
		f.last = s
	}
	clear(f.strange)
	f.changed.broadcast()
	return nil
}
