//go:build amd64 || arm64

package he

import (
	"math/rand/v2"
	"testing"

	"github.com/ldsec/lattigo/v2/bfv"
	"github.com/ldsec/lattigo/v2/rlwe"
)

// The library's own BFV serves as an oracle, on 64-bit machines only: on 32-bit
// its decryption is wrong.

func bfvParams(t testing.TB) bfv.Parameters {
	t.Helper()
	p := Std4096()
	params, err := bfv.NewParametersFromLiteral(bfv.ParametersLiteral{
		LogN: 12, Q: p.Q[:], P: []uint64{}, Sigma: 3.2, T: p.T,
	})
	if err != nil {
		t.Fatal(err)
	}
	return params
}

// bfvKeys shows our key pair to the library: secret in NTT and Montgomery form,
// public key in NTT form.
func bfvKeys(c *Context, s *poly, pk *PublicKey) (*rlwe.SecretKey, *rlwe.PublicKey) {
	sk, pub := new(rlwe.SecretKey), new(rlwe.PublicKey)
	sk.Value.Q = lib(s.clone())
	for i, p := range []*poly{pk.b.clone(), pk.a.clone()} {
		v := lib(p)
		c.f.r.InvMForm(v, v)
		pub.Value[i].Q = v
	}
	return sk, pub
}

func randomMessage(r *rand.Rand, k int) ([]uint16, []uint64) {
	m, wide := make([]uint16, k), make([]uint64, k)
	for i := range m {
		m[i] = uint16(r.UintN(1 << LimbBits))
		wide[i] = uint64(m[i])
	}
	return m, wide
}

func TestLibraryDecryptsOurCiphertext(t *testing.T) {
	c, params := std(t), bfvParams(t)
	s, pk := katKey(t, c)
	sk, _ := bfvKeys(c, s, pk)
	e, err := c.NewEncryptor(pk, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, want := randomMessage(rand.New(rand.NewPCG(1, 1)), 4096)
	ct, _, err := e.Encrypt(m)
	if err != nil {
		t.Fatal(err)
	}
	theirs := bfv.NewCiphertext(params, 1)
	theirs.Value[0].Coeffs, theirs.Value[1].Coeffs = ct.c0[:], ct.c1[:]
	pt := bfv.NewPlaintext(params)
	bfv.NewDecryptor(params, sk).Decrypt(theirs, pt)
	got := bfv.NewPlaintextRingT(params)
	bfv.NewEncoder(params).ScaleDown(pt, got)
	for i, w := range want {
		if g := got.Value.Coeffs[0][i] % c.params.T; g != w { // the library returns t for 0
			t.Fatalf("coefficient %d = %d, want %d", i, g, w)
		}
	}
}

func TestWeDecryptTheLibrarysCiphertext(t *testing.T) {
	c, params := std(t), bfvParams(t)
	s, pk := katKey(t, c)
	_, pub := bfvKeys(c, s, pk)
	_, want := randomMessage(rand.New(rand.NewPCG(2, 2)), 4096)
	rt, pt := bfv.NewPlaintextRingT(params), bfv.NewPlaintext(params)
	copy(rt.Value.Coeffs[0], want)
	bfv.NewEncoder(params).ScaleUp(rt, pt)
	ct := bfv.NewCiphertext(params, 1)
	bfv.NewFastEncryptor(params, pub).Encrypt(pt, ct)
	c0, c1 := &poly{}, &poly{}
	copy(c0[:], ct.Value[0].Coeffs)
	copy(c1[:], ct.Value[1].Coeffs)
	for l, q := range c.params.Q { // its Gaussian sampler leaves residues equal to q
		for i := range c0[l] {
			c0[l][i] %= q
			c1[l][i] %= q
		}
	}
	for i, got := range c.decode(c.phase(c0, c1, s), 4096) {
		if uint64(got) != want[i] {
			t.Fatalf("coefficient %d = %d, want %d", i, got, want[i])
		}
	}
}
