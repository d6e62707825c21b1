package he

import (
	"crypto/sha256"
	"crypto/sha3"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"slices"
	"testing"
)

// The known answers were computed by an independent program on big integers
// (decode boundaries and smudge residues by hand). X("label") is sampler X fed
// with SHAKE128("statnet/v1/kat|label"). Hashes: first 16 bytes of SHA-256.

func katReader(label string) io.Reader {
	x := sha3.NewSHAKE128()
	io.WriteString(x, "statnet/v1/kat|"+label)
	return x
}

func katTernary(t testing.TB, c *Context, label string) []int8 {
	t.Helper()
	v := make([]int8, c.params.N)
	if err := ternary(katReader(label), v); err != nil {
		t.Fatal(err)
	}
	return v
}

func katCentred(t testing.TB, c *Context, label string) []int8 {
	t.Helper()
	v := make([]int8, c.params.N)
	if err := centred(katReader(label), v); err != nil {
		t.Fatal(err)
	}
	return v
}

func std(t testing.TB) *Context {
	t.Helper()
	c, err := New(Std4096())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func short16(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:16])
}

func int8Bytes(v []int8) []byte {
	b := make([]byte, len(v))
	for i, x := range v {
		b[i] = byte(x)
	}
	return b
}

func wantString(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %s, want %s", what, got, want)
	}
}

func TestKnownAnswerHash(t *testing.T) {
	d := hashFields("test", []byte("abc"), nil)
	wantString(t, `H("test"; "abc", "")`, hex.EncodeToString(d[:16]), "1145d219b0357bdfe28ddf948b554621")
}

func TestKnownAnswerParams(t *testing.T) {
	p := Std4096()
	id := p.computeID()
	wantString(t, "params id", hex.EncodeToString(id[:]), "057929a0c0e338b2740b72688e0a571e7b1cdfc08d88b0fada9ac40f52b034e8")
	q := new(big.Int).Mul(new(big.Int).SetUint64(p.Q[0]), new(big.Int).SetUint64(p.Q[1]))
	wantString(t, "Q", q.String(), "81129638408408593701538410889217")
	quo, rem := new(big.Int).QuoRem(q, new(big.Int).SetUint64(p.T), new(big.Int))
	wantString(t, "Delta", quo.String(), "302065524207076396187342")
	wantString(t, "Q mod t", rem.String(), "2801971")
}

func TestKnownAnswerUniform(t *testing.T) {
	c := std(t)
	p := c.expandUniform("test", []byte("seed"))
	got := fmt.Sprint(p[0][0], p[0][1], p[1][0])
	wantString(t, "residues", got, "1632123459534335 525892505002594 7571685908377107")
	wantString(t, "Poly(1)", hex.EncodeToString(appendPoly(nil, p, 1)), "fffd085b68cc05136eeb8068e61a")
	wantString(t, "Poly(4096)", short16(appendPoly(nil, p, 4096)), "d9dfaa7584a89ce51ab91f8512fa9091")

	x := c.expandUniform("test", []byte("seed2"))
	c.f.toKey(x)
	c.f.ntt(p)
	c.f.mul(x, p, p)
	c.f.invNTT(p)
	wantString(t, "product", short16(appendPoly(nil, p, 4096)), "9c5660decc9b5d4eb2ff4eb3e5c3d639")
}

func TestKnownAnswerDecode(t *testing.T) {
	c := std(t)
	m := c.decode(c.expandUniform("test", []byte("seed")), 4096)
	wantString(t, "first values", fmt.Sprint(m[:4]), "[150998626 65962128 156467787 177237491]")
	var b []byte
	for _, v := range m {
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	wantString(t, "all values", short16(b), "98e554b83f8e1d239ae72a64bc4a6d68")
}

func TestKnownAnswerSamplers(t *testing.T) {
	c := std(t)
	v := katTernary(t, c, "ternary")
	wantString(t, "ternary", fmt.Sprint(v[:16]), "[-1 -1 1 -1 1 -1 0 1 -1 -1 -1 1 -1 1 1 0]")
	wantString(t, "ternary hash", short16(int8Bytes(v)), "8921f8810eed1e16672ce562dfa445fc")
	v = katCentred(t, c, "cbd")
	wantString(t, "CBD", fmt.Sprint(v[:16]), "[0 0 0 1 -1 1 -7 -7 -3 -2 5 2 10 -7 1 0]")
	wantString(t, "CBD hash", short16(int8Bytes(v)), "44f382de77e8ac61674edeaa9a3c31c4")

	p := c.newPoly()
	if err := c.smudge(katReader("smudge"), p, 256); err != nil {
		t.Fatal(err)
	}
	wantString(t, "smudge 0", c.signed(p, 0).String(), "-1335818498490021943423")
	wantString(t, "smudge 1", c.signed(p, 1).String(), "-2020874678429365419477")
	wantString(t, "smudge hash", short16(appendPoly(nil, p, 256)), "ec45928fe16e624cf3cbbece16ef145c")
}

func TestKnownAnswerSmudgeResidues(t *testing.T) {
	c := std(t)
	for _, tt := range []struct {
		name   string
		lo, hi uint64
		want   [2]uint64
	}{
		{"smallest", 0, 0, [2]uint64{9007036046196737, 9007001686392833}},
		{"zero", 0, 1 << 8, [2]uint64{0, 0}},
		{"largest", 1<<64 - 1, 1<<9 - 1, [2]uint64{163208232959, 197567971327}},
		{"bits above 73 are ignored", 1<<64 - 1, 1<<64 - 1, [2]uint64{163208232959, 197567971327}},
	} {
		for l, want := range tt.want {
			if got := c.smudgeResidue(l, tt.lo, tt.hi); got != want {
				t.Errorf("%s: residue modulo q%d = %d, want %d", tt.name, l, got, want)
			}
		}
	}
}

// katKey is the known-answer key pair under which ciphertext and share are made.
func katKey(t testing.TB, c *Context) (s *poly, pk *PublicKey) {
	t.Helper()
	a := c.expandUniform("ckg", []byte("kat"))
	aKey := a.clone()
	c.f.toKey(aKey)
	s, b := c.keyPair(&KeyWitness{S: katTernary(t, c, "s"), E: katCentred(t, c, "e")}, aKey)
	pk = &PublicKey{ctx: c, wire: b, b: b.clone(), a: aKey}
	c.f.toKey(pk.b)
	return s, pk
}

func katMessage() []uint16 {
	m := make([]uint16, 256)
	for i := range m {
		m[i] = uint16(16 * i)
	}
	m[255] = 4095
	return m
}

func katCiphertext(t testing.TB, c *Context, pk *PublicKey) *Ciphertext {
	t.Helper()
	w := &Witness{U: katTernary(t, c, "u"), E0: katCentred(t, c, "e0"), E1: katCentred(t, c, "e1")}
	ct := c.encryptWith(pk, w)
	c.addMessage(ct.c0, katMessage())
	return ct
}

func TestKnownAnswerKeyAndCiphertext(t *testing.T) {
	c := std(t)
	s, pk := katKey(t, c)
	wantString(t, "b[0] mod q0", fmt.Sprint(pk.wire[0][0]), "6855139668684064")
	wantString(t, "b", short16(appendPoly(nil, pk.wire, 4096)), "79f8295b06f819c0bd01376c4b4257b6")

	ct := katCiphertext(t, c, pk)
	wantString(t, "ciphertext body", short16(ct.Bytes()[headerSize:]), "b8be640840e97f14e3076eabf7e0fba2")

	x := c.phase(ct.c0, ct.c1, s)
	noise := c.noise(x, katMessage())
	wantString(t, "noise", fmt.Sprint(noise[:3]), "[-33 115 -209]")
	largest := new(big.Int)
	for _, e := range noise {
		if e.CmpAbs(largest) > 0 {
			largest.Abs(e)
		}
	}
	wantString(t, "largest noise", largest.String(), "884")
}

func TestKnownAnswerShare(t *testing.T) {
	c := std(t)
	s, pk := katKey(t, c)
	ct := katCiphertext(t, c, pk)

	a := c.expandUniform("querier", []byte("kat"))
	aKey := a.clone()
	c.f.toKey(aKey)
	sq, bq := c.keyPair(&KeyWitness{S: katTernary(t, c, "sq"), E: katCentred(t, c, "eq")}, aKey)
	m := &mask{v: katTernary(t, c, "v"), e: katCentred(t, c, "e'"), esm: c.newPoly().head(256)}
	if err := c.smudge(katReader("smudge"), m.esm, 256); err != nil {
		t.Fatal(err)
	}
	h0, h1 := c.switchKey(s, ct.c1, aKey, bq, m)
	body := appendPoly(appendPoly(nil, h0, 256), h1, 4096)
	wantString(t, "share body", short16(body), "e696b55a51e9c7f5c6278325755ffe96")

	for l, q := range c.params.Q {
		addInto(h0[l], ct.c0[l], q)
	}
	got := c.decode(c.phase(h0, h1, sq), 256)
	want := make([]uint32, 256)
	for i, v := range katMessage() {
		want[i] = uint32(v)
	}
	if !slices.Equal(got, want) {
		t.Errorf("share decrypts to %v..., want %v...", got[:4], want[:4])
	}
}
