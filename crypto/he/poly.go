package he

import "slices"

// poly is a polynomial of N coefficients in residues modulo both primes.
type poly [2][]uint64

// Residues is a polynomial in the coefficient domain, each residue below its
// prime: the form in which provers and verifiers of proofs take it.
type Residues struct{ Q0, Q1 []uint64 }

func (c *Context) newPoly() *poly {
	return &poly{make([]uint64, c.params.N), make([]uint64, c.params.N)}
}

func (p *poly) residues() Residues {
	return Residues{Q0: slices.Clone(p[0]), Q1: slices.Clone(p[1])}
}

func (p *poly) clone() *poly { return &poly{slices.Clone(p[0]), slices.Clone(p[1])} }

func (p *poly) copyFrom(x *poly) {
	copy(p[0], x[0])
	copy(p[1], x[1])
}

func (p *poly) equal(x *poly) bool {
	return slices.Equal(p[0], x[0]) && slices.Equal(p[1], x[1])
}

// destroy clears p; nil is allowed, so that Destroy can run twice.
func (p *poly) destroy() {
	if p != nil {
		clear(p[0])
		clear(p[1])
	}
}

// head returns a view of the first k coefficients.
func (p *poly) head(k int) *poly { return &poly{p[0][:k], p[1][:k]} }

// setSmall sets p to the small signed values v, without branching on them.
func (p *poly) setSmall(v []int8, q [2]uint64) {
	for l := range p {
		dst, ql := p[l][:len(v)], q[l]
		for i, x := range v {
			s := int64(x)
			dst[i] = uint64(s) + ql&uint64(s>>63)
		}
	}
}

// addSmall adds the small signed values v to p, without branching on them.
func (p *poly) addSmall(v []int8, q [2]uint64) {
	for l := range p {
		dst, ql := p[l][:len(v)], q[l]
		for i, x := range v {
			s := int64(x)
			dst[i] = addMod(dst[i], uint64(s)+ql&uint64(s>>63), ql)
		}
	}
}

// addInto adds x to dst, both of the same length.
func addInto(dst, x []uint64, q uint64) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = addMod(dst[i], x[i], q)
	}
}

// addMod returns x+y mod q for x, y < q < 2^62, without a branch.
func addMod(x, y, q uint64) uint64 {
	s := x + y - q
	return s + q&uint64(int64(s)>>63)
}

// wipe clears the small values of a secret.
func wipe(vs ...[]int8) {
	for _, v := range vs {
		clear(v)
	}
}
