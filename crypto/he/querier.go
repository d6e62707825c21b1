package he

import (
	"crypto/sha3"
	"fmt"
	"io"
)

// QuerierKey is the one-time key pair of one query. Only its holder reads the
// answer.
type QuerierKey struct {
	hidden
	public *QuerierPublicKey
	secret *[32]byte // s and e are derived from it
	s      *poly     // key form; nil after Destroy
}

// NewQuerierKey draws a key pair for one query under the given key epoch.
func (c *Context) NewQuerierKey(epoch uint64) (*QuerierKey, error) {
	var seed, secret [32]byte
	for _, b := range [][]byte{seed[:], secret[:]} {
		if _, err := io.ReadFull(c.rand, b); err != nil {
			return nil, fmt.Errorf("new querier key: %w", err)
		}
	}
	return c.querierKey(epoch, seed, &secret)
}

func (c *Context) querierKey(epoch uint64, seed [32]byte, secret *[32]byte) (*QuerierKey, error) {
	x := sha3.NewSHAKE128()
	io.WriteString(x, "statnet/v1/querier-secret|")
	x.Write(c.params.ID[:])
	x.Write(seed[:])
	x.Write(secret[:])
	w, err := c.drawKey(x)
	if err != nil {
		return nil, fmt.Errorf("new querier key: %w", err)
	}
	defer w.Destroy()
	s, pub := c.querierPair(epoch, seed, w)
	return &QuerierKey{public: pub, secret: secret, s: s}, nil
}

// querierPair computes a = ExpandUniform("querier", seed) and b = e - a·s.
func (c *Context) querierPair(epoch uint64, seed [32]byte, w *KeyWitness) (*poly, *QuerierPublicKey) {
	a := c.expandUniform("querier", seed[:])
	c.f.toKey(a)
	s, b := c.keyPair(w, a)
	return s, &QuerierPublicKey{ctx: c, epoch: epoch, seed: seed, b: b}
}

// Public returns the part that the query names by digest and the servers need.
func (k *QuerierKey) Public() *QuerierPublicKey { return k.public }

// Destroy clears the secret. A stored export is not touched.
func (k *QuerierKey) Destroy() {
	if k.s != nil {
		clear(k.secret[:])
		k.s.destroy()
		k.s = nil
	}
}

// Export encodes the key pair, secret and in the clear, for a file with mode
// 0600. RestoreQuerierKey reads it.
func (k *QuerierKey) Export() ([]byte, error) {
	if k.s == nil {
		return nil, fmt.Errorf("export querier key: %w", ErrClosed)
	}
	b := k.public.ctx.newMessage(kindQuerierSecret, k.public.epoch, 64)
	return append(append(b, k.public.seed[:]...), k.secret[:]...), nil
}

// RestoreQuerierKey derives a key pair again from what Export gave. The caller
// compares Public().Digest() with the query it belongs to; Open does too.
func (c *Context) RestoreQuerierKey(epoch uint64, b []byte) (*QuerierKey, error) {
	body, err := c.body(kindQuerierSecret, epoch, noK, b)
	if err != nil {
		return nil, fmt.Errorf("restore querier key: %w", err)
	}
	secret := [32]byte(body[32:])
	return c.querierKey(epoch, [32]byte(body), &secret)
}

// QuerierPublicKey is the key that shares are switched to. A bad one exposes
// only the result of its own query, so it needs no proof.
type QuerierPublicKey struct {
	ctx   *Context
	epoch uint64
	seed  [32]byte
	b     *poly // coefficients
}

// Digest returns H("statnet/v1/querier-key"; params id, seed, b): the digest in
// the signed query. It is not the hash of Bytes.
func (p *QuerierPublicKey) Digest() Digest {
	c := p.ctx
	return hashFields("statnet/v1/querier-key", c.params.ID[:], p.seed[:], appendPoly(nil, p.b, c.params.N))
}

// Epoch returns the key epoch of the query.
func (p *QuerierPublicKey) Epoch() uint64 { return p.epoch }

// Residues returns b and a, for provers and verifiers.
func (p *QuerierPublicKey) Residues() (b, a Residues) {
	return p.b.residues(), p.ctx.expandUniform("querier", p.seed[:]).residues()
}

// Bytes encodes the public key, 54,352 bytes.
func (p *QuerierPublicKey) Bytes() []byte {
	n := p.ctx.params.N
	b := p.ctx.newMessage(KindQuerierKey, p.epoch, 32+polySize(n))
	return appendPoly(append(b, p.seed[:]...), p.b, n)
}

// ParseQuerierKey reads a querier's public key. The caller compares its Digest
// with the signed query's; Opener.Share does too.
func (c *Context) ParseQuerierKey(epoch uint64, b []byte) (*QuerierPublicKey, error) {
	body, err := c.body(KindQuerierKey, epoch, noK, b)
	if err != nil {
		return nil, fmt.Errorf("parse querier key: %w", err)
	}
	p := &QuerierPublicKey{ctx: c, epoch: epoch, seed: [32]byte(body), b: c.newPoly()}
	if err := c.parsePoly(body[32:], p.b, c.params.N); err != nil {
		return nil, fmt.Errorf("parse querier key: %w", err)
	}
	return p, nil
}
