package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// selfStart is how long after a query's registration a server that nobody told
// passes it on by itself, as the coordinator may be silent.
const selfStart = 2 * time.Second

// Begin is the querier's Run: it checks the ticket and passes the question on
// to every server and to the own gateways; it is query step Q3. It returns when
// the own gateways have their tasks; other servers are told in the same time
// and may fail without harm, as they watch the ledger, too.
func (s *Server) Begin(ctx context.Context, ticket, querierKey []byte) error {
	q, err := s.admit(ctx, ticket, querierKey)
	if err != nil {
		return err
	}
	eg, ctx := errgroup.WithContext(ctx)
	for _, other := range s.Cluster.Servers {
		if other.ID == s.ID {
			continue
		}
		eg.Go(func() error {
			if err := s.Servers.Distribute(ctx, other.ID, ticket, querierKey); err != nil {
				s.Log.Warn("server not told", "query", fmt.Sprintf("%x", q.id[:8]), "step", "Q3", "server", other.ID, "err", err)
			}
			return nil
		})
	}
	eg.Go(func() error { s.handOut(q, ticket); return nil })
	return eg.Wait()
}

// Distribute is another server's word that a query is there. It is not
// believed: the ticket is checked like the querier's.
func (s *Server) Distribute(ctx context.Context, ticket, querierKey []byte) error {
	q, err := s.admit(ctx, ticket, querierKey)
	if err != nil {
		return err
	}
	s.handOut(q, ticket)
	return nil
}

// ticketed is a query whose ticket was checked.
type ticketed struct {
	id       record.Hash
	record   *record.Query
	deadline time.Time
}

// admit checks a ticket against the ledger, the policy against the own
// cluster.yaml, and the querier's key against the signed question.
func (s *Server) admit(ctx context.Context, ticket, querierKey []byte) (*ticketed, error) {
	rec, leaf, err := s.Ledger.CheckTicket(ctx, ticket, s.Now())
	if err != nil {
		return nil, fmt.Errorf("check ticket: %w", err)
	}
	var q *fsm.Query
	err = s.Ledger.Until(ctx, func(st *fsm.State) bool {
		if st.Size() <= leaf {
			return false
		}
		for _, open := range st.OpenQueries() {
			if open.Leaf == leaf {
				q = open
			}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("wait for leaf %d: %w", leaf, err)
	}
	if q == nil {
		return nil, fmt.Errorf("query of leaf %d is not open", leaf)
	}
	if _, err := fsm.Allowed(s.Cluster, q.Querier, rec); err != nil {
		return nil, err
	}
	key, err := s.HE.ParseQuerierKey(q.KeyEpoch, querierKey)
	if err != nil {
		return nil, fmt.Errorf("querier's key: %w", err)
	}
	if key.Digest() != rec.QuerierKey {
		return nil, fmt.Errorf("querier's key is not the one in the signed query")
	}
	if err := s.Vault.PutQuerierKey(q.ID, querierKey); err != nil {
		return nil, err
	}
	deadline := s.Now().Add(time.Duration(rec.TimeoutMS) * time.Millisecond)
	if end, ok := q.EndOf(fsm.Open); ok {
		deadline = time.UnixMilli(int64(end))
	}
	return &ticketed{id: q.ID, record: rec, deadline: deadline}, nil
}

// handOut sends the task to the attached gateways that the query asks, once.
// A gateway that attaches later gets it then (see tasksFor).
func (s *Server) handOut(q *ticketed, ticket []byte) {
	s.mu.Lock()
	done := s.sent[q.id] != nil
	s.sent[q.id] = ticket
	s.mu.Unlock()
	if done {
		return
	}
	asked := s.asked(q.id)
	told := 0
	for _, gw := range s.Links.Attached() {
		if !slices.Contains(asked, record.RoleGateway+"/"+gw) {
			continue
		}
		if err := s.Links.Send(gw, q.id[:], ticket, q.deadline); err != nil {
			s.Log.Warn("gateway not told", "query", fmt.Sprintf("%x", q.id[:8]), "step", "Q3", "gateway", gw, "err", err)
			continue
		}
		told++
	}
	s.Log.Info("query handed out", "query", fmt.Sprintf("%x", q.id[:8]), "step", "Q3", "gateways", told)
}

// asked lists the gateways that a query asks and that have this server as
// their home.
func (s *Server) asked(id record.Hash) []string {
	_, q := s.view(id)
	if q == nil {
		return nil
	}
	var own []string
	for _, path := range q.Asked {
		gw, ok := s.Cluster.Gateway(strings.TrimPrefix(path, record.RoleGateway+"/"))
		if ok && gw.Server == s.ID {
			own = append(own, path)
		}
	}
	return own
}

// distributeFromLog hands out a query that nobody told this server about.
func (s *Server) distributeFromLog(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	s.mu.Lock()
	done := s.sent[q.ID] != nil
	s.mu.Unlock()
	if done || !q.Started || s.Now().UnixMilli() < int64(q.T0)+selfStart.Milliseconds() {
		return nil
	}
	ticket, err := s.Verifiers.Ticket(ctx, q.ID[:])
	if err != nil {
		return fmt.Errorf("fetch ticket: %w", err)
	}
	if _, _, err := s.Ledger.CheckTicket(ctx, ticket, s.Now()); err != nil {
		return fmt.Errorf("check ticket: %w", err)
	}
	log.Info("nobody told this server of the query, starting from the ledger", "step", "Q3")
	end, _ := q.EndOf(fsm.Open)
	s.handOut(&ticketed{id: q.ID, record: q.Record, deadline: time.UnixMilli(int64(end))}, ticket)
	return nil
}
