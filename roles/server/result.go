package server

import (
	"context"
	"log/slog"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// resultHandover is the share of the query's time, in permille, after which a
// server that is not the coordinator may post RESULT.
const resultHandover = 960

func (s *Server) resultIsMine(q *fsm.Query) bool {
	return s.rank(q) == 0 || s.passed(q, resultHandover)
}

// result posts what the querier gets: leaves, participants and who is missing
// and why; it is part of query step Q8. Verifiers compare every field with
// their own state, so a server can delay a RESULT but not bend it.
func (s *Server) result(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	res := &record.Result{
		QueryID: q.ID, Aggregate: q.Total().Leaf, Participants: q.Participants(), Excluded: q.Excluded(),
	}
	for _, path := range q.Active() {
		res.KeySwitches = append(res.KeySwitches, q.Shares()[path].Leaf)
	}
	log.Info("result posted", "step", "Q8", "participants", res.Participants, "excluded", len(res.Excluded))
	return s.submit(ctx, res)
}
