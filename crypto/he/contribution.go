package he

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// Contribution is a dealer's work for one set: it draws a sub-key, commits to
// the public part, and reveals it after all servers have committed. It is not
// safe for concurrent use.
type Contribution struct {
	hidden
	ctx    *Context
	crs    CRS
	seed   *Seed
	reveal *PublicSubKey
	w      *KeyWitness
}

// Contribute draws the sub-key of set, which this server deals (set.Dealer()),
// from fresh randomness.
func (c *Context) Contribute(crs CRS, set Set) (*Contribution, error) {
	var seed, rho [32]byte
	for _, b := range [][]byte{seed[:], rho[:]} {
		if _, err := io.ReadFull(c.rand, b); err != nil {
			return nil, fmt.Errorf("read randomness: %w", err)
		}
	}
	return c.contribution(crs, set, &seed, rho)
}

func (c *Context) contribution(crs CRS, set Set, seed *[32]byte, rho [32]byte) (*Contribution, error) {
	if err := crs.Committee.checkSet(set); err != nil {
		return nil, err
	}
	s := &Seed{epoch: crs.Epoch, set: set, value: seed}
	w, err := c.expandSeed(s)
	if err != nil {
		return nil, err
	}
	a := c.commonPoly(crs.Value)
	c.f.toKey(a)
	sk, b := c.keyPair(w, a)
	sk.destroy()
	return &Contribution{
		ctx: c, crs: crs, seed: s, w: w,
		reveal: &PublicSubKey{ctx: c, epoch: crs.Epoch, set: set, rho: rho, b: b},
	}, nil
}

// Commit returns the digest to record in round 3.
func (k *Contribution) Commit() Digest { return k.reveal.Commit() }

// Reveal returns the public sub-key, to record in round 4.
func (k *Contribution) Reveal() *PublicSubKey { return k.reveal }

// Seed returns the secret to send to the other members of the set.
func (k *Contribution) Seed() *Seed { return k.seed }

// Witness returns the secrets for the proof that the sub-key is well formed.
// It shares memory with the contribution: Destroy of either clears both.
func (k *Contribution) Witness() *KeyWitness { return k.w }

// Destroy clears the witness and the seed. A seed that lives on, in a file or
// another Seed value, is not touched.
func (k *Contribution) Destroy() {
	k.w.Destroy()
	k.seed.Destroy()
}

// Export encodes the dealer's state, secret and in the clear, for a file with
// mode 0600: a dealer that crashes between commit and reveal must reveal what
// it committed to. RestoreContribution reads it.
func (k *Contribution) Export() ([]byte, error) {
	if k.seed.value == nil {
		return nil, fmt.Errorf("export contribution of %v: %w", k.seed.set, ErrClosed)
	}
	b := k.ctx.newMessage(kindDealer, k.crs.Epoch, setFieldSize+64)
	b = append(appendSet(b, k.seed.set), k.seed.value[:]...)
	return append(b, k.reveal.rho[:]...), nil
}

// RestoreContribution derives a contribution again from what Export gave.
func (c *Context) RestoreContribution(crs CRS, b []byte) (*Contribution, error) {
	body, err := c.body(kindDealer, crs.Epoch, noK, b)
	if err != nil {
		return nil, fmt.Errorf("restore contribution: %w", err)
	}
	set, err := parseSet(body, crs.Committee)
	if err != nil {
		return nil, fmt.Errorf("restore contribution: %w", err)
	}
	seed := [32]byte(body[setFieldSize:])
	return c.contribution(crs, set, &seed, [32]byte(body[setFieldSize+32:]))
}

// PublicSubKey is b = e - a·s of one set, with the blinding of its commitment.
type PublicSubKey struct {
	ctx   *Context
	epoch uint64
	set   Set
	rho   [32]byte
	b     *poly
}

// Set returns the servers that share this sub-key.
func (p *PublicSubKey) Set() Set { return p.set }

// Commit returns the digest that must have been recorded in round 3.
func (p *PublicSubKey) Commit() Digest {
	c := p.ctx
	return hashFields("statnet/v1/ckg-commit", c.params.ID[:], be64(p.epoch), be64(uint64(p.set)),
		p.rho[:], appendPoly(nil, p.b, c.params.N))
}

// Bytes encodes the sub-key, 54,352 bytes. The set is not part of it: the
// record that carries the digest names it.
func (p *PublicSubKey) Bytes() []byte {
	n := p.ctx.params.N
	b := p.ctx.newMessage(KindContribution, p.epoch, 32+polySize(n))
	return appendPoly(append(b, p.rho[:]...), p.b, n)
}

// Residues returns b, for provers and verifiers.
func (p *PublicSubKey) Residues() Residues { return p.b.residues() }

// ParseContribution reads the public sub-key that the dealer of set revealed.
// It does not check the commitment: NewPublicKey does.
func (c *Context) ParseContribution(crs CRS, set Set, b []byte) (*PublicSubKey, error) {
	if err := crs.Committee.checkSet(set); err != nil {
		return nil, fmt.Errorf("parse key contribution: %w", err)
	}
	body, err := c.body(KindContribution, crs.Epoch, noK, b)
	if err != nil {
		return nil, fmt.Errorf("parse key contribution: %w", err)
	}
	p := &PublicSubKey{ctx: c, epoch: crs.Epoch, set: set, rho: [32]byte(body), b: c.newPoly()}
	if err := c.parsePoly(body[32:], p.b, c.params.N); err != nil {
		return nil, fmt.Errorf("parse key contribution: %w", err)
	}
	return p, nil
}

// checkCommit compares a revealed sub-key with its recorded commitment.
func (p *PublicSubKey) checkCommit(want Digest) error {
	got := p.Commit()
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return fmt.Errorf("public sub-key of %v: %w", p.set, ErrCommitment)
	}
	return nil
}
