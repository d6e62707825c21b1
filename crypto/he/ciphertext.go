package he

import (
	"fmt"
	"math/bits"
)

// Ciphertext is an encrypted vector of K values, 108,592 bytes on the wire
// whatever K is. It is immutable until Destroy.
type Ciphertext struct {
	ctx    *Context
	epoch  uint64
	c0, c1 *poly // coefficients
}

// Epoch returns the key epoch.
func (t *Ciphertext) Epoch() uint64 { return t.epoch }

// Bytes encodes the ciphertext. The encoding is unique, so a parsed ciphertext
// gives the bytes that came.
func (t *Ciphertext) Bytes() []byte {
	n := t.ctx.params.N
	b := t.ctx.newMessage(KindCiphertext, t.epoch, 2*polySize(n))
	return appendPoly(appendPoly(b, t.c0, n), t.c1, n)
}

// Digest returns SHA-256 of Bytes. Who has the bytes calls DigestOf instead.
func (t *Ciphertext) Digest() Digest { return DigestOf(t.Bytes()) }

// Residues returns (c0, c1), for provers and verifiers.
func (t *Ciphertext) Residues() (c0, c1 Residues) { return t.c0.residues(), t.c1.residues() }

// Destroy clears a ciphertext that will not be published, for example because
// no proof could be made for it.
func (t *Ciphertext) Destroy() {
	t.c0.destroy()
	t.c1.destroy()
}

// ParseCiphertext reads a ciphertext of the given epoch. It does not check that
// anything sensible is encrypted: only a proof can.
func (c *Context) ParseCiphertext(epoch uint64, b []byte) (*Ciphertext, error) {
	body, err := c.body(KindCiphertext, epoch, noK, b)
	if err != nil {
		return nil, fmt.Errorf("parse ciphertext: %w", err)
	}
	t := &Ciphertext{ctx: c, epoch: epoch, c0: c.newPoly(), c1: c.newPoly()}
	half := polySize(c.params.N)
	for i, p := range []*poly{t.c0, t.c1} {
		if err := c.parsePoly(body[i*half:(i+1)*half], p, c.params.N); err != nil {
			return nil, fmt.Errorf("parse ciphertext, c%d: %w", i, err)
		}
	}
	return t, nil
}

// decode returns the first k plaintext coefficients of x = c0 + c1·s:
// m = floor((X + Delta/2) / Delta), with T mapped to 0.
func (c *Context) decode(x *poly, k int) []uint32 {
	out := make([]uint32, k)
	for i := range out {
		out[i] = c.decodeOne(x[0][i], x[1][i])
	}
	return out
}

// decodeOne works on 128 bits in two words and never on int, so it is right on
// 32-bit machines. X < 2^106 by the Chinese remainder theorem; the quotient is
// estimated from the top bits of X and Delta and then corrected by comparing.
func (c *Context) decodeOne(x0, x1 uint64) uint32 {
	q := c.params.Q
	diff := addMod(c.f.reduce(1, x1), q[1]-c.f.reduce(1, x0), q[1])
	h := c.f.mulMont(1, diff, c.q0Inv)
	hi, lo := bits.Mul64(q[0], h)
	lo, carry := bits.Add64(lo, x0, 0)
	hi, _ = bits.Add64(hi, 0, carry)
	lo, carry = bits.Add64(lo, c.half[1], 0)
	hi, _ = bits.Add64(hi, c.half[0], carry)

	delta := c.params.Delta
	m := (hi<<17 | lo>>47) / (delta[0]<<17 | delta[1]>>47)
	for c.exceeds(m, hi, lo) { // at most one step too high
		m--
	}
	if m == c.params.T {
		return 0
	}
	return uint32(m)
}

// exceeds reports whether m·Delta > (hi, lo).
func (c *Context) exceeds(m, hi, lo uint64) bool {
	ph, pl := bits.Mul64(m, c.params.Delta[1])
	ph += m * c.params.Delta[0]
	return ph > hi || ph == hi && pl > lo
}
