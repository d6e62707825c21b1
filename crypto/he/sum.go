package he

import (
	"crypto/sha256"
	"fmt"
)

// Sum adds ciphertexts as they come; its memory does not grow with their
// number. Not safe for concurrent use. Addition is deterministic and
// commutative: who adds the same ciphertexts gets the same hashes.
type Sum struct {
	ctx   *Context
	epoch uint64
	k     int
	n     int
	c0    *poly // first k coefficients
	c1    *poly
}

// NewSum returns an empty sum of which k coefficients will be opened.
func (c *Context) NewSum(epoch uint64, k int) (*Sum, error) {
	if err := c.checkK(k); err != nil {
		return nil, fmt.Errorf("new sum: %w", err)
	}
	return &Sum{
		ctx: c, epoch: epoch, k: k, c1: c.newPoly(),
		c0: &poly{make([]uint64, k), make([]uint64, k)},
	}, nil
}

// Add adds one ciphertext. It does not notice that the same one comes twice:
// the list of digests in the Opening must.
func (s *Sum) Add(t *Ciphertext) error {
	if t.ctx.params.ID != s.ctx.params.ID {
		return fmt.Errorf("add ciphertext %d: %w", s.n+1, ErrParams)
	}
	if t.epoch != s.epoch {
		return fmt.Errorf("add ciphertext %d of epoch %d, want %d: %w", s.n+1, t.epoch, s.epoch, ErrEpoch)
	}
	if s.n == MaxSummands {
		return fmt.Errorf("add ciphertext %d, at most %d: %w", s.n+1, MaxSummands, ErrTooMany)
	}
	for l, q := range s.ctx.params.Q {
		addInto(s.c0[l], t.c0[l], q)
		addInto(s.c1[l], t.c1[l], q)
	}
	s.n++
	return nil
}

// Count returns the number of ciphertexts added.
func (s *Sum) Count() int { return s.n }

// Hashes returns SHA-256(Poly(K) c0) and SHA-256(Poly(N) c1), the two hashes
// that an AGGREGATE record carries.
func (s *Sum) Hashes() (c0, c1 Digest) {
	return sha256.Sum256(s.C0()), sha256.Sum256(appendPoly(nil, s.c1, s.ctx.params.N))
}

// Digest returns the aggregate digest of this sum for a query.
func (s *Sum) Digest(query Digest) Digest {
	c0, c1 := s.Hashes()
	return s.ctx.AggregateDigest(s.epoch, query, s.k, c0, c1)
}

// AggregateDigest computes the aggregate digest from the hashes of a sum.
func (c *Context) AggregateDigest(epoch uint64, query Digest, k int, c0, c1 Digest) Digest {
	return hashFields("statnet/v1/agg", c.params.ID[:], be64(epoch), query[:], beInt(k), c0[:], c1[:])
}

// C0 encodes the first K coefficients of c0: all that the querier needs besides
// the shares, 3,392 bytes at K = 256. It is the bare polynomial, without a
// header, because its hash in the AGGREGATE record is over just that; the record
// says to which query and epoch it belongs.
func (s *Sum) C0() []byte { return appendPoly(nil, s.c0, s.k) }

// parseC0 reads the prefix of a sum and requires the hash that the ledger fixed.
func (c *Context) parseC0(k int, want Digest, b []byte) (*poly, error) {
	if len(b) != polySize(k) {
		return nil, fmt.Errorf("c0 of %d bytes, want %d: %w", len(b), polySize(k), ErrEncoding)
	}
	if got := sha256.Sum256(b); got != want {
		return nil, fmt.Errorf("c0 has hash %x, want %x: %w", got, want, ErrDigest)
	}
	p := &poly{make([]uint64, k), make([]uint64, k)}
	if err := c.parsePoly(b, p, k); err != nil {
		return nil, fmt.Errorf("parse c0: %w", err)
	}
	return p, nil
}
