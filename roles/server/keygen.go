package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/keys"
	"statnet/chain/record"
	"statnet/crypto/he"
	"statnet/internal/node"
)

// spareOpenings is how many openings of a key epoch are left when the next one
// is begun, so that questions go on without a pause.
const spareOpenings = 32

// complainAfter is how long a member waits for a seed once all keys are
// revealed. Then it complains, and the epoch starts again with fresh secrets.
const complainAfter = 30 * time.Second

// keygen takes this server's steps in the generation of every key epoch, for as
// long as the server runs.
//
//	1 commit to a nonce · 2 nonce · 3 commit to sub-keys dealt (seeds to members)
//	4 reveal sub-keys · 5 confirm each set it is a member of, or 6 complain
//
// A round's record is posted when the ledger shows all of the round before.
func (s *Server) keygen(ctx context.Context) error {
	g := &generation{s: s, since: map[uint64]time.Time{}}
	for {
		var size uint64
		var latest *fsm.KeyEpoch
		var next uint64
		var free bool
		s.Ledger.View(func(st *fsm.State) {
			size = st.Size()
			latest, _ = st.LatestKey()
			next, free = st.NextKeyEpoch()
		})
		if size > 0 {
			if err := g.turn(ctx, latest, next, free); err != nil && ctx.Err() == nil {
				s.Log.Warn("key generation waits", "err", err)
			}
		}
		if err := s.waitGrown(ctx, size); err != nil {
			return err
		}
	}
}

// generation is the owner goroutine's memory of running epochs.
type generation struct {
	s     *Server
	since map[uint64]time.Time // when all keys of an epoch were seen revealed
}

// turn posts what is missing from this server, if anything.
func (g *generation) turn(ctx context.Context, latest *fsm.KeyEpoch, next uint64, free bool) error {
	switch {
	case latest == nil || latest.Status == fsm.KeyAborted:
		return g.commitNonce(ctx, next)
	case latest.Status == fsm.KeyRunning && free:
		return g.commitNonce(ctx, next)
	case latest.Status == fsm.KeyRunning:
		return g.step(ctx, latest)
	}
	if err := g.activate(ctx, latest); err != nil {
		return err
	}
	if latest.Reserved+spareOpenings >= he.MaxOpenings {
		return g.commitNonce(ctx, next)
	}
	return nil
}

// step takes the first step of a running epoch that is this server's and due.
func (g *generation) step(ctx context.Context, k *fsm.KeyEpoch) error {
	s, n := g.s, len(g.s.Cluster.Servers)
	if _, done := k.Commits[s.path()]; !done {
		return g.commitNonce(ctx, k.Epoch)
	}
	if len(k.Commits) < n {
		return nil
	}
	if _, done := k.Nonces[s.path()]; !done {
		return g.revealNonce(ctx, k.Epoch)
	}
	if len(k.Nonces) < n {
		return nil
	}
	crs, err := keys.CRS(s.HE, s.Cluster, k)
	if err != nil {
		return err
	}
	sets := crs.Committee.Sets()
	for _, set := range sets {
		if _, done := k.KeyCommits[uint16(set)]; set.Dealer() == s.index && !done {
			return g.commitKey(ctx, crs, set)
		}
	}
	if len(k.KeyCommits) < len(sets) {
		return nil
	}
	for _, set := range sets {
		if _, done := k.Keys[uint16(set)]; set.Dealer() == s.index && !done {
			return g.revealKey(ctx, crs, set)
		}
	}
	if len(k.Keys) < len(sets) {
		return nil
	}
	return g.confirm(ctx, crs, k)
}

// commitNonce is round 1. The nonce is stored before anyone hears of it.
func (g *generation) commitNonce(ctx context.Context, epoch uint64) error {
	var fresh [32]byte
	if _, err := rand.Read(fresh[:]); err != nil {
		return err
	}
	nonce, err := g.s.Vault.keep(bucketNonce, epochKey(epoch), fresh[:])
	if err != nil {
		return err
	}
	digest := g.s.HE.NonceCommit(epoch, g.s.index, [32]byte(nonce))
	return g.post(ctx, &record.KeyGen{Epoch: epoch, Round: record.RoundCommit, Digest: digest})
}

// revealNonce is round 2.
func (g *generation) revealNonce(ctx context.Context, epoch uint64) error {
	nonce, err := g.s.Vault.get(bucketNonce, epochKey(epoch))
	if err == nil && len(nonce) != 32 {
		err = fmt.Errorf("nonce of key epoch %d: %w", epoch, ErrNoKey)
	}
	if err != nil {
		return err
	}
	return g.post(ctx, &record.KeyGen{Epoch: epoch, Round: record.RoundNonce, Digest: record.Hash(nonce)})
}

// contribution returns this dealer's sub-key of a set: the stored one, or a
// fresh one that is stored first.
func (g *generation) contribution(crs he.CRS, set he.Set) (*he.Contribution, error) {
	stored, err := g.s.Vault.get(bucketDealer, setKey(crs.Epoch, set))
	if err != nil {
		return nil, err
	}
	if stored == nil {
		fresh, err := g.s.HE.Contribute(crs, set)
		if err != nil {
			return nil, err
		}
		defer fresh.Destroy()
		export, err := fresh.Export()
		if err != nil {
			return nil, err
		}
		if stored, err = g.s.Vault.keep(bucketDealer, setKey(crs.Epoch, set), export); err != nil {
			return nil, err
		}
	}
	return g.s.HE.RestoreContribution(crs, stored)
}

// commitKey is round 3 for one set.
func (g *generation) commitKey(ctx context.Context, crs he.CRS, set he.Set) error {
	c, err := g.contribution(crs, set)
	if err != nil {
		return err
	}
	defer c.Destroy()
	return g.post(ctx, &record.KeyGen{Epoch: crs.Epoch, Round: record.RoundKeyCommit, Set: uint16(set), Digest: c.Commit()})
}

// revealKey is round 4 for one set: the seed to the other members, then the
// public sub-key to the verifiers and its digest to the ledger.
func (g *generation) revealKey(ctx context.Context, crs he.CRS, set he.Set) error {
	c, err := g.contribution(crs, set)
	if err != nil {
		return err
	}
	defer c.Destroy()
	if err := g.deal(ctx, crs, set, c); err != nil {
		return err
	}
	data := c.Reveal().Bytes()
	digest := he.DigestOf(data)
	if err := g.s.Verifiers.PutBlob(ctx, digest[:], data); err != nil {
		return fmt.Errorf("store sub-key of set %v: %w", set, err)
	}
	return g.post(ctx, &record.KeyGen{Epoch: crs.Epoch, Round: record.RoundKey, Set: uint16(set), Digest: digest})
}

// deal stores the seed and sends it to every other member of the set.
func (g *generation) deal(ctx context.Context, crs he.CRS, set he.Set, c *he.Contribution) error {
	seed, err := g.s.HE.ExportSeed(c.Seed())
	if err != nil {
		return err
	}
	if _, err := g.s.Vault.keep(bucketSeed, setKey(crs.Epoch, set), seed); err != nil {
		return err
	}
	for _, j := range set.Members() {
		if j == g.s.index {
			continue
		}
		id := g.s.Cluster.Servers[j-1].ID
		if err := g.s.Servers.Deal(ctx, id, crs.Epoch, uint16(set), seed); err != nil {
			return fmt.Errorf("deal the seed of set %v to server %s: %w", set, id, err)
		}
	}
	return nil
}

// Dealt takes a seed from the dealer of a set. It is checked when the dealer's
// sub-key is on the ledger; the first seed of a set stays.
func (s *Server) Dealt(from string, epoch uint64, set uint16, seed []byte) error {
	a := he.Set(set)
	dealer := a.Dealer()
	if dealer < 1 || dealer > len(s.Cluster.Servers) || s.Cluster.Servers[dealer-1].ID != from || !a.Has(s.index) {
		return fmt.Errorf("seed of set %v from server %q: not its dealer, or this server is not a member", a, from)
	}
	if size, err := s.HE.Size(he.KindSeed, 0); err != nil || len(seed) != size {
		return fmt.Errorf("seed of set %v has %d bytes, want %d", a, len(seed), size)
	}
	var latest uint64
	s.Ledger.View(func(st *fsm.State) {
		if k, ok := st.LatestKey(); ok {
			latest = k.Epoch
		}
	})
	// This server may see the epoch begin a moment after its dealer does.
	if epoch < latest || epoch > latest+1 {
		return fmt.Errorf("seed of key epoch %d, the ledger is at %d", epoch, latest)
	}
	_, err := s.Vault.keep(bucketSeed, setKey(epoch, a), seed)
	return err
}

// confirm is rounds 5 and 6: this member recomputes the public sub-key of every
// set it belongs to. The comparison is exact.
func (g *generation) confirm(ctx context.Context, crs he.CRS, k *fsm.KeyEpoch) error {
	if g.since[k.Epoch].IsZero() {
		g.since[k.Epoch] = g.s.Now()
	}
	subs, err := keys.SubKeys(ctx, g.s.HE, crs, k, g.s.fetch)
	if err != nil {
		return err
	}
	for i, set := range crs.Committee.Sets() {
		if _, done := k.Confirms[uint16(set)][g.s.path()]; done || !set.Has(g.s.index) {
			continue
		}
		round := uint8(record.RoundConfirm)
		seed, err := g.seed(crs, set)
		if errors.Is(err, ErrNoKey) && g.s.Now().Sub(g.since[k.Epoch]) < complainAfter {
			return err
		}
		if err == nil {
			err = g.s.HE.CheckSeed(crs, seed, subs[i])
			seed.Destroy()
		}
		if err != nil {
			g.s.Log.Error("complaint about a sub-key", "epoch", k.Epoch, "set", set.String(), "err", err)
			round = record.RoundComplaint
		}
		if err := g.post(ctx, &record.KeyGen{
			Epoch: k.Epoch, Round: round, Set: uint16(set), Digest: k.Keys[uint16(set)].Digest,
		}); err != nil {
			return err
		}
	}
	return nil
}

// fetch gets a blob from any verifier, in the form that package keys wants.
func (s *Server) fetch(ctx context.Context, digest record.Hash, limit int64) ([]byte, error) {
	return s.Verifiers.GetBlob(ctx, digest[:], limit)
}

func (g *generation) seed(crs he.CRS, set he.Set) (*he.Seed, error) {
	data, err := g.s.Vault.get(bucketSeed, setKey(crs.Epoch, set))
	if err == nil && data == nil {
		err = fmt.Errorf("seed of set %v: %w", set, ErrNoKey)
	}
	if err != nil {
		return nil, err
	}
	return g.s.HE.ParseSeed(crs, data)
}

// activate builds this server's opener for an epoch that has become active.
func (g *generation) activate(ctx context.Context, k *fsm.KeyEpoch) error {
	s := g.s
	if s.opener(k.Epoch) != nil {
		return nil
	}
	crs, err := keys.CRS(s.HE, s.Cluster, k)
	if err != nil {
		return err
	}
	subs, err := keys.SubKeys(ctx, s.HE, crs, k, s.fetch)
	if err != nil {
		return err
	}
	pk, err := keys.Combine(s.HE, crs, k, subs)
	if err != nil {
		return err
	}
	var seeds []*he.Seed
	for _, set := range crs.Committee.Sets() {
		if !set.Has(s.index) {
			continue
		}
		seed, err := g.seed(crs, set)
		if err != nil {
			return err
		}
		defer seed.Destroy()
		seeds = append(seeds, seed)
	}
	key, err := s.HE.NewServerKey(s.index, crs, seeds, subs)
	if err != nil {
		return fmt.Errorf("own part of key epoch %d: %w", k.Epoch, err)
	}
	opener, err := s.HE.NewOpener(key, gate{s}, s.Vault)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.openers[k.Epoch] = opener
	s.mu.Unlock()
	id := pk.ID()
	s.Log.Info("collective key active", "epoch", k.Epoch, "key", fmt.Sprintf("%x", id[:8]))
	s.ready.Do(func() {
		if s.Ready != nil {
			s.Ready()
		}
	})
	return nil
}

// post submits one step. That the ledger has it already, or has moved on, is
// seen at the next look; it is no failure.
func (g *generation) post(ctx context.Context, p *record.KeyGen) error {
	g.s.Log.Info("key generation", "epoch", p.Epoch, "round", p.Round, "set", he.Set(p.Set).String())
	err := g.s.submit(ctx, p)
	if r, ok := node.Refusal(err); ok && slices.Contains([]fsm.Code{fsm.Late, fsm.WrongPhase, fsm.Stale}, r.Code) {
		return nil
	}
	return err
}
