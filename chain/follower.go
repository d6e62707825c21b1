package chain

import (
	"context"
	"log/slog"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
)

// FollowerConfig is what a reader of the ledger needs.
type FollowerConfig struct {
	Genesis []byte          // leaf 0, pinned
	Cluster *config.Cluster // cluster.yaml; GENESIS carries its digest
	Sources []Source        // verifiers, in order of preference
	File    string          // bbolt file of leaves and the last note; "" keeps them in memory
	Log     *slog.Logger    // default slog.Default
	Silence time.Duration   // a source that says nothing for so long is left for the next; default 10 s
}

// Follower is a checked copy of the ledger.
type Follower struct {
	cfg FollowerConfig
}

// NewFollower opens the file, checks it and folds what it holds.
func NewFollower(cfg FollowerConfig) (*Follower, error) { return nil, ErrStopped }

// Run follows the ledger until ctx is cancelled.
func (f *Follower) Run(ctx context.Context) error { return ErrStopped }

// Close releases the file; after Run has returned.
func (f *Follower) Close() error { return nil }

// View calls fn with the state below the last checkpoint; fn must not keep it.
func (f *Follower) View(fn func(*fsm.State)) {}

// Until returns once cond holds.
func (f *Follower) Until(ctx context.Context, cond func(*fsm.State) bool) error { return ErrStopped }

// Checkpoint is the last accepted note.
func (f *Follower) Checkpoint() []byte { return nil }

// Leaf is a leaf below the checkpoint.
func (f *Follower) Leaf(index uint64) ([]byte, error) { return nil, ErrStopped }

// Proof shows that leaf index is under Checkpoint.
func (f *Follower) Proof(index uint64) ([]record.Hash, error) { return nil, ErrStopped }

// CheckTicket is the package's CheckTicket, and that the ticket's note is
// consistent with what this follower has seen.
func (f *Follower) CheckTicket(ctx context.Context, ticket []byte, now time.Time) (*record.Query, uint64, error) {
	return nil, 0, ErrStopped
}

// CheckTicket checks a ticket against pinned GENESIS and cluster alone. It does
// not check consistency with a checkpoint seen before: Follower.CheckTicket does.
func CheckTicket(genesis []byte, cluster *config.Cluster, ticket []byte, now time.Time) (*record.Query, uint64, error) {
	return nil, 0, ErrStopped
}
