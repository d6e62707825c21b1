package merkle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"statnet/chain/merkle"
)

func tree(n int) *merkle.Memory {
	var m merkle.Memory
	for i := range n {
		m.Append(merkle.LeafHash(fmt.Appendf(nil, "leaf-%d", i)))
	}
	return &m
}

func TestKnownRoot(t *testing.T) {
	const want = "0b007fb915eb9b2a146f54b1c86ec53b664f8e455b7660b0b6ee13edc0d921c0"
	m := tree(7)
	got, err := merkle.Root(7, m)
	if err != nil || hex.EncodeToString(got[:]) != want {
		t.Errorf("root of leaf-0..leaf-6 = %x, %v, want %s", got, err, want)
	}
	if f := m.Root(); f != got {
		t.Errorf("frontier root = %x, want %x", f, got)
	}
}

// A test with the domain separation removed has been seen to pass elsewhere;
// this one compares with the RFC's own bytes.
func TestDomainSeparation(t *testing.T) {
	if got, want := merkle.LeafHash([]byte("x")), sha256.Sum256([]byte("\x00x")); got != want {
		t.Errorf("leaf hash = %x, want %x", got, want)
	}
	a, b := merkle.LeafHash([]byte("a")), merkle.LeafHash([]byte("b"))
	want := sha256.Sum256(append(append([]byte{1}, a[:]...), b[:]...))
	var m merkle.Memory
	m.Append(a)
	m.Append(b)
	if got := m.Root(); got != want {
		t.Errorf("root of two = %x, want %x", got, want)
	}
	// The two hashes of a node, shown as a record, must not prove.
	forged := merkle.LeafHash(append(a[:], b[:]...))
	if err := merkle.VerifyInclusion(0, 1, m.Root(), forged, nil); !errors.Is(err, merkle.ErrProof) {
		t.Errorf("node shown as a leaf: %v, want ErrProof", err)
	}
}

// TestAgainstOther compares every proof of small trees, and roots of larger
// ones, with transparency-dev/merkle.
func TestAgainstOther(t *testing.T) {
	const small, large = 65, 100_000
	m := tree(small)
	hashes := make([][]byte, 0, small)
	for i := range small {
		h := merkle.LeafHash(fmt.Appendf(nil, "leaf-%d", i))
		hashes = append(hashes, h[:])
	}
	for size := uint64(1); size <= small; size++ {
		root := otherRoot(t, hashes[:size])
		if got, err := merkle.Root(size, m); err != nil || string(got[:]) != string(root) {
			t.Fatalf("root of %d = %x, %v, want %x", size, got, err, root)
		}
		checkProofs(t, m, hashes, size, root)
	}
	if testing.Short() {
		return
	}
	big := tree(large)
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for i := range large {
		h := merkle.LeafHash(fmt.Appendf(nil, "leaf-%d", i))
		if err := r.Append(h[:], nil); err != nil {
			t.Fatal(err)
		}
	}
	want, err := r.GetRootHash(nil)
	if got := big.Root(); err != nil || string(got[:]) != string(want) {
		t.Errorf("root of %d = %x, want %x (%v)", large, got, want, err)
	}
}

func checkProofs(t *testing.T, m *merkle.Memory, hashes [][]byte, size uint64, root []byte) {
	t.Helper()
	for i := range size {
		p, err := merkle.ProveInclusion(i, size, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, size, hashes[i], slices(p), root); err != nil {
			t.Fatalf("leaf %d of %d: %v", i, size, err)
		}
		if err := merkle.VerifyInclusion(i, size, [32]byte(root), [32]byte(hashes[i]), p); err != nil {
			t.Fatal(err)
		}
		from := i + 1
		c, err := merkle.ProveConsistency(from, size, m)
		if err != nil {
			t.Fatal(err)
		}
		old := otherRoot(t, hashes[:from])
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, size, slices(c), old, root); err != nil {
			t.Fatalf("%d to %d: %v", from, size, err)
		}
		if err := merkle.VerifyConsistency(from, size, [32]byte(old), [32]byte(root), c); err != nil {
			t.Fatal(err)
		}
	}
}

func otherRoot(t *testing.T, hashes [][]byte) []byte {
	t.Helper()
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, h := range hashes {
		if err := r.Append(h, nil); err != nil {
			t.Fatal(err)
		}
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func slices(p []merkle.Hash) [][]byte {
	out := make([][]byte, 0, len(p))
	for i := range p {
		out = append(out, p[i][:])
	}
	return out
}

func TestBounds(t *testing.T) {
	m := tree(7)
	root, leaf := m.Root(), merkle.LeafHash([]byte("leaf-3"))
	p, _ := merkle.ProveInclusion(3, 7, m)
	long := make([]merkle.Hash, 1000)
	one := func(_ any, err error) error { return err }
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"leaf at the size", one(merkle.ProveInclusion(7, 7, m)), merkle.ErrRange},
		{"leaf of nothing", one(merkle.ProveInclusion(0, 0, m)), merkle.ErrRange},
		{"size over the stored", one(merkle.ProveInclusion(3, 9, m)), merkle.ErrRange},
		{"size over int64", one(merkle.ProveInclusion(0, math.MaxUint64, m)), merkle.ErrRange},
		{"consistency from nothing", one(merkle.ProveConsistency(0, 7, m)), merkle.ErrRange},
		{"consistency backwards", one(merkle.ProveConsistency(7, 6, m)), merkle.ErrRange},
		{"root over int64", one(merkle.Root(math.MaxUint64, m)), merkle.ErrRange},
		{"check at the size", merkle.VerifyInclusion(7, 7, root, leaf, p), merkle.ErrRange},
		{"check over int64", merkle.VerifyInclusion(1<<63, math.MaxUint64, root, leaf, p), merkle.ErrRange},
		{"check from nothing", merkle.VerifyConsistency(0, 7, merkle.Empty(), root, nil), merkle.ErrRange},
		{"check backwards", merkle.VerifyConsistency(7, 6, root, root, nil), merkle.ErrRange},
		{"long proof", merkle.VerifyInclusion(3, 7, root, leaf, long), merkle.ErrProof},
		{"long consistency", merkle.VerifyConsistency(3, 7, root, root, long), merkle.ErrProof},
		{"wrong index", merkle.VerifyInclusion(2, 7, root, leaf, p), merkle.ErrProof},
		{"wrong leaf", merkle.VerifyInclusion(3, 7, root, root, p), merkle.ErrProof},
		{"wrong root", merkle.VerifyInclusion(3, 7, leaf, leaf, p), merkle.ErrProof},
		{"short proof", merkle.VerifyInclusion(3, 7, root, leaf, p[1:]), merkle.ErrProof},
		{"same size, other root", merkle.VerifyConsistency(7, 7, leaf, root, nil), merkle.ErrProof},
		{"right", merkle.VerifyInclusion(3, 7, root, leaf, p), nil},
		{"same size, same root", merkle.VerifyConsistency(7, 7, root, root, nil), nil},
	}
	for _, tt := range tests {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
}

func TestFrontierClone(t *testing.T) {
	m := tree(5)
	c := m.Clone()
	c.Append(merkle.LeafHash([]byte("other")))
	m.Append(merkle.LeafHash([]byte("leaf-5")))
	if got, want := m.Root(), tree(6).Root(); got != want {
		t.Errorf("root after a clone was used = %x, want %x", got, want)
	}
	if c.Size() != 6 || merkle.StoredIndex(6) != 10 {
		t.Errorf("size %d, stored %d, want 6, 10", c.Size(), merkle.StoredIndex(6))
	}
}

func TestStored(t *testing.T) {
	var f merkle.Frontier
	for i := range uint64(100) {
		for place := range f.Append(merkle.LeafHash(nil)) {
			position := merkle.StoredIndex(i) + uint64(place)
			if leaf, got := merkle.Stored(position); leaf != i || got != place {
				t.Errorf("stored hash %d = leaf %d, place %d, want %d, %d", position, leaf, got, i, place)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(uint64(3), uint64(7), make([]byte, 96))
	f.Fuzz(func(t *testing.T, a, b uint64, p []byte) {
		var hs []merkle.Hash
		for ; len(p) >= 32; p = p[32:] {
			hs = append(hs, merkle.Hash(p))
		}
		root := merkle.LeafHash([]byte("root"))
		if merkle.VerifyInclusion(a, b, root, merkle.LeafHash(nil), hs) == nil {
			t.Error("a made-up inclusion proof verifies")
		}
		if a != b && merkle.VerifyConsistency(a, b, merkle.LeafHash(nil), root, hs) == nil {
			t.Error("a made-up consistency proof verifies")
		}
	})
}
