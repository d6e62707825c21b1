//go:build amd64 || arm64

package he

import (
	"crypto/rand"
	"crypto/sha512"
	"math/big"
	"testing"

	"filippo.io/edwards25519"
	"github.com/ldsec/lattigo/v2/bfv"
	"github.com/ldsec/lattigo/v2/rlwe"
)

// Other ways to add 64 encrypted statistics, written small, for the benchmark
// only: the library's BFV with the same modulus, Paillier with statistics packed
// into the message, and ElGamal on edwards25519 with messages in the exponent.

func BenchmarkPeerLattigo(b *testing.B) {
	c, params := std(b), bfvParams(b)
	s, pk := katKey(b, c)
	sk, pub := bfvKeys(c, s, pk)
	dec, coder := bfv.NewDecryptor(params, sk), bfv.NewEncoder(params)
	rt, pt := bfv.NewPlaintextRingT(params), bfv.NewPlaintext(params)
	for i, v := range benchMessage(256) {
		rt.Value.Coeffs[0][i] = uint64(v)
	}
	coder.ScaleUp(rt, pt)
	ct := bfv.NewCiphertext(params, 1)
	fast := bfv.NewFastEncryptor(params, pub)
	b.Run("encrypt", func(b *testing.B) {
		for b.Loop() {
			coder.ScaleUp(rt, pt)
			fast.Encrypt(pt, ct)
		}
		b.ReportMetric(131081, "bytes/op")
	})
	fast.Encrypt(pt, ct)
	b.Run("add", func(b *testing.B) {
		sum := ct.CopyNew()
		eval := bfv.NewEvaluator(params, rlwe.EvaluationKey{})
		for b.Loop() {
			eval.Add(sum, ct, sum)
		}
	})
	b.Run("decrypt", func(b *testing.B) {
		out, rt := bfv.NewPlaintext(params), bfv.NewPlaintextRingT(params)
		for b.Loop() {
			dec.Decrypt(ct, out)
			coder.ScaleDown(out, rt)
		}
	})
}

// paillier is the scheme of Paillier (Eurocrypt 1999) with g = n+1, decrypting
// by the Chinese remainder theorem (section 7).
type paillier struct {
	n, n2  *big.Int
	prime  [2]*big.Int
	square [2]*big.Int // of the primes
	h      [2]*big.Int // L_p(g^(p-1) mod p^2)^-1 mod p
	crt    *big.Int    // p0^-1 mod p1
}

func newPaillier(b *testing.B, bits int) *paillier {
	b.Helper()
	k := new(paillier)
	for i := range k.prime {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			b.Fatal(err)
		}
		k.prime[i], k.square[i] = p, new(big.Int).Mul(p, p)
	}
	k.n = new(big.Int).Mul(k.prime[0], k.prime[1])
	k.n2 = new(big.Int).Mul(k.n, k.n)
	g := new(big.Int).Add(k.n, big.NewInt(1))
	for i, p := range k.prime {
		k.h[i] = new(big.Int).ModInverse(k.root(i, g), p)
	}
	k.crt = new(big.Int).ModInverse(k.prime[0], k.prime[1])
	return k
}

// root returns L_p(x^(p-1) mod p^2) = (that - 1) / p.
func (k *paillier) root(i int, x *big.Int) *big.Int {
	p := k.prime[i]
	y := new(big.Int).Exp(x, new(big.Int).Sub(p, big.NewInt(1)), k.square[i])
	return y.Sub(y, big.NewInt(1)).Div(y, p)
}

// encrypt returns (1 + m·n)·r^n mod n^2.
func (k *paillier) encrypt(m *big.Int) *big.Int {
	r, err := rand.Int(rand.Reader, k.n)
	if err != nil {
		panic(err)
	}
	c := r.Exp(r, k.n, k.n2)
	g := new(big.Int).Mul(m, k.n)
	return c.Mul(c, g.Add(g, big.NewInt(1))).Mod(c, k.n2)
}

func (k *paillier) decrypt(c *big.Int) *big.Int {
	var m [2]*big.Int
	for i, p := range k.prime {
		m[i] = k.root(i, c)
		m[i].Mul(m[i], k.h[i]).Mod(m[i], p)
	}
	d := m[1].Sub(m[1], m[0])
	d.Mul(d, k.crt).Mod(d, k.prime[1])
	return d.Mul(d, k.prime[0]).Add(d, m[0])
}

func benchPaillier(b *testing.B, bits int) {
	k := newPaillier(b, bits)
	// Sums of 65,535 values of 48 bits need 64 bits each.
	perCiphertext := (bits - 1) / 64
	count := (64 + perCiphertext - 1) / perCiphertext
	m := new(big.Int)
	for i := range perCiphertext {
		m.Or(m.Lsh(m, 64), big.NewInt(int64(i)<<40|12345))
	}
	cs := make([]*big.Int, count)
	b.Run("encrypt", func(b *testing.B) {
		for b.Loop() {
			for i := range cs {
				cs[i] = k.encrypt(m)
			}
		}
		b.ReportMetric(float64(count*bits/4), "bytes/op")
	})
	for i := range cs {
		cs[i] = k.encrypt(m)
	}
	b.Run("add", func(b *testing.B) {
		sum := new(big.Int).Set(cs[0])
		for b.Loop() {
			for _, c := range cs {
				sum.Mul(sum, c).Mod(sum, k.n2)
			}
		}
	})
	b.Run("decrypt", func(b *testing.B) {
		for b.Loop() {
			for _, c := range cs {
				if k.decrypt(c).Cmp(m) != 0 {
					b.Fatal("wrong plaintext")
				}
			}
		}
	})
}

func BenchmarkPeerPaillier2048(b *testing.B) { benchPaillier(b, 2048) }
func BenchmarkPeerPaillier3072(b *testing.B) { benchPaillier(b, 3072) }

// BenchmarkPeerElGamal encrypts 64 messages below 60,000; it cannot open 48-bit
// sums at all, since decryption searches for the discrete logarithm.
func BenchmarkPeerElGamal(b *testing.B) {
	const limit = 60000
	secret := elScalar("secret")
	public := new(edwards25519.Point).ScalarBaseMult(secret)
	type pair struct{ r, c *edwards25519.Point }
	encrypt := func(m uint64, i int) pair {
		r := elScalar(string(rune(i)))
		c := new(edwards25519.Point).ScalarMult(r, public)
		return pair{new(edwards25519.Point).ScalarBaseMult(r), c.Add(c, new(edwards25519.Point).ScalarBaseMult(elNumber(m)))}
	}
	cs := make([]pair, 64)
	b.Run("encrypt", func(b *testing.B) {
		for b.Loop() {
			for i := range cs {
				cs[i] = encrypt(uint64(i*900), i)
				cs[i].r.Bytes()
				cs[i].c.Bytes()
			}
		}
		b.ReportMetric(64*64, "bytes/op")
	})
	for i := range cs {
		cs[i] = encrypt(uint64(i*900), i)
	}
	b.Run("add", func(b *testing.B) {
		sum := encrypt(0, 1)
		for b.Loop() {
			for _, c := range cs {
				sum.r.Add(sum.r, c.r)
				sum.c.Add(sum.c, c.c)
			}
		}
	})
	b.Run("decrypt", func(b *testing.B) {
		table := elTable(limit)
		b.ResetTimer()
		for b.Loop() {
			for i, c := range cs {
				p := new(edwards25519.Point).ScalarMult(secret, c.r)
				p.Subtract(c.c, p)
				if m, ok := table[[32]byte(p.Bytes())]; !ok || m != uint32(i*900) {
					b.Fatal("wrong plaintext")
				}
			}
		}
	})
}

func elScalar(label string) *edwards25519.Scalar {
	h := sha512.Sum512([]byte(label))
	s, err := new(edwards25519.Scalar).SetUniformBytes(h[:])
	if err != nil {
		panic(err)
	}
	return s
}

func elNumber(m uint64) *edwards25519.Scalar {
	var b [32]byte
	for i := range 8 {
		b[i] = byte(m >> (8 * i))
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(b[:])
	if err != nil {
		panic(err)
	}
	return s
}

// elTable maps m·B to m for every message: memory for time.
func elTable(limit int) map[[32]byte]uint32 {
	t := make(map[[32]byte]uint32, limit)
	p := edwards25519.NewIdentityPoint()
	for m := range limit {
		t[[32]byte(p.Bytes())] = uint32(m)
		p.Add(p, edwards25519.NewGeneratorPoint())
	}
	return t
}
