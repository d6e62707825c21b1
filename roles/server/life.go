package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// follow starts one goroutine for every open query.
func (s *Server) follow(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(maxOpen + 1)
	eg.Go(func() error {
		for {
			size, open := s.openQueries()
			for _, q := range open {
				if s.begin(q.ID) && !eg.TryGo(func() error { return s.life(ctx, q.ID) }) {
					s.end(q.ID)
				}
			}
			if err := s.waitGrown(ctx, size); err != nil {
				return err
			}
		}
	})
	return eg.Wait()
}

func (s *Server) openQueries() (size uint64, open []*fsm.Query) {
	s.Ledger.View(func(st *fsm.State) { size, open = st.Size(), st.OpenQueries() })
	return size, open
}

// begin notes that a query has its goroutine; false if it had one.
func (s *Server) begin(id record.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started[id] {
		return false
	}
	s.started[id] = true
	return true
}

// end forgets what was kept for a query in memory.
func (s *Server) end(id record.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.started, id)
	delete(s.sent, id)
	for d, c := range s.received {
		if c.query == id {
			delete(s.received, d)
		}
	}
}

func (s *Server) view(id record.Hash) (size uint64, q *fsm.Query) {
	s.Ledger.View(func(st *fsm.State) {
		size = st.Size()
		q, _ = st.Query(id)
	})
	return size, q
}

// life accompanies one query until it is closed. What goes wrong with a query
// is logged and tried again at the next change; its deadlines end it.
func (s *Server) life(ctx context.Context, id record.Hash) error {
	defer s.end(id)
	for {
		size, q := s.view(id)
		if q == nil || q.Phase == fsm.Closed {
			return nil
		}
		log := s.Log.With("query", fmt.Sprintf("%x", id[:8]), "phase", q.Phase.String())
		if err := s.act(ctx, q, log); err != nil && ctx.Err() == nil {
			log.Warn("turn not taken, will try again", "err", err)
		}
		if err := s.waitGrown(ctx, size); err != nil {
			return err
		}
	}
}

// act does what is this server's to do in the query's phase.
func (s *Server) act(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	switch q.Phase {
	case fsm.Open:
		return s.distributeFromLog(ctx, q, log)
	case fsm.Sum:
		if s.sumIsMine(q) {
			return s.sum(ctx, q, log)
		}
	case fsm.Switch:
		if err := s.switchIfActive(ctx, q, log); err != nil {
			return err
		}
		if s.reissueIsMine(q) {
			return s.reissue(ctx, q, log)
		}
	case fsm.Done:
		if q.Result == nil && s.resultIsMine(q) {
			return s.result(ctx, q, log)
		}
	}
	return nil
}

// passed reports whether this server's clock has passed the given permille of
// the query's time. The ledger's own time decides what is accepted.
func (s *Server) passed(q *fsm.Query, permille uint64) bool {
	return q.Started && uint64(s.Now().UnixMilli()) >= q.T0+q.Record.TimeoutMS*permille/1000
}

// rank is this server's distance behind the coordinator in roster order: 0 for
// the coordinator, 1 for the next, and so on.
func (s *Server) rank(q *fsm.Query) int {
	n := len(q.Servers)
	for i, p := range q.Servers {
		if p == q.Record.Coordinator {
			return (s.index - 1 - i + n) % n
		}
	}
	return n
}

// readyTimeout bounds the question whether another server can open now.
const readyTimeout = time.Second
