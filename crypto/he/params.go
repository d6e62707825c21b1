package he

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
)

// Digest is a SHA-256 value.
type Digest = [32]byte

const (
	// MaxSummands is the largest number of ciphertexts in one sum:
	// 65,535 · 4,095 = 268,365,825 < T.
	MaxSummands = 65535

	// MaxOpenings is the number of openings, re-issues included, of one key
	// epoch. Smudging losses add up: 256 of them cost 8 bits.
	MaxOpenings = 256

	// LimbBits is the width of a plaintext value: values are below 1<<LimbBits.
	LimbBits = 12

	cbdBits    = 21 // centred binomial parameter: |e| <= 21, variance 10.5
	smudgeBits = 72 // smudging is uniform in [-2^72, 2^72)
	wordBits   = 53 // both primes lie just below 2^53
)

// Params is one set of lattice parameters. The set in use is compiled in; a
// configuration only names it by ID.
type Params struct {
	Name  string
	N     int       // ring degree: coefficients of a polynomial
	Q     [2]uint64 // ciphertext primes, 53 bits each, 1 mod 2N
	T     uint64    // plaintext modulus, prime
	Delta [2]uint64 // floor(Q0·Q1/T), high and low word; even
	ID    Digest    // SHA-256 of the text that describes all of the above
}

// Std4096 returns the parameter set of statnet: 128-bit classical security by
// the tables of ePrint 2019/939 (log2 Q <= 109) and ePrint 2024/463 (<= 106).
func Std4096() Params {
	return Params{
		Name:  "Std4096",
		N:     4096,
		Q:     [2]uint64{9007199254429697, 9007199254364161},
		T:     268582913,
		Delta: [2]uint64{16375, 90000082488475342},
		ID:    mustDigest("057929a0c0e338b2740b72688e0a571e7b1cdfc08d88b0fada9ac40f52b034e8"),
	}
}

// check recomputes everything that follows from N, Q and T, so that a typing
// error in a compiled-in set cannot become a wrong result.
func (p Params) check() error {
	if p.N < 16 || p.N > 1<<16 || p.N&(p.N-1) != 0 {
		return fmt.Errorf("parameters %s: N = %d: %w", p.Name, p.N, ErrParams)
	}
	q := big.NewInt(1)
	for _, ql := range p.Q {
		b := new(big.Int).SetUint64(ql)
		if !b.ProbablyPrime(32) || b.BitLen() != wordBits || (ql-1)%uint64(2*p.N) != 0 {
			return fmt.Errorf("parameters %s: prime %d: %w", p.Name, ql, ErrParams)
		}
		q.Mul(q, b)
	}
	t := new(big.Int).SetUint64(p.T)
	if !t.ProbablyPrime(32) || p.T <= MaxSummands*(1<<LimbBits-1) || p.T >= 1<<29 {
		return fmt.Errorf("parameters %s: T = %d: %w", p.Name, p.T, ErrParams)
	}
	delta := new(big.Int).Quo(q, t)
	got := new(big.Int).SetUint64(p.Delta[0])
	got.Lsh(got, 64).Add(got, new(big.Int).SetUint64(p.Delta[1]))
	if delta.Cmp(got) != 0 || delta.Bit(0) != 0 || delta.BitLen() != 78 {
		return fmt.Errorf("parameters %s: Delta = %v, computed %v: %w", p.Name, got, delta, ErrParams)
	}
	if id := p.computeID(); id != p.ID {
		return fmt.Errorf("parameters %s: id %x, computed %x: %w", p.Name, p.ID, id, ErrParams)
	}
	return nil
}

func (p Params) computeID() Digest {
	return sha256.Sum256(fmt.Appendf(nil, "statnet/v1/params|%d|%d,%d|%d|%d|%d|%d",
		p.N, p.Q[0], p.Q[1], p.T, cbdBits, smudgeBits, LimbBits))
}

// mustDigest decodes a compiled-in constant.
func mustDigest(s string) (d Digest) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(d) {
		panic("he: compiled-in digest " + s)
	}
	copy(d[:], b)
	return d
}
