package fsm

import (
	"slices"

	"statnet/chain/record"
	"statnet/config"
)

// genesis accepts leaf 0 if it says what cluster.yaml says.
func (s *State) genesis(index uint64, e record.Envelope, g *record.Genesis) (apply, error) {
	if s.d.Size != 0 || index != 0 {
		return nil, refuse(WrongPhase, "GENESIS at leaf %d", index)
	}
	if g.Cluster != s.rules.cluster.Digest {
		return nil, refuse(Stale, "GENESIS names cluster.yaml %x, this one is %x", g.Cluster[:8], s.rules.cluster.Digest[:8])
	}
	model := config.Byzantine
	if g.Mode == record.ModeCrashOnly {
		model = config.CrashOnly
	}
	if mode, err := config.CheckQuorum(model, s.rules.n, s.rules.f, s.rules.q); err != nil || record.FaultMode(mode) != g.Mode {
		return nil, refuse(Malformed, "GENESIS: n, f, q, mode = %d, %d, %d, %d: %v", g.N, g.F, g.Q, g.Mode, err)
	}
	if s.rules.sets == nil {
		return nil, refuse(Malformed, "GENESIS: %d of %d servers need too many sub-keys", s.rules.threshold, len(s.rules.servers))
	}
	want := Genesis(s.rules.cluster, g.UnixMS)
	want.Previous = g.Previous
	if enc, err := record.Encode(want); err != nil || string(enc) != string(e.PayloadBytes) {
		return nil, refuse(Malformed, "GENESIS: roster is not that of cluster.yaml")
	}
	return func() bool {
		s.d.Origin = record.Origin(g.Name, e.Raw)
		s.d.LedgerMS = g.UnixMS
		return true
	}, nil
}

// cut advances ledger time: max(previous, the (f+1)-th smallest claim). With at
// most f false claims that is never beyond every honest clock.
func (s *State) cut(index uint64, c *record.Cut) (apply, error) {
	if c.Previous != s.d.LastCut && (!s.replay || c.Previous < s.d.LastCut || c.Previous >= index) {
		return nil, refuse(Stale, "CUT follows leaf %d, the last one is leaf %d", c.Previous, s.d.LastCut)
	}
	if len(c.Claims) < s.rules.q {
		return nil, refuse(Malformed, "CUT: %d claims, quorum is %d", len(c.Claims), s.rules.q)
	}
	times := make([]uint64, 0, len(c.Claims))
	for _, cl := range c.Claims {
		if !slices.Contains(s.rules.verifiers, cl.Path) {
			return nil, refuse(UnknownSigner, "CUT: claim of %s, not a verifier", cl.Path)
		}
		pub := s.rules.keys[cl.Path]
		if err := cl.Verify(s.d.Origin, c.Previous, pub[:]); err != nil {
			return nil, refuse(BadSignature, "CUT: %v", err)
		}
		times = append(times, cl.UnixMS)
	}
	slices.Sort(times)
	now := max(s.d.LedgerMS, times[s.rules.f])
	return func() bool {
		if now > s.d.LedgerMS {
			s.d.LedgerMS, s.d.TimeCut = now, index
		}
		s.d.LastCut = index
		return s.tick(index)
	}, nil
}

// tick starts the clocks of new queries and ends phases whose time has come.
func (s *State) tick(cut uint64) (changed bool) {
	for _, q := range s.open {
		phase := q.Phase
		if !q.Started {
			q.Started, q.T0 = true, s.d.LedgerMS
			s.pinTime(q, cut)
		}
		s.advance(q)
		if q.Phase != phase {
			changed = true
			s.pinTime(q, cut)
		}
	}
	return changed
}

// pinTime notes the CUTs on which a step of q rests, so that an excerpt of the
// ledger with these CUTs alone repeats it: the given one, if any, and the one
// that says what time it is.
func (s *State) pinTime(q *Query, cut uint64) {
	for _, c := range []uint64{s.d.TimeCut, cut} {
		if c != 0 && !slices.Contains(q.Cuts, c) {
			q.Cuts = append(q.Cuts, c)
		}
	}
	slices.Sort(q.Cuts)
}
