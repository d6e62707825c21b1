package fsm

import (
	"slices"

	"statnet/chain/record"
)

// ResultRecord is the one RESULT that Step accepts in phase DONE.
func (q *Query) ResultRecord() (*record.Result, bool) {
	if q.Phase != Done || q.Result != nil {
		return nil, false
	}
	return &record.Result{QueryID: q.ID, Aggregate: q.Total().Leaf, KeySwitches: q.shareLeaves(),
		Participants: q.Participants(), Excluded: q.Excluded()}, true
}

func (q *Query) shareLeaves() []uint64 {
	out := []uint64{}
	for _, server := range q.Active() {
		if k := q.Shares()[server]; k != nil {
			out = append(out, k.Leaf)
		}
	}
	return out
}

// result compares what a server says with the ledger's own state: query step
// Q8. Any server may post it, since nothing in it is free.
func (s *State) result(index uint64, q *Query, r *record.Result) (apply, error) {
	want, ok := q.ResultRecord()
	if !ok {
		return nil, refuse(WrongPhase, "RESULT in %s", q.Phase)
	}
	if !sameRecord(r, want) {
		return nil, refuse(Malformed, "RESULT is not what the ledger says: leaf %d, %d participants, %d excluded",
			want.Aggregate, want.Participants, len(want.Excluded))
	}
	return func() bool {
		q.Leaves = append(q.Leaves, index)
		q.Result, q.ResultLeaf, q.Outcome = r, index, record.OutcomeComplete
		if len(r.Excluded) > 0 {
			q.Outcome = record.OutcomePartial
		}
		return true
	}, nil
}

// Summary is what CLOSE digests; false while the query goes on.
func (q *Query) Summary() (record.Summary, bool) {
	if !(q.Phase == Aborted || q.Phase == Closed || q.Phase == Done && q.Result != nil) {
		return record.Summary{}, false
	}
	sum := record.Summary{
		Query: q.Leaf, Outcome: q.Outcome, Participants: q.Participants(),
		Accepted: q.Accepted(), Undecided: record.Runs(q.answerLeaves(Undecided)),
		KeySwitches: q.shareLeaves(), Result: q.ResultLeaf,
	}
	for _, a := range q.Answers {
		if a.Decision == Rejected {
			sum.Rejected = append(sum.Rejected, record.RejectedLeaf{Leaf: a.Leaf, Code: a.Reason})
		}
	}
	slices.SortFunc(sum.Rejected, func(a, b record.RejectedLeaf) int { return compare(a.Leaf, b.Leaf) })
	if t := q.Total(); t != nil {
		sum.Aggregate = t.Leaf
	}
	return sum, true
}

// CloseRecord is the one CLOSE that Step accepts; false while the query goes on
// or once it is closed.
func (q *Query) CloseRecord() (*record.Close, bool) {
	sum, ok := q.Summary()
	if !ok || q.Phase == Closed {
		return nil, false
	}
	return &record.Close{QueryID: q.ID, Outcome: sum.Outcome, Participants: sum.Participants, Summary: sum.Digest()}, true
}

// CloseRecord is what any verifier may post now to end the query.
func (s *State) CloseRecord(id record.Hash) (*record.Close, bool) {
	q, ok := s.d.Queries[id]
	if !ok {
		return nil, false
	}
	return q.CloseRecord()
}

// close ends a query: query step Q8.
func (s *State) close(index uint64, q *Query, c *record.Close) (apply, error) {
	want, ok := q.CloseRecord()
	if !ok {
		return nil, refuse(WrongPhase, "CLOSE in %s", q.Phase)
	}
	if *c != *want {
		return nil, refuse(Malformed, "CLOSE is not what the ledger says: outcome %s, %d participants", want.Outcome, want.Participants)
	}
	return func() bool {
		// An opening that nobody has sent a share for is given back.
		for _, shares := range q.KeySwitches {
			if len(shares) == 0 {
				s.d.Epochs[q.KeyEpoch].Reserved--
			}
		}
		if len(q.KeySwitches) == 0 {
			s.d.Epochs[q.KeyEpoch].Reserved--
		}
		q.Leaves = append(q.Leaves, index)
		q.Phase, q.CloseLeaf = Closed, index
		delete(s.open, q.ID)
		return true
	}, nil
}

// sameRecord compares the one encoding of both.
func sameRecord(a, b record.Payload) bool {
	x, errX := record.Encode(a)
	y, errY := record.Encode(b)
	return errX == nil && errY == nil && slices.Equal(x, y)
}
