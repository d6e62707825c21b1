package fsm

import (
	"bytes"
	"slices"

	"statnet/chain/record"
)

// answer logs what a gateway replied: query step Q4.
func (s *State) answer(index uint64, signer string, q *Query, a *record.Answer) (apply, error) {
	switch {
	case !slices.Contains(q.Asked, signer):
		return nil, refuse(WrongRole, "ANSWER by %s, which was not asked", signer)
	case q.Phase != Open:
		return nil, refuse(Late, "ANSWER by %s in %s", signer, q.Phase)
	case a.HomeServer != s.rules.homeServer[signer]:
		return nil, refuse(Malformed, "ANSWER by %s: home server is %s, not %s", signer, s.rules.homeServer[signer], a.HomeServer)
	case len(a.Samples) > 0:
		return nil, refuse(Unsupported, "ANSWER by %s names SAMPLE records", signer)
	case !a.Declined() && a.ProofSystem != record.ProofNone:
		return nil, refuse(Unsupported, "ANSWER by %s: proof system %.32q", signer, a.ProofSystem)
	}
	for i, p := range a.Parts {
		if p.Proof != (record.Hash{}) || p.ProofSize != 0 {
			return nil, refuse(Unsupported, "ANSWER by %s: part %d has a proof", signer, i)
		}
		if len(p.Patients) > q.PartSize {
			return nil, refuse(Malformed, "ANSWER by %s: part %d sums %d patients, at most %d fit", signer, i, len(p.Patients), q.PartSize)
		}
		// A ciphertext that stands in two sums gives away their difference.
		if old, ok := s.d.Ciphertexts[p.Ciphertext]; ok {
			return nil, refuse(Malformed, "ANSWER by %s: ciphertext of part %d stands in leaf %d", signer, i, old)
		}
		for _, patient := range p.Patients {
			if !contains(s.rules.patients[signer], patient) || !contains(q.Patients, patient) {
				return nil, policy("P1", "ANSWER by %s: part %d is about a patient who was not asked for or is not its own", signer, i)
			}
		}
	}
	return func() bool {
		q.Leaves = append(q.Leaves, index)
		q.Answers[signer] = &Answer{Item: newItem(index), Record: a}
		for _, p := range a.Parts {
			s.d.Ciphertexts[p.Ciphertext] = index
		}
		return s.settle(q)
	}, nil
}

func newItem(leaf uint64) Item { return Item{Leaf: leaf, Votes: map[string]record.Code{}} }

// verdict counts one verifier's judgement of a phase: query steps Q5, Q6, Q8.
// After the phase it is logged, and can no longer decide anything.
func (s *State) verdict(index uint64, signer string, q *Query, v *record.Verdict) (apply, error) {
	judged, must, counts, err := q.judged(v)
	if err != nil {
		return nil, err
	}
	codes := v.Codes()
	covered := map[uint64]bool{}
	for _, c := range codes {
		if judged[c.First] == nil {
			return nil, refuse(Malformed, "VERDICT by %s: leaf %d is not an item of phase %d", signer, c.First, v.Phase)
		}
		covered[c.First] = true
	}
	for _, leaf := range must {
		if !covered[leaf] {
			return nil, refuse(Malformed, "VERDICT by %s: leaf %d is missing", signer, leaf)
		}
	}
	for _, n := range v.Notes {
		if !covered[n.Leaf] {
			return nil, refuse(Malformed, "VERDICT by %s: note on leaf %d, which it does not judge", signer, n.Leaf)
		}
	}
	return func() bool {
		q.Leaves = append(q.Leaves, index)
		q.Voted[v.Phase-1][signer] = true
		for _, c := range codes {
			judged[c.First].vote(signer, c.Code, counts, s.rules.q, s.rules.f)
		}
		return s.settle(q)
	}, nil
}

// vote adds a vote; a decision once made stands.
func (i *Item) vote(by string, c record.Code, counts bool, q, f int) {
	i.Votes[by] = c
	if !counts || i.Decision != Undecided {
		return
	}
	if i.Decision = decide(i.Votes, q, f); i.Decision == Rejected {
		i.Reason = blame(i.Votes)
	}
}

// judged lists the items that a VERDICT may speak about, by leaf, those that it
// must, and whether it still counts.
func (q *Query) judged(v *record.Verdict) (items map[uint64]*Item, must []uint64, counts bool, err error) {
	items = map[uint64]*Item{}
	phase := Judge1
	switch v.Phase {
	case record.PhaseAnswers:
		for _, a := range q.Answers {
			if !a.Record.Declined() {
				items[a.Leaf] = &a.Item
				must = append(must, a.Leaf)
			}
		}
	case record.PhaseSums:
		phase = Judge2
		for _, p := range q.Partials {
			items[p.Leaf] = &p.Item
		}
		if len(q.Totals) > 0 {
			items[q.Totals[0].Leaf] = &q.Totals[0].Item
			must = []uint64{q.Totals[0].Leaf}
		}
	case record.PhaseShares:
		phase = Judge3
		for _, k := range q.Shares() {
			items[k.Leaf] = &k.Item
			must = append(must, k.Leaf)
		}
		if _, judged := q.Ended[Judge3]; q.Phase > phase && !judged {
			items = nil // ABORTED before JUDGE3
		}
	}
	if q.Phase < phase || len(must) == 0 || items == nil {
		return nil, nil, false, refuse(WrongPhase, "VERDICT of phase %d in %s", v.Phase, q.Phase)
	}
	slices.Sort(must)
	return items, must, q.Phase == phase, nil
}

// aggregate fixes what is summed: query step Q6.
func (s *State) aggregate(index uint64, signer string, q *Query, a *record.Aggregate) (apply, error) {
	if a.K != K {
		return nil, refuse(Malformed, "AGGREGATE by %s: K is %d, want %d", signer, a.K, K)
	}
	var err error
	switch a.Attempt {
	case record.AttemptPartial:
		err = s.checkPartial(signer, q, a)
	case record.AttemptTotal:
		err = s.checkTotal(signer, q, a)
	default:
		err = s.checkReissue(signer, q, a)
	}
	if err != nil {
		return nil, err
	}
	return func() bool {
		q.Leaves = append(q.Leaves, index)
		item := &Aggregate{Item: newItem(index), Server: signer, Record: a}
		if a.Attempt == record.AttemptPartial {
			q.Partials[signer] = item
			return s.settle(q)
		}
		if a.Attempt == record.AttemptReissue {
			item.Decision = q.Totals[0].Decision // same runs and digests: judged already
			s.d.Epochs[q.KeyEpoch].Reserved++
		}
		s.pinTime(q, 0) // whose turn it is may depend on the time
		q.Totals = append(q.Totals, item)
		q.KeySwitches = append(q.KeySwitches, map[string]*KeySwitch{})
		s.settle(q)
		return true
	}, nil
}

func (s *State) checkPartial(signer string, q *Query, a *record.Aggregate) error {
	if q.Phase != Sum {
		return refuse(WrongPhase, "AGGREGATE 0 by %s in %s", signer, q.Phase)
	}
	var own []uint64
	for path, ans := range q.Answers {
		if ans.Decision == Accepted && s.rules.homeServer[path] == signer {
			own = append(own, ans.Leaf)
		}
	}
	if !slices.Equal(a.Answers, record.Runs(own)) {
		return refuse(Malformed, "AGGREGATE 0 by %s: answers are not the accepted ones of its gateways", signer)
	}
	return nil
}

// checkTotal wants exactly the accepted answers: leaving one out opens the
// difference, adding one opens what nobody certified.
func (s *State) checkTotal(signer string, q *Query, a *record.Aggregate) error {
	if q.Phase != Sum {
		return refuse(WrongPhase, "AGGREGATE 1 by %s in %s", signer, q.Phase)
	}
	if !s.maySum(signer, q) {
		return refuse(WrongRole, "AGGREGATE 1 by %s: it is %s's turn", signer, q.Record.Coordinator)
	}
	if !slices.Equal(a.Answers, q.Accepted()) {
		return refuse(Malformed, "AGGREGATE 1 by %s: answers are not the accepted ones", signer)
	}
	return s.checkActive(signer, a.Active)
}

// maySum lets the coordinator post the total, from half of the phase the next
// server in roster order too.
func (s *State) maySum(signer string, q *Query) bool {
	if signer == q.Record.Coordinator {
		return true
	}
	i := slices.Index(s.rules.servers, q.Record.Coordinator)
	next := s.rules.servers[(i+1)%len(s.rules.servers)]
	return signer == next && q.Started && s.d.LedgerMS >= q.at(sumHandover)
}

func (s *State) checkActive(signer string, active []byte) error {
	if len(active) != s.rules.threshold || int(active[len(active)-1]) > len(s.rules.servers) {
		return refuse(Malformed, "AGGREGATE by %s: active set %v is not %d of %d servers", signer, active, s.rules.threshold, len(s.rules.servers))
	}
	return nil
}

// checkReissue lets the coordinator open the same total once more (a second
// time is a conflict of idem keys), with another active set that leaves out
// only servers which have sent no share.
func (s *State) checkReissue(signer string, q *Query, a *record.Aggregate) error {
	switch {
	case q.Phase != Switch || s.d.LedgerMS < q.at(reissueFrom):
		return refuse(WrongPhase, "AGGREGATE 2 by %s in %s", signer, q.Phase)
	case signer != q.Record.Coordinator:
		return refuse(WrongRole, "AGGREGATE 2 by %s: only %s may", signer, q.Record.Coordinator)
	case s.d.Epochs[q.KeyEpoch].Reserved >= MaxOpenings:
		return policy("P8", "key epoch %d has no openings left of %d", q.KeyEpoch, MaxOpenings)
	}
	first := q.Totals[0].Record
	if !slices.Equal(a.Answers, first.Answers) || a.C0 != first.C0 || a.C1 != first.C1 {
		return refuse(Malformed, "AGGREGATE 2 by %s: not the sum of leaf %d", signer, q.Totals[0].Leaf)
	}
	if bytes.Equal(a.Active, first.Active) {
		return refuse(Malformed, "AGGREGATE 2 by %s: the same active set again", signer)
	}
	for _, i := range first.Active {
		if server := s.rules.servers[i-1]; q.Shares()[server] != nil && !slices.Contains(a.Active, i) {
			return refuse(Malformed, "AGGREGATE 2 by %s: leaves out %s, which has sent its share", signer, server)
		}
	}
	return s.checkActive(signer, a.Active)
}

// keySwitch commits a server to its share: query step Q7.
func (s *State) keySwitch(index uint64, signer string, q *Query, k *record.KeySwitch) (apply, error) {
	if q.Phase != Switch {
		return nil, refuse(WrongPhase, "KEYSWITCH by %s in %s", signer, q.Phase)
	}
	total := q.Total()
	switch {
	case k.Aggregate != total.Leaf || k.Attempt != total.Record.Attempt:
		return nil, refuse(Stale, "KEYSWITCH by %s: sum of leaf %d, the one to open is leaf %d", signer, k.Aggregate, total.Leaf)
	case !slices.Contains(q.Active(), signer):
		return nil, refuse(WrongRole, "KEYSWITCH by %s, which is not in the active set", signer)
	case k.Proof != (record.Hash{}) || k.ProofSize != 0:
		return nil, refuse(Unsupported, "KEYSWITCH by %s has a proof", signer)
	}
	return func() bool {
		q.Leaves = append(q.Leaves, index)
		q.Shares()[signer] = &KeySwitch{Item: newItem(index), Record: k}
		return s.settle(q)
	}, nil
}
