package he

import (
	"bytes"
	"crypto/sha3"
	"io"
	"math/big"
	"math/rand/v2"
	"testing"
)

// schoolbook multiplies modulo X^N+1 and Q with big integers.
func schoolbook(c *Context, x, y *poly) *poly {
	n, q := c.params.N, c.bigQ()
	acc := make([]*big.Int, n)
	for i := range acc {
		acc[i] = new(big.Int)
	}
	for i := range n {
		xi := c.value(x, i)
		for j := range n {
			v := new(big.Int).Mul(xi, c.value(y, j))
			if i+j < n {
				acc[i+j].Add(acc[i+j], v)
			} else {
				acc[i+j-n].Sub(acc[i+j-n], v)
			}
		}
	}
	out := c.newPoly()
	for i, v := range acc {
		c.setValue(out, i, v.Mod(v, q))
	}
	return out
}

func TestProductEqualsSchoolbook(t *testing.T) {
	for _, n := range []int{16, 64} {
		c := tiny(t, n)
		x, y := c.expandUniform("test", []byte("x")), c.expandUniform("test", []byte("y"))
		want := schoolbook(c, x, y)
		got := c.newPoly()
		c.f.toKey(y)
		c.f.ntt(x)
		c.f.mul(y, x, got)
		c.f.invNTT(got)
		if !got.equal(want) {
			t.Errorf("N = %d: product differs from schoolbook", n)
		}
	}
}

// TestProductAtFullSize evaluates the product at N = 4096 where schoolbook is
// cheap: one factor is a monomial, or sparse.
func TestProductAtFullSize(t *testing.T) {
	c := std(t)
	x := c.expandUniform("test", []byte("x"))
	for _, shift := range []int{0, 1, 2047, 4095} {
		y, got := c.newPoly(), x.clone()
		y[0][shift], y[1][shift] = 3, 3
		c.f.toKey(y)
		c.f.ntt(got)
		c.f.mul(y, got, got)
		c.f.invNTT(got)
		for i := range c.params.N {
			want := new(big.Int).Mul(c.value(x, i), big.NewInt(3))
			at := i + shift
			if at >= c.params.N {
				at, want = at-c.params.N, want.Neg(want)
			}
			if want.Mod(want, c.bigQ()).Cmp(c.value(got, at)) != 0 {
				t.Fatalf("3·X^%d: coefficient %d is wrong", shift, at)
			}
		}
	}
}

// bigDecode is floor((X + Delta/2) / Delta) mod t.
func bigDecode(c *Context, x *big.Int) uint32 {
	v := new(big.Int).Add(x, new(big.Int).Rsh(c.delta(), 1))
	v.Quo(v, c.delta())
	return uint32(v.Mod(v, new(big.Int).SetUint64(c.params.T)).Uint64())
}

func TestDecodeAtBoundaries(t *testing.T) {
	c := std(t)
	p := c.newPoly()
	decode := func(x *big.Int) uint32 {
		c.setValue(p, 0, x)
		return c.decodeOne(p[0][0], p[1][0])
	}
	delta, q, tt := c.delta(), c.bigQ(), new(big.Int).SetUint64(c.params.T)
	d := new(big.Int).Rsh(delta, 1)
	top := new(big.Int).Mul(tt, delta)
	add := func(x *big.Int, v int64) *big.Int { return new(big.Int).Add(x, big.NewInt(v)) }
	for _, x := range []struct {
		name string
		x    *big.Int
		want uint32
	}{
		{"0", big.NewInt(0), 0},
		{"d-1", add(d, -1), 0},
		{"d", d, 1},
		{"t·Delta-d-1", add(new(big.Int).Sub(top, d), -1), 268582912},
		{"t·Delta-d", new(big.Int).Sub(top, d), 0},
		{"Q-1", add(q, -1), 0},
	} {
		if got := decode(x.x); got != x.want {
			t.Errorf("Decode(%s) = %d, want %d", x.name, got, x.want)
		}
	}
	// Both sides of the boundary of many values, where the estimate is weakest.
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20000 {
		m := r.Uint64N(c.params.T)
		if i < 64 {
			m = uint64(i)
		}
		x := new(big.Int).Mul(new(big.Int).SetUint64(m), delta)
		for _, v := range []*big.Int{x, new(big.Int).Add(x, d), add(new(big.Int).Add(x, d), -1), add(x, -1)} {
			v.Mod(v, q)
			if got, want := decode(v), bigDecode(c, v); got != want {
				t.Fatalf("Decode(%v) = %d, want %d", v, got, want)
			}
		}
	}
}

func TestDecodeUniform(t *testing.T) {
	c := std(t)
	p := c.expandUniform("test", []byte("decode"))
	for i, got := range c.decode(p, c.params.N) {
		if want := bigDecode(c, c.value(p, i)); got != want {
			t.Fatalf("Decode of coefficient %d = %d, want %d", i, got, want)
		}
	}
}

func TestSmudgeEqualsBigInteger(t *testing.T) {
	c := std(t)
	p := c.newPoly()
	if err := c.smudge(katReader("smudge-big"), p, 4096); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16*4096)
	io.ReadFull(katReader("smudge-big"), buf)
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 73), big.NewInt(1))
	bound := new(big.Int).Lsh(big.NewInt(1), 72)
	for i := range 4096 {
		b := make([]byte, 16)
		for j := range b {
			b[j] = buf[16*i+15-j]
		}
		want := new(big.Int).SetBytes(b)
		want.And(want, mask).Sub(want, bound)
		if got := c.signed(p, i); got.Cmp(want) != 0 {
			t.Fatalf("smudge %d = %v, want %v", i, got, want)
		}
	}
}

func TestCodecRoundTripForEveryK(t *testing.T) {
	c := std(t)
	p := c.expandUniform("test", []byte("codec"))
	step := 1
	if testing.Short() {
		step = 61
	}
	back := c.newPoly()
	for k := 1; k <= c.params.N; k += step {
		if k > 200 && k < 4000 {
			k += 37 // every remainder modulo 8 still comes up
		}
		b := appendPoly(nil, p, k)
		if len(b) != polySize(k) {
			t.Fatalf("k = %d: %d bytes, want %d", k, len(b), polySize(k))
		}
		if err := c.parsePoly(b, back, k); err != nil {
			t.Fatalf("k = %d: %v", k, err)
		}
		if !back.head(k).equal(p.head(k)) {
			t.Fatalf("k = %d: round trip changed a residue", k)
		}
	}
}

// TestCodecEqualsBigInteger compares packing with the definition: the sum of
// residue_i · 2^(53i), little endian.
func TestCodecEqualsBigInteger(t *testing.T) {
	c := std(t)
	p := c.expandUniform("test", []byte("codec-big"))
	for _, k := range []int{1, 2, 3, 5, 7, 8, 9, 255, 256} {
		for l := range p {
			v := new(big.Int)
			for i := k - 1; i >= 0; i-- {
				v.Lsh(v, wordBits).Or(v, new(big.Int).SetUint64(p[l][i]))
			}
			want := v.FillBytes(make([]byte, limbSize(k)))
			for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
				want[i], want[j] = want[j], want[i]
			}
			if got := appendLimb(nil, p[l][:k]); !bytes.Equal(got, want) {
				t.Errorf("k = %d, limb %d: packed bytes differ", k, l)
			}
		}
	}
}

func TestUniformDropsValuesNotBelowThePrime(t *testing.T) {
	q := Std4096().Q[0]
	words := []uint64{q, q - 1, 1<<53 - 1, 1 << 53, ^uint64(0), 5}
	var b []byte
	for _, w := range words {
		for i := range 8 {
			b = append(b, byte(w>>(8*i)))
		}
	}
	got := make([]uint64, 3)
	if err := uniform(io.MultiReader(bytes.NewReader(b), sha3.NewSHAKE128()), got, q); err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{q - 1, 0, 5} {
		if got[i] != want {
			t.Errorf("value %d = %d, want %d", i, got[i], want)
		}
	}
}

func TestTernaryOfEveryByte(t *testing.T) {
	// 0xE4 holds the groups 0, 1, 2, 3: three values are kept.
	b := bytes.Repeat([]byte{0xE4}, ternaryChunk)
	got := make([]int8, 6)
	if err := ternary(bytes.NewReader(b), got); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int8{0, 1, -1, 0, 1, -1} {
		if got[i] != want {
			t.Errorf("value %d = %d, want %d", i, got[i], want)
		}
	}
}

func TestSamplersReportAnEndOfRandomness(t *testing.T) {
	c := tiny(t, 16)
	short := func() io.Reader { return bytes.NewReader(make([]byte, 5)) }
	if err := ternary(short(), make([]int8, 16)); err == nil {
		t.Error("ternary accepted 5 bytes")
	}
	if err := centred(short(), make([]int8, 16)); err == nil {
		t.Error("centred accepted 5 bytes")
	}
	if err := uniform(short(), make([]uint64, 16), c.params.Q[0]); err == nil {
		t.Error("uniform accepted 5 bytes")
	}
	if err := c.smudge(short(), c.newPoly(), 16); err == nil {
		t.Error("smudge accepted 5 bytes")
	}
	c.rand = short()
	if _, err := c.NewQuerierKey(1); err == nil {
		t.Error("NewQuerierKey accepted 5 bytes")
	}
}
