package he

import (
	"math/big"
	"testing"
)

// bigQ returns Q, and big its CRT reconstruction of one coefficient: the slow
// and obvious arithmetic that the tests hold the fast one against.
func (c *Context) bigQ() *big.Int {
	return new(big.Int).Mul(new(big.Int).SetUint64(c.params.Q[0]), new(big.Int).SetUint64(c.params.Q[1]))
}

// value returns coefficient i of p in [0, Q).
func (c *Context) value(p *poly, i int) *big.Int {
	q0, q1 := new(big.Int).SetUint64(c.params.Q[0]), new(big.Int).SetUint64(c.params.Q[1])
	x0, x1 := new(big.Int).SetUint64(p[0][i]), new(big.Int).SetUint64(p[1][i])
	h := new(big.Int).Sub(x1, x0)
	h.Mul(h, new(big.Int).ModInverse(q0, q1)).Mod(h, q1)
	return x0.Add(x0, h.Mul(h, q0))
}

// signed returns coefficient i of p in (-Q/2, Q/2].
func (c *Context) signed(p *poly, i int) *big.Int {
	x, q := c.value(p, i), c.bigQ()
	if x.Cmp(new(big.Int).Rsh(q, 1)) > 0 {
		x.Sub(x, q)
	}
	return x
}

// setValue sets coefficient i of p to v modulo Q.
func (c *Context) setValue(p *poly, i int, v *big.Int) {
	for l, q := range c.params.Q {
		p[l][i] = new(big.Int).Mod(v, new(big.Int).SetUint64(q)).Uint64()
	}
}

func (c *Context) delta() *big.Int {
	return new(big.Int).Quo(c.bigQ(), new(big.Int).SetUint64(c.params.T))
}

// phase returns c0 + c1·s, s in key form: what decryption with a key that no
// exported function gives would see.
func (c *Context) phase(c0, c1, s *poly) *poly {
	x := c1.clone()
	c.f.ntt(x)
	c.f.mul(s, x, x)
	c.f.invNTT(x)
	for l, q := range c.params.Q {
		addInto(x[l], c0[l], q)
	}
	return x
}

// noise returns x - Delta·m as signed integers.
func (c *Context) noise(x *poly, m []uint16) []*big.Int {
	out := make([]*big.Int, c.params.N)
	d := c.newPoly()
	for i := range out {
		v := c.value(x, i)
		if i < len(m) {
			v.Sub(v, new(big.Int).Mul(c.delta(), big.NewInt(int64(m[i]))))
		}
		c.setValue(d, i, v)
		out[i] = c.signed(d, i)
	}
	return out
}

// tiny is Std4096 with a small ring: insecure, fast, for fuzzing and properties.
func tiny(t testing.TB, n int) *Context {
	t.Helper()
	p := Std4096()
	p.Name, p.N = "test", n
	p.ID = p.computeID()
	c, err := newContext(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bigInt(v int64) *big.Int { return big.NewInt(v) }
