package chain

import (
	"fmt"

	"statnet/chain/merkle"
	"statnet/chain/record"
)

// Entries returns leaves from index on: at most max, 1,000 or 1 MiB, fewer at
// the end. They are applied, not necessarily cosigned yet.
func (n *Node) Entries(from uint64, max int) ([][]byte, error) { return n.ledger.entries(from, max) }

// Leaf returns one leaf.
func (n *Node) Leaf(index uint64) ([]byte, error) { return n.ledger.leaf(index) }

// Checkpoint returns the newest q-cosigned note, nil if there is none yet.
func (n *Node) Checkpoint() []byte {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.newest.Note
}

// Proof shows that leaf index is in the ledger of size leaves.
func (n *Node) Proof(index, size uint64) ([][]byte, error) {
	if err := n.reaches(size); err != nil {
		return nil, err
	}
	p, err := merkle.ProveInclusion(index, size, n.ledger)
	return bytesOf(p), err
}

// Consistency shows that the ledger of to leaves begins with from leaves.
func (n *Node) Consistency(from, to uint64) ([][]byte, error) {
	if err := n.reaches(to); err != nil {
		return nil, err
	}
	p, err := merkle.ProveConsistency(from, to, n.ledger)
	return bytesOf(p), err
}

func (n *Node) reaches(size uint64) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if own := n.ledger.edge.Size(); size > own {
		return fmt.Errorf("ledger of %d leaves, %d wanted: %w", own, size, ErrNotFound)
	}
	return nil
}

// Ticket proves a registered query to gateways and servers (query step Q2). It
// is ErrNotCosigned until a checkpoint covers QUERY.
func (n *Node) Ticket(queryID record.Hash) ([]byte, error) {
	n.mu.RLock()
	q, ok := n.ledger.state.Query(queryID)
	newest := n.newest
	n.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("ticket of query %x: %w", queryID[:8], ErrNotFound)
	}
	if q.Leaf >= newest.Size {
		return nil, fmt.Errorf("ticket of query %x at leaf %d, checkpoint %d: %w", queryID[:8], q.Leaf, newest.Size, ErrNotCosigned)
	}
	leaf, err := n.ledger.leaf(q.Leaf)
	if err != nil {
		return nil, fmt.Errorf("ticket of query %x: %w", queryID[:8], err)
	}
	proof, err := merkle.ProveInclusion(q.Leaf, newest.Size, n.ledger)
	if err != nil {
		return nil, fmt.Errorf("ticket of query %x: %w", queryID[:8], err)
	}
	return Ticket{Leaf: leaf, Index: q.Leaf, Proof: proof, Note: newest.Note}.Marshal()
}

func bytesOf(hs []merkle.Hash) [][]byte {
	out := make([][]byte, len(hs))
	for i := range hs {
		out[i] = hs[i][:]
	}
	return out
}

// hashesOf is the inverse of bytesOf for what a peer sent.
func hashesOf(bs [][]byte) ([]merkle.Hash, error) {
	out := make([]merkle.Hash, len(bs))
	for i, b := range bs {
		if len(b) != merkle.HashSize {
			return nil, fmt.Errorf("proof hash of %d bytes: %w", len(b), merkle.ErrProof)
		}
		out[i] = merkle.Hash(b)
	}
	return out, nil
}
