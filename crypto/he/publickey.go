package he

import "fmt"

// PublicKey is the collective public key (b, a) of one epoch, immutable and
// safe for concurrent use.
type PublicKey struct {
	ctx   *Context
	crs   Digest
	epoch uint64
	id    Digest
	wire  *poly // b in coefficients
	b, a  *poly // in key form
}

// NewPublicKey adds the public sub-keys of all sets into the collective key.
// Commits and reveals are in the order of Committee.Sets; every reveal must
// match its commitment and no two may be equal. A server that could choose its
// sub-key after it saw the others would cancel them and read everything alone.
//
// It does not check that all commitments were recorded before the first reveal
// (the ledger's rounds do), nor proofs of well-formedness.
func (c *Context) NewPublicKey(crs CRS, commits []Digest, reveals []*PublicSubKey) (*PublicKey, error) {
	sets := crs.Committee.Sets()
	if len(sets) == 0 || len(commits) != len(sets) || len(reveals) != len(sets) {
		return nil, fmt.Errorf("public key of epoch %d: %d commitments and %d sub-keys for %d sets: %w",
			crs.Epoch, len(commits), len(reveals), len(sets), ErrCommittee)
	}
	sum := c.newPoly()
	for i, r := range reveals {
		if err := c.checkReveal(crs, sets[i], r); err != nil {
			return nil, fmt.Errorf("public key of epoch %d: %w", crs.Epoch, err)
		}
		if err := r.checkCommit(commits[i]); err != nil {
			return nil, fmt.Errorf("public key of epoch %d: %w", crs.Epoch, err)
		}
		for _, o := range reveals[:i] {
			if o.b.equal(r.b) {
				return nil, fmt.Errorf("public key of epoch %d: sub-keys of %v and %v are equal: %w", crs.Epoch, o.set, r.set, ErrCommitment)
			}
		}
		c.f.add(sum, r.b, sum)
	}
	return c.publicKey(crs.Epoch, crs.Value, sum), nil
}

// checkReveal requires the sub-key of the given set, epoch and parameters.
func (c *Context) checkReveal(crs CRS, want Set, r *PublicSubKey) error {
	switch {
	case r == nil || r.set != want:
		return fmt.Errorf("sub-key of %v is missing or out of order: %w", want, ErrCommittee)
	case r.epoch != crs.Epoch:
		return fmt.Errorf("sub-key of %v of epoch %d, want %d: %w", want, r.epoch, crs.Epoch, ErrEpoch)
	case r.ctx.params.ID != c.params.ID:
		return fmt.Errorf("sub-key of %v: %w", want, ErrParams)
	}
	return nil
}

func (c *Context) publicKey(epoch uint64, crs Digest, b *poly) *PublicKey {
	k := &PublicKey{ctx: c, crs: crs, epoch: epoch, wire: b, b: b.clone(), a: c.commonPoly(crs)}
	k.id = hashFields("statnet/v1/pk", c.params.ID[:], be64(epoch), crs[:], appendPoly(nil, b, c.params.N))
	c.f.toKey(k.b)
	c.f.toKey(k.a)
	return k
}

// ID identifies the key: params id, epoch, crs and b.
func (k *PublicKey) ID() Digest { return k.id }

// Epoch returns the key epoch.
func (k *PublicKey) Epoch() uint64 { return k.epoch }

// Residues returns b and a, for provers and verifiers.
func (k *PublicKey) Residues() (b, a Residues) {
	return k.wire.residues(), k.ctx.commonPoly(k.crs).residues()
}

// Bytes encodes the key, 54,352 bytes.
func (k *PublicKey) Bytes() []byte {
	n := k.ctx.params.N
	b := k.ctx.newMessage(KindPublicKey, k.epoch, 32+polySize(n))
	return appendPoly(append(b, k.crs[:]...), k.wire, n)
}

// ParsePublicKey reads a collective key and requires the given id, which the
// caller has from the ledger.
func (c *Context) ParsePublicKey(epoch uint64, id Digest, b []byte) (*PublicKey, error) {
	body, err := c.body(KindPublicKey, epoch, noK, b)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	p := c.newPoly()
	if err := c.parsePoly(body[32:], p, c.params.N); err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	k := c.publicKey(epoch, Digest(body[:32]), p)
	if k.id != id {
		return nil, fmt.Errorf("public key has id %x, want %x: %w", k.id, id, ErrDigest)
	}
	return k, nil
}
