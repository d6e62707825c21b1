package he

import (
	"errors"
	"fmt"
)

// ServerKey holds the sub-keys of one server for one epoch. It decrypts
// nothing: its only use is an Opener, whose Close destroys it.
type ServerKey struct {
	hidden
	ctx    *Context
	server int
	crs    CRS
	subs   map[Set]*poly // key form; nil after Destroy
}

// CheckSeed derives the public sub-key from a dealt seed and compares it with
// the revealed one. The comparison is exact: nil means record a CONFIRM,
// ErrSeed a COMPLAINT.
func (c *Context) CheckSeed(crs CRS, s *Seed, r *PublicSubKey) error {
	a := c.commonPoly(crs.Value)
	c.f.toKey(a)
	sub, err := c.deriveSub(crs, a, s, r)
	sub.destroy()
	return err
}

// deriveSub returns the sub-key of a seed in key form, after the check against
// its public part.
func (c *Context) deriveSub(crs CRS, a *poly, s *Seed, r *PublicSubKey) (*poly, error) {
	if err := c.checkReveal(crs, s.set, r); err != nil {
		return nil, err
	}
	if s.epoch != crs.Epoch {
		return nil, fmt.Errorf("seed of %v of epoch %d, want %d: %w", s.set, s.epoch, crs.Epoch, ErrEpoch)
	}
	w, err := c.expandSeed(s)
	if err != nil {
		return nil, err
	}
	defer w.Destroy()
	sub, b := c.keyPair(w, a)
	if !b.equal(r.b) {
		sub.destroy()
		return nil, fmt.Errorf("seed of %v from server %d: %w", s.set, s.set.Dealer(), ErrSeed)
	}
	return sub, nil
}

// NewServerKey derives the sub-keys of server (1..n) from its seeds: one for
// every set it is a member of, in any order, each checked against the revealed
// public sub-keys (order of Committee.Sets). The seeds may be destroyed
// afterwards; the server keeps their exported form to survive a restart.
func (c *Context) NewServerKey(server int, crs CRS, seeds []*Seed, reveals []*PublicSubKey) (*ServerKey, error) {
	sets := crs.Committee.Sets()
	if server < 1 || server > crs.Committee.N || len(sets) == 0 || len(reveals) != len(sets) {
		return nil, fmt.Errorf("key of server %d: %d sub-keys for %d sets: %w", server, len(reveals), len(sets), ErrCommittee)
	}
	bySet := make(map[Set]*Seed, len(seeds))
	for _, s := range seeds {
		if s == nil || bySet[s.set] != nil {
			return nil, fmt.Errorf("key of server %d: a seed is nil or twice there: %w", server, ErrCommittee)
		}
		bySet[s.set] = s
	}
	a := c.commonPoly(crs.Value)
	c.f.toKey(a)
	k := &ServerKey{ctx: c, server: server, crs: crs, subs: make(map[Set]*poly, len(seeds))}
	var errs []error
	for i, set := range sets {
		if !set.Has(server) {
			continue
		}
		s := bySet[set]
		delete(bySet, set)
		if s == nil {
			errs = append(errs, fmt.Errorf("seed of %v from server %d is missing: %w", set, set.Dealer(), ErrSeed))
			continue
		}
		sub, err := c.deriveSub(crs, a, s, reveals[i])
		k.subs[set] = sub
		errs = append(errs, err)
	}
	if len(bySet) > 0 {
		errs = append(errs, fmt.Errorf("%d seeds of sets without it: %w", len(bySet), ErrCommittee))
	}
	if err := errors.Join(errs...); err != nil {
		k.Destroy()
		return nil, fmt.Errorf("key of server %d: %w", server, err)
	}
	return k, nil
}

// Server returns the server's index, 1..n.
func (k *ServerKey) Server() int { return k.server }

// Epoch returns the key epoch.
func (k *ServerKey) Epoch() uint64 { return k.crs.Epoch }

// Committee returns how many servers hold the key and how many open.
func (k *ServerKey) Committee() Committee { return k.crs.Committee }

// Destroy clears the sub-keys. Call it when the epoch's last query is closed,
// after the last Share has returned.
func (k *ServerKey) Destroy() {
	for _, p := range k.subs {
		p.destroy()
	}
	k.subs = nil
}

// sigma returns the sum of the sub-keys that the server owns in an active set,
// in key form; zero if it owns none.
func (k *ServerKey) sigma(active []int) (*poly, error) {
	if k.subs == nil {
		return nil, fmt.Errorf("key of server %d: %w", k.server, ErrClosed)
	}
	owners, err := k.crs.Committee.Owners(active)
	if err != nil {
		return nil, err
	}
	sum := k.ctx.newPoly()
	for i, set := range k.crs.Committee.Sets() {
		if owners[i] == k.server {
			k.ctx.f.add(sum, k.subs[set], sum)
		}
	}
	return sum, nil
}

// SharePublic returns B, the sum of the public sub-keys that server owns in an
// active set: what a proof of its share is relative to. Reveals are in the
// order of Committee.Sets.
func (c *Context) SharePublic(crs CRS, active []int, server int, reveals []*PublicSubKey) (Residues, error) {
	owners, err := crs.Committee.Owners(active)
	if err != nil {
		return Residues{}, err
	}
	if len(reveals) != len(owners) {
		return Residues{}, fmt.Errorf("%d sub-keys for %d sets: %w", len(reveals), len(owners), ErrCommittee)
	}
	sum := c.newPoly()
	for i, set := range crs.Committee.Sets() {
		if err := c.checkReveal(crs, set, reveals[i]); err != nil {
			return Residues{}, err
		}
		if owners[i] == server {
			c.f.add(sum, reveals[i].b, sum)
		}
	}
	return sum.residues(), nil
}
