package fsm

import (
	"slices"

	"statnet/chain/record"
)

// advance moves q through every phase that has ended, be it complete or out of
// time. Time passes only where a CUT says so.
func (s *State) advance(q *Query) {
	for {
		phase, outcome := s.next(q)
		if phase == q.Phase {
			return
		}
		q.Ended[q.Phase] = s.d.LedgerMS
		q.Phase, q.Outcome = phase, outcome
	}
}

// settle is advance for the handlers: it reports whether the phase changed.
func (s *State) settle(q *Query) bool {
	before := q.Phase
	s.advance(q)
	return q.Phase != before
}

// next is the phase that follows from what is in and what time it is; the same
// phase if it goes on. The outcome counts if the phase is Aborted.
func (s *State) next(q *Query) (Phase, record.Outcome) {
	end, ok := q.Deadline()
	late := ok && s.d.LedgerMS >= end
	switch q.Phase {
	case Open:
		return s.afterOpen(q, late)
	case Judge1:
		return s.afterJudge1(q, late)
	case Sum:
		if q.Total() != nil {
			return Judge2, 0
		}
		return abortIf(late, Sum, record.OutcomeSumMissing)
	case Judge2:
		switch q.Total().Decision {
		case Accepted:
			return Switch, 0
		case Rejected:
			return Aborted, record.OutcomeSumInvalid
		}
		return abortIf(late, Judge2, record.OutcomeNoVerdicts)
	case Switch:
		if len(q.Shares()) == len(q.Total().Record.Active) {
			return Judge3, 0
		}
		return abortIf(late, Switch, record.OutcomeShareMissing)
	case Judge3:
		return s.afterJudge3(q, late)
	case Done:
		if q.Result == nil {
			return abortIf(late, Done, record.OutcomeResultMissing)
		}
	}
	return q.Phase, q.Outcome
}

func abortIf(late bool, stay Phase, o record.Outcome) (Phase, record.Outcome) {
	if late {
		return Aborted, o
	}
	return stay, 0
}

func (s *State) afterOpen(q *Query, late bool) (Phase, record.Outcome) {
	if len(q.Answers) < len(q.Asked) && !late {
		return Open, 0
	}
	for _, a := range q.Answers {
		if !a.Record.Declined() {
			return Judge1, 0
		}
	}
	return Aborted, record.OutcomeNoAnswers
}

// afterJudge1 lets a query on only with enough accepted patients. If the
// undecided ones could have made up the number, the verifiers are to blame.
func (s *State) afterJudge1(q *Query, late bool) (Phase, record.Outcome) {
	if !late && len(q.answerLeaves(Undecided)) > 0 {
		return Judge1, 0
	}
	switch {
	case q.Participants() >= q.Minimum:
		return Sum, 0
	case q.count(Accepted, Undecided) >= q.Minimum:
		return Aborted, record.OutcomeNoVerdicts
	}
	return Aborted, record.OutcomeCohortTooSmall
}

func (s *State) afterJudge3(q *Query, late bool) (Phase, record.Outcome) {
	accepted := 0
	for _, k := range q.Shares() {
		switch k.Decision {
		case Rejected:
			return Aborted, record.OutcomeShareInvalid
		case Accepted:
			accepted++
		}
	}
	if accepted == len(q.Total().Record.Active) {
		return Done, 0
	}
	return abortIf(late, Judge3, record.OutcomeNoVerdicts)
}

// register opens a query, if the policy allows it and it was planned on the
// current state: query step Q2.
func (s *State) register(index uint64, e record.Envelope, p *record.Query) (apply, error) {
	d, err := s.rules.decide(e.Signer, p)
	if err != nil {
		return nil, err
	}
	key, err := s.current(p)
	if err != nil {
		return nil, err
	}
	q := &Query{
		ID: e.QueryID(), Leaf: index, Querier: e.Signer, Record: p,
		Patients: d.Patients, Asked: d.Asked, Minimum: d.Minimum, PartSize: d.PartSize, KeyEpoch: key.Epoch, Servers: s.rules.servers,
		Phase: Open, Ended: map[Phase]uint64{}, Leaves: []uint64{index},
		Voted:   []map[string]bool{{}, {}, {}},
		Answers: map[string]*Answer{}, Partials: map[string]*Aggregate{},
	}
	s.pinTime(q, 0)
	return func() bool {
		key.Reserved++
		s.d.Queries[q.ID] = q
		s.open[q.ID] = q
		return true
	}, nil
}

// current refuses a query that names another key, parameter set, server or
// time than those in force. The caller plans again.
func (s *State) current(p *record.Query) (*KeyEpoch, error) {
	now := s.d.LedgerMS
	key := s.currentKey()
	switch {
	case p.ParamsID != fixed32(s.rules.cluster.Params):
		return nil, refuse(Stale, "QUERY: parameter set %x is not in force", p.ParamsID[:8])
	case !slices.Contains(s.rules.servers, p.Coordinator):
		return nil, refuse(Stale, "QUERY: coordinator %s is not in the roster", p.Coordinator)
	case key == nil:
		return nil, refuse(Stale, "QUERY: no collective key is active yet")
	case p.KeyLeaf != key.ActiveLeaf:
		return nil, refuse(Stale, "QUERY: key of leaf %d, the current one is of leaf %d", p.KeyLeaf, key.ActiveLeaf)
	case key.Reserved >= MaxOpenings:
		return nil, policy("P8", "key epoch %d has no openings left of %d", key.Epoch, MaxOpenings)
	case p.To*1000 > now:
		return nil, refuse(Stale, "QUERY: window ends at %d s, ledger time is %d ms", p.To, now)
	case p.NotAfter <= now:
		return nil, refuse(Late, "QUERY: not_after %d ms has passed, ledger time is %d ms", p.NotAfter, now)
	case p.NotAfter > now+record.MaxAheadMS:
		return nil, refuse(Stale, "QUERY: not_after %d ms is more than 10 min after ledger time %d ms", p.NotAfter, now)
	}
	return key, nil
}
