package he

import (
	"io"
	"math"
	"math/big"
	"testing"
)

// The seeds are fixed, so these tests give the same numbers on every run; the
// bounds are what the distributions allow at that sample size.

func moments(v []int8) (mean, variance float64, largest int) {
	for _, x := range v {
		mean += float64(x)
		largest = max(largest, int(x), -int(x))
	}
	mean /= float64(len(v))
	for _, x := range v {
		variance += (float64(x) - mean) * (float64(x) - mean)
	}
	return mean, variance / float64(len(v)), largest
}

func TestCentredBinomialDistribution(t *testing.T) {
	const n = 1 << 19
	v := make([]int8, n)
	if err := centred(katReader("stat-cbd"), v); err != nil {
		t.Fatal(err)
	}
	mean, variance, largest := moments(v)
	if sigma := math.Sqrt(10.5 / n); math.Abs(mean) > 5*sigma {
		t.Errorf("mean = %g, want 0 ± %g", mean, 5*sigma)
	}
	if math.Abs(variance-10.5) > 0.1 {
		t.Errorf("variance = %g, want 10.5", variance)
	}
	if largest > cbdBits {
		t.Errorf("largest = %d, want at most %d", largest, cbdBits)
	}
	// The bound is reached exactly: all bits on one side set.
	for b, want := range map[uint64]int8{1<<21 - 1: 21, (1<<21 - 1) << 21: -21, 1<<42 - 1: 0, 0: 0, 63 << 42: 0} {
		if err := centred(newBytes(b), v[:1]); err != nil || v[0] != want {
			t.Errorf("centred of bits %x = %d, want %d", b, v[0], want)
		}
	}
}

// newBytes is a reader of the 6 low bytes of v.
func newBytes(v uint64) io.Reader {
	b := make(byteReader, 6)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return &b
}

type byteReader []byte

func (b *byteReader) Read(p []byte) (int, error) {
	n := copy(p, *b)
	*b = (*b)[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestTernaryDistribution(t *testing.T) {
	const n = 1 << 19
	v := make([]int8, n)
	if err := ternary(katReader("stat-ternary"), v); err != nil {
		t.Fatal(err)
	}
	var count [3]float64
	for _, x := range v {
		count[x+1]++
	}
	sigma := math.Sqrt(n * 2.0 / 9)
	for i, got := range count {
		if math.Abs(got-n/3.0) > 5*sigma {
			t.Errorf("value %d: %.0f times, want %.0f ± %.0f", i-1, got, n/3.0, 5*sigma)
		}
	}
}

func TestSmudgeDistribution(t *testing.T) {
	c := std(t)
	p := c.newPoly()
	bound := new(big.Int).Lsh(bigInt(1), smudgeBits)
	var sum, squares float64
	var nibbles [16]float64
	const rounds = 16
	r := katReader("stat-smudge")
	for range rounds {
		if err := c.smudge(r, p, 4096); err != nil {
			t.Fatal(err)
		}
		for i := range 4096 {
			v := c.signed(p, i) // would leave the bound if the limbs disagreed
			if v.CmpAbs(bound) > 0 || v.Cmp(bound) == 0 {
				t.Fatalf("smudge %v outside [-2^72, 2^72)", v)
			}
			f, _ := new(big.Float).SetInt(v).Float64()
			f = math.Ldexp(f, -smudgeBits)
			sum += f
			squares += f * f
			nibbles[new(big.Int).And(v, bigInt(15)).Int64()]++
		}
	}
	const n = rounds * 4096
	if mean, sigma := sum/n, math.Sqrt(1.0/3/n); math.Abs(mean) > 5*sigma {
		t.Errorf("mean = %g·2^72, want 0 ± %g", mean, 5*sigma)
	}
	if v := squares / n; math.Abs(v*3-1) > 0.02 {
		t.Errorf("variance = %g·2^144, want 1/3", v)
	}
	chi := 0.0
	for _, got := range nibbles {
		chi += (got - n/16) * (got - n/16) / (n / 16)
	}
	if chi > 44.3 { // 15 degrees of freedom, p = 10^-4
		t.Errorf("low nibbles: chi-square = %.1f, want below 44.3", chi)
	}
}

// TestFreshNoise compares the noise of fresh ciphertexts with the formula
// variance = 10.5·(1 + 4Nm/3), m the number of sub-keys.
func TestFreshNoise(t *testing.T) {
	c := std(t)
	c.rand = katReader("stat-noise")
	for _, com := range []Committee{{3, 2}, {10, 10}, {16, 16}} {
		net := newNetwork(t, c, 1, com.N, com.T)
		s := net.secret(t)
		squares, n := 0.0, 0
		for range 8 {
			ct, err := c.ParseCiphertext(1, net.encrypt(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range c.noise(c.phase(ct.c0, ct.c1, s), []uint16{1}) {
				f, _ := new(big.Float).SetInt(e).Float64()
				squares += f * f
				n++
			}
		}
		got := math.Sqrt(squares / float64(n))
		want := math.Sqrt(10.5 * (1 + 4*4096*float64(com.N)/3))
		if math.Abs(got/want-1) > 0.03 {
			t.Errorf("%d sub-keys: noise 2^%.3f, want 2^%.3f", com.N, math.Log2(got), math.Log2(want))
		}
	}
}

// TestOpenedNoise checks that what a querier sees is as wide as the smudging of
// all active servers: variance t·2^144/3.
func TestOpenedNoise(t *testing.T) {
	c := std(t)
	c.rand = katReader("stat-opened")
	for _, com := range []Committee{{3, 2}, {5, 5}} {
		net := newNetwork(t, c, 1, com.N, com.T)
		q := net.ask(t, "q", 4096, subsets(com.N, com.T)[0], net.encrypt(t, 3))
		squares := 0.0
		for _, e := range c.noise(openedPhase(t, q, q.shares(t)), []uint16{3}) {
			f, _ := new(big.Float).SetInt(e).Float64()
			squares += f * f
		}
		got := math.Log2(squares/4096) / 2
		want := smudgeBits + math.Log2(float64(com.T)/3)/2
		if math.Abs(got-want) > 0.06 {
			t.Errorf("%d servers: opened noise 2^%.2f, want 2^%.2f", com.T, got, want)
		}
	}
}
