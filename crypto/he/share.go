package he

import (
	"fmt"
	"slices"
)

// Share is one server's key-switch share for one opening. A reader of the
// ledger builds it from a KEYSWITCH record: server and digest from the record,
// context from the AGGREGATE record that it names, data from S1 or a verifier.
type Share struct {
	Server  int    // 1..n
	Context Digest // octx
	Digest  Digest // of Data, as recorded
	Data    []byte // encoded share, 57,712 bytes at K = 256
}

// makeShare computes h0 = (sigma·c1 + b_q·v)[0..K) + e_sm, h1 = a_q·v + e' with
// fresh v, e', e_sm. There is no smudging on h1: s_q would multiply it.
func (k *ServerKey) makeShare(o Opening, sum *Sum, to *QuerierPublicKey) ([]byte, error) {
	c := k.ctx
	sigma, err := k.sigma(o.Active)
	if err != nil {
		return nil, err
	}
	defer sigma.destroy()
	m, err := c.drawMask(o.K)
	if err != nil {
		return nil, err
	}
	defer m.destroy()
	a := c.expandUniform("querier", to.seed[:])
	c.f.toKey(a)
	h0, h1 := c.switchKey(sigma, sum.c1, a, to.b, m)
	b := c.newMessage(KindShare, o.Epoch, polySize(o.K)+polySize(c.params.N))
	return appendPoly(appendPoly(b, h0, o.K), h1, c.params.N), nil
}

// mask is the fresh randomness of one share.
type mask struct {
	hidden
	v, e []int8 // ternary and centred binomial
	esm  *poly  // smudging, first k coefficients
}

func (m *mask) destroy() {
	wipe(m.v, m.e)
	m.esm.destroy()
}

func (c *Context) drawMask(k int) (*mask, error) {
	m := &mask{v: make([]int8, c.params.N), e: make([]int8, c.params.N)}
	m.esm = &poly{make([]uint64, k), make([]uint64, k)}
	if err := ternary(c.rand, m.v); err != nil {
		return nil, err
	}
	if err := centred(c.rand, m.e); err != nil {
		return nil, err
	}
	return m, c.smudge(c.rand, m.esm, k)
}

// switchKey returns (h0, h1) in coefficients; only the first K of h0 carry
// smudging and may leave this package. Sigma and the querier's a are in key
// form, c1 and the querier's b in coefficients.
func (c *Context) switchKey(sigma, c1, a, bq *poly, m *mask) (h0, h1 *poly) {
	x, v, b := c.temp(), c.temp(), c.temp()
	defer c.release(x, v, b)
	h0, h1 = c.newPoly(), c.newPoly()

	x.copyFrom(c1)
	c.f.ntt(x)
	v.setSmall(m.v, c.params.Q)
	c.f.ntt(v)

	b.copyFrom(bq)
	c.f.toKey(b)
	c.f.mul(b, v, h0)
	c.f.mul(sigma, x, b)
	c.f.add(h0, b, h0)
	c.f.invNTT(h0)
	for l, q := range c.params.Q {
		addInto(h0[l][:len(m.esm[l])], m.esm[l], q)
	}

	c.f.mul(a, v, h1)
	c.f.invNTT(h1)
	h1.addSmall(m.e, c.params.Q)
	return h0, h1
}

// parseShare reads a share into h0 (k coefficients) and h1.
func (c *Context) parseShare(epoch uint64, k int, b []byte, h0, h1 *poly) error {
	body, err := c.body(KindShare, epoch, k, b)
	if err != nil {
		return err
	}
	n := polySize(k)
	if err := c.parsePoly(body[:n], h0, k); err != nil {
		return fmt.Errorf("h0: %w", err)
	}
	if err := c.parsePoly(body[n:], h1, c.params.N); err != nil {
		return fmt.Errorf("h1: %w", err)
	}
	return nil
}

// CheckShare says whether b is the canonical encoding of a share for k
// coefficients. Verifiers call it before they give a verdict; without a proof
// it says nothing about the share's value.
func (c *Context) CheckShare(epoch uint64, k int, b []byte) error {
	if _, err := c.body(KindShare, epoch, k, b); err != nil {
		return fmt.Errorf("parse share: %w", err)
	}
	h0, h1 := c.temp(), c.temp()
	defer c.release(h0, h1)
	if err := c.parseShare(epoch, k, b, h0, h1); err != nil {
		return fmt.Errorf("parse share: %w", err)
	}
	return nil
}

// Open adds the shares of an opening to c0, the prefix of the sum as Sum.C0
// encodes it, and decrypts (query step Q9). It returns K sums modulo T. Shares may come in any order;
// there must be exactly one of every active server, all of this opening.
//
// Every input is compared with what the ledger fixed before anything is added.
// Open does not check the ledger itself, nor proofs: the caller must have.
func (k *QuerierKey) Open(com Committee, o Opening, c0 []byte, shares []Share) ([]uint32, error) {
	out, err := k.open(com, o, c0, shares)
	if err != nil {
		return nil, fmt.Errorf("open query %x: %w", o.Query[:8], err)
	}
	return out, nil
}

func (k *QuerierKey) open(com Committee, o Opening, c0 []byte, shares []Share) ([]uint32, error) {
	if k.s == nil {
		return nil, ErrClosed
	}
	c := k.public.ctx
	if o.Epoch != k.public.epoch {
		return nil, fmt.Errorf("opening of epoch %d, querier key of epoch %d: %w", o.Epoch, k.public.epoch, ErrEpoch)
	}
	if err := c.checkOpening(com, &o); err != nil {
		return nil, err
	}
	if got := k.public.Digest(); got != o.QuerierKey {
		return nil, fmt.Errorf("querier key has digest %x, the query names %x: %w", got, o.QuerierKey, ErrDigest)
	}
	if err := checkShares(o, c.OpeningContext(o), shares); err != nil {
		return nil, err
	}
	x, err := c.parseC0(o.K, o.C0, c0)
	if err != nil {
		return nil, err
	}
	return k.addShares(o, x, shares)
}

// checkShares requires one share of every active server, of this context, with
// the recorded digest. Shares of different active sets add up to garbage.
func checkShares(o Opening, octx Digest, shares []Share) error {
	if len(shares) != len(o.Active) {
		return fmt.Errorf("%d shares for servers %v: %w", len(shares), o.Active, ErrActiveSet)
	}
	seen := make(map[int]bool, len(shares))
	for _, s := range shares {
		if seen[s.Server] || !slices.Contains(o.Active, s.Server) {
			return fmt.Errorf("share of server %d, active are %v: %w", s.Server, o.Active, ErrActiveSet)
		}
		seen[s.Server] = true
		if s.Context != octx {
			return fmt.Errorf("share of server %d is of another opening: %w", s.Server, ErrDigest)
		}
		if got := DigestOf(s.Data); got != s.Digest {
			return fmt.Errorf("share of server %d is %x, recorded is %x: %w", s.Server, got[:8], s.Digest[:8], ErrDigest)
		}
	}
	return nil
}

// addShares computes Decode(c0 + sum h0 + (sum h1)·s).
func (k *QuerierKey) addShares(o Opening, x *poly, shares []Share) ([]uint32, error) {
	c := k.public.ctx
	h0, h1, sum := c.temp(), c.temp(), c.newPoly()
	defer c.release(h0, h1)
	for _, s := range shares {
		if err := c.parseShare(o.Epoch, o.K, s.Data, h0, h1); err != nil {
			return nil, fmt.Errorf("share of server %d: %w", s.Server, err)
		}
		for l, q := range c.params.Q {
			addInto(x[l], h0[l], q)
		}
		c.f.add(sum, h1, sum)
	}
	c.f.ntt(sum)
	c.f.mul(k.s, sum, h1)
	c.f.invNTT(h1)
	for l, q := range c.params.Q {
		addInto(x[l], h1[l], q)
	}
	defer x.destroy()
	return c.decode(x, o.K), nil
}
