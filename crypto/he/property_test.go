package he

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSplittingChangesNoSum is the law of this package: however data are split
// over providers, ciphertexts over servers, and whatever their order, the opened
// sums are the plain sums.
func TestSplittingChangesNoSum(t *testing.T) {
	c := tiny(t, 16)
	nets := []*network{
		newNetwork(t, c, 1, 1, 1), newNetwork(t, c, 1, 3, 2), newNetwork(t, c, 1, 3, 3), newNetwork(t, c, 1, 5, 3),
	}
	rapid.Check(t, func(rt *rapid.T) {
		net := rapid.SampledFrom(nets).Draw(rt, "network")
		k := rapid.IntRange(1, 16).Draw(rt, "k")
		value := rapid.Uint16Range(0, 1<<LimbBits-1)
		rows := rapid.SliceOfN(rapid.SliceOfN(value, k, k), 1, 6).Draw(rt, "rows")
		want := make([]uint32, k)
		var cts [][]byte
		for _, m := range rows {
			for i, v := range m {
				want[i] += uint32(v)
			}
			cts = append(cts, net.encrypt(t, m...))
		}
		com := net.crs.Committee
		active := rapid.SampledFrom(subsets(com.N, com.T)).Draw(rt, "active")
		q := net.ask(t, "q", k, active, rapid.Permutation(cts).Draw(rt, "order of the list")...)
		shares := rapid.Permutation(q.shares(t)).Draw(rt, "order of shares")
		got, err := q.key.Open(com, q.o, q.prefix, shares)
		if err != nil {
			rt.Fatal(err)
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("opened %v, want %v", got, want)
		}
	})
}

// TestSumHashesIgnoreOrder: who adds the same ciphertexts, in any order, gets
// the same hashes; who adds others does not.
func TestSumHashesIgnoreOrder(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	var cts []*Ciphertext
	for i := range 5 {
		ct, err := c.ParseCiphertext(1, net.encrypt(t, uint16(i)))
		if err != nil {
			t.Fatal(err)
		}
		cts = append(cts, ct)
	}
	digest := func(cts []*Ciphertext) Digest {
		s, err := c.NewSum(1, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, ct := range cts {
			if err := s.Add(ct); err != nil {
				t.Fatal(err)
			}
		}
		return s.Digest(Digest{1})
	}
	want := digest(cts)
	r := rand.New(rand.NewPCG(3, 3))
	for range 10 {
		r.Shuffle(len(cts), func(i, j int) { cts[i], cts[j] = cts[j], cts[i] })
		if got := digest(cts); got != want {
			t.Error("the order of additions changes the aggregate digest")
		}
	}
	if digest(cts[:4]) == want {
		t.Error("a dropped ciphertext leaves the aggregate digest as it was")
	}
}
