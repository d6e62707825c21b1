package he

import (
	"fmt"

	"github.com/ldsec/lattigo/v2/ring"
)

// field is arithmetic in Z_Q[X]/(X^N+1), one limb per prime. It is read-only
// after newField and safe for concurrent use.
//
// This file is the only one that imports the lattice library. Only polynomials
// that this package made or parsed reach it: full length, residues below q.
type field struct {
	r *ring.Ring
	q [2]uint64
}

func newField(n int, q [2]uint64) (*field, error) {
	r, err := ring.NewRing(n, q[:])
	if err != nil {
		return nil, fmt.Errorf("set up ring of degree %d: %w", n, err)
	}
	return &field{r: r, q: q}, nil
}

// lib shows p to the library, without copying.
func lib(p *poly) *ring.Poly { return &ring.Poly{Coeffs: p[:]} }

// ntt transforms p in place: coefficients to evaluations.
func (f *field) ntt(p *poly) { v := lib(p); f.r.NTT(v, v) }

// invNTT transforms p in place: evaluations to coefficients.
func (f *field) invNTT(p *poly) { v := lib(p); f.r.InvNTT(v, v) }

// toKey brings p from coefficients to the form in which keys are kept: NTT and
// Montgomery, so that mul by it needs no further conversion.
func (f *field) toKey(p *poly) {
	v := lib(p)
	f.r.NTT(v, v)
	f.r.MForm(v, v)
}

// mul sets out = key · x, evaluation-wise; key in key form, x in NTT form.
func (f *field) mul(key, x, out *poly) { f.r.MulCoeffsMontgomery(lib(key), lib(x), lib(out)) }

// add sets out = x + y; both in the same form.
func (f *field) add(x, y, out *poly) { f.r.Add(lib(x), lib(y), lib(out)) }

// sub sets out = x - y; both in the same form.
func (f *field) sub(x, y, out *poly) { f.r.Sub(lib(x), lib(y), lib(out)) }

// mont returns x in Montgomery form modulo prime l; x < q.
func (f *field) mont(l int, x uint64) uint64 { return ring.MForm(x, f.q[l], f.r.BredParams[l]) }

// mulMont returns x·y mod prime l for y in Montgomery form; x < 2^64, y < q.
func (f *field) mulMont(l int, x, y uint64) uint64 { return ring.MRed(x, y, f.q[l], f.r.MredParams[l]) }

// reduce returns x mod prime l, for any x.
func (f *field) reduce(l int, x uint64) uint64 { return ring.BRedAdd(x, f.q[l], f.r.BredParams[l]) }

// inverse returns x^-1 mod prime l in Montgomery form, by Fermat; x public.
func (f *field) inverse(l int, x uint64) uint64 {
	base, out := f.mont(l, f.reduce(l, x)), f.mont(l, 1)
	for e := f.q[l] - 2; e > 0; e >>= 1 {
		if e&1 == 1 {
			out = f.mulMont(l, out, base)
		}
		base = f.mulMont(l, base, base)
	}
	return out
}
