package chain

import (
	"context"

	"statnet/chain/blob"
	"statnet/chain/fsm"
	"statnet/chain/record"
)

// Node is a verifier's ledger.
type Node struct {
	cfg Config
}

// Open checks the files of the data directory and starts from them.
func Open(cfg Config) (*Node, error) { return nil, ErrStopped }

// Run votes, applies and signs until ctx is cancelled.
func (n *Node) Run(ctx context.Context) error { return ErrStopped }

// Submit adds a leaf and returns its index.
func (n *Node) Submit(ctx context.Context, leaf []byte) (uint64, error) { return 0, ErrStopped }

// Lead is Submit for a leaf forwarded by another verifier: it never forwards.
func (n *Node) Lead(ctx context.Context, leaf []byte) (uint64, error) { return 0, ErrStopped }

// View calls f with the state of the ledger; f must not keep it.
func (n *Node) View(f func(*fsm.State)) {}

// Until returns once cond holds.
func (n *Node) Until(ctx context.Context, cond func(*fsm.State) bool) error { return ErrStopped }

// Wait returns once the newest q-cosigned note covers more than size leaves.
func (n *Node) Wait(ctx context.Context, size uint64) (uint64, error) { return 0, ErrStopped }

// Entries returns leaves from index on.
func (n *Node) Entries(from uint64, max int) ([][]byte, error) { return nil, ErrStopped }

// Checkpoint returns the newest q-cosigned note, nil if there is none yet.
func (n *Node) Checkpoint() []byte { return nil }

// Proof shows that leaf index is in the ledger of size leaves.
func (n *Node) Proof(index, size uint64) ([][]byte, error) { return nil, ErrStopped }

// Consistency shows that the ledger of to leaves begins with from leaves.
func (n *Node) Consistency(from, to uint64) ([][]byte, error) { return nil, ErrStopped }

// Ticket proves a registered query to gateways and servers (query step Q2).
func (n *Node) Ticket(queryID record.Hash) ([]byte, error) { return nil, ErrStopped }

// AcceptNote takes a cosigned checkpoint of another verifier.
func (n *Node) AcceptNote(ctx context.Context, note []byte) error { return ErrStopped }

// Claim signs this machine's clock for the CUT that follows previousCut.
func (n *Node) Claim(ctx context.Context, previousCut uint64) ([]byte, error) { return nil, ErrStopped }

// Blobs is this verifier's store of ciphertexts and proofs.
func (n *Node) Blobs() *blob.Store { return nil }

// Status is what a health page shows.
type Status struct {
	Size     uint64 // leaves applied
	Root     record.Hash
	Raft     string // "leader", "follower", "candidate", "shutdown"
	Leader   string // id, "" if none is known
	Cosigned uint64 // size of the newest q-cosigned checkpoint
	Diverged string // reason, "" if not
}

// Status reports the node's state.
func (n *Node) Status() Status { return Status{} }
