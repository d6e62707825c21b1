package he

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/bits"
	"sync"
)

// Context holds the tables of one parameter set. It is immutable, built once
// per process and safe for concurrent use; every object of this package is made
// or parsed through it.
type Context struct {
	params Params
	f      *field

	half      [2]uint64 // Delta/2, high and low word
	deltaMont [2]uint64 // Delta modulo each prime, Montgomery form
	q0Inv     uint64    // q0^-1 modulo q1, Montgomery form
	pow32     [2]uint64 // 2^32 modulo each prime, Montgomery form
	pow64     [2]uint64 // 2^64 modulo each prime, Montgomery form
	negSmudge [2]uint64 // q - (2^72 mod q)

	rand    io.Reader // crypto/rand, but for tests with known answers
	scratch sync.Pool // *poly, cleared before they are put back
}

// New checks p and builds its tables (about half a millisecond). It accepts
// the compiled-in parameter sets only.
func New(p Params) (*Context, error) {
	if p != Std4096() {
		return nil, fmt.Errorf("parameters %q with id %x: %w", p.Name, p.ID, ErrParams)
	}
	return newContext(p)
}

// newContext is New for any consistent set; tests use small N.
func newContext(p Params) (*Context, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	f, err := newField(p.N, p.Q)
	if err != nil {
		return nil, err
	}
	c := &Context{params: p, f: f, rand: rand.Reader}
	c.scratch.New = func() any { return c.newPoly() }
	c.half = [2]uint64{p.Delta[0] >> 1, p.Delta[1]>>1 | p.Delta[0]<<63}
	c.q0Inv = f.inverse(1, p.Q[0])
	for l, q := range p.Q {
		c.deltaMont[l] = f.mont(l, bits.Rem64(p.Delta[0], p.Delta[1], q))
		c.pow32[l] = f.mont(l, 1<<32)
		c.pow64[l] = f.mont(l, bits.Rem64(1, 0, q))
		c.negSmudge[l] = q - bits.Rem64(1<<(smudgeBits-64), 0, q)
	}
	return c, nil
}

// Params returns the parameter set, ID included.
func (c *Context) Params() Params { return c.params }

// ID returns the params id that every header carries.
func (c *Context) ID() Digest { return c.params.ID }

// checkK says whether k coefficients make sense.
func (c *Context) checkK(k int) error {
	if k < 1 || k > c.params.N {
		return kError(k, c.params.N)
	}
	return nil
}

// temp returns a polynomial with arbitrary content; release clears it.
func (c *Context) temp() *poly { return c.scratch.Get().(*poly) }

func (c *Context) release(ps ...*poly) {
	for _, p := range ps {
		p.destroy()
		c.scratch.Put(p)
	}
}
