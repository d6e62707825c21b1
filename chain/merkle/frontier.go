package merkle

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// StoredIndex is the position of leaf index's hash among the stored hashes;
// the hashes that Append returned for that leaf follow it.
func StoredIndex(index uint64) uint64 {
	// Each leaf before stored itself and one node per trailing one bit of its
	// index; their sum is 2·index − (ones in index).
	return 2*index - uint64(bits.OnesCount64(index))
}

// Stored is the inverse of StoredIndex for every stored hash: the leaf whose
// Append returned it, and its place in what was returned.
func Stored(position uint64) (leaf uint64, place int) {
	level, n := tlog.SplitStoredHashIndex(int64(position))
	return (uint64(n)+1)<<level - 1, level
}

// Frontier is the right edge of a growing tree: the roots of its complete
// subtrees, at most one per bit of the size. It is enough to append and to know
// the root, in a kilobyte, whatever the ledger's size. The zero value is the
// empty tree.
type Frontier struct {
	size uint64
	edge []Hash // largest subtree first; one per one bit of size
}

// Size is the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Append adds a leaf and returns the hashes to store from
// StoredIndex(old size): the leaf's, then every subtree it completes.
func (f *Frontier) Append(leaf Hash) []Hash {
	stored := []Hash{leaf}
	node := leaf
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.edge) - 1
		node = tlog.NodeHash(f.edge[last], node)
		f.edge = f.edge[:last]
		stored = append(stored, node)
	}
	f.edge = append(f.edge, node)
	f.size++
	return stored
}

// Root is the root of the tree.
func (f *Frontier) Root() Hash {
	if f.size == 0 {
		return Empty()
	}
	root := f.edge[len(f.edge)-1]
	for i := len(f.edge) - 2; i >= 0; i-- {
		root = tlog.NodeHash(f.edge[i], root)
	}
	return root
}

// Clone copies the frontier, so that a batch can be tried and thrown away.
func (f *Frontier) Clone() Frontier {
	return Frontier{size: f.size, edge: append([]Hash(nil), f.edge...)}
}

// Memory keeps every stored hash in memory, 64 B a leaf. It is for tests and
// short ledgers; the zero value is the empty tree. Not safe for concurrent use.
type Memory struct {
	Frontier
	hashes []Hash
}

// Append adds a leaf hash.
func (m *Memory) Append(leaf Hash) { m.hashes = append(m.hashes, m.Frontier.Append(leaf)...) }

// ReadHashes implements Reader.
func (m *Memory) ReadHashes(indexes []int64) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(m.hashes)) {
			return nil, fmt.Errorf("stored hash %d of %d: %w", x, len(m.hashes), ErrRange)
		}
		out[i] = m.hashes[x]
	}
	return out, nil
}
