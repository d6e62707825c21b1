package querier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/crypto/he"
	"statnet/internal/node"
)

const (
	submitTimeout   = 15 * time.Second // a question to be in the log
	registerTimeout = 10 * time.Second // a registered question to be co-signed
	upTimeout       = time.Second      // a server to say that it is there
	closeGrace      = 15 * time.Second // after its timeout, a query to be closed
)

// registered is a question that is on the co-signed ledger.
type registered struct {
	*planned
	id   record.Hash
	key  *he.QuerierKey
	ask  Ask
	leaf []byte
}

// register plans, signs and submits the question, waits until it is co-signed,
// and hands the ticket to the coordinator; it is query step Q1. A plan that the
// ledger finds stale, because a key epoch has just ended, is made once more.
func (q *Querier) register(ctx context.Context, ask Ask) (*registered, error) {
	r, err := q.submit(ctx, ask)
	if refusal, ok := node.Refusal(err); ok && refusal.Code == fsm.Stale {
		q.Log.Debug("question was stale, planning again", "step", "Q1", "reason", refusal.Text)
		r, err = q.submit(ctx, ask)
	}
	if refusal, ok := node.Refusal(err); ok {
		return nil, q.refused("register the question", refusal)
	}
	if err != nil {
		return nil, err
	}
	log := q.Log.With("query", fmt.Sprintf("%x", r.id[:8]), "step", "Q1")
	if err := q.cosigned(ctx, r); err != nil {
		return nil, err
	}
	q.report(Progress{Stage: Registered, QueryID: r.id})
	log.Debug("question registered")
	return r, q.run(ctx, r)
}

// submit plans and submits once. Key and question are on disk before anyone
// hears of them, so that an interrupted query can be read later.
func (q *Querier) submit(ctx context.Context, ask Ask) (*registered, error) {
	coordinator, err := q.coordinator(ctx)
	if err != nil {
		return nil, err
	}
	p, err := q.plan(ask, coordinator)
	if err != nil {
		return nil, err
	}
	leaf, err := record.Seal(q.Origin, q.Signer, p.record)
	if err != nil {
		return nil, fmt.Errorf("seal the question: %w", err)
	}
	e, err := record.Decode(leaf)
	if err != nil {
		return nil, err
	}
	r := &registered{planned: p, id: e.QueryID(), key: p.key, ask: ask, leaf: leaf}
	secret, err := p.key.Export()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(q.keep(r.id, "querier.key", secret), q.keep(r.id, "query.cbor", leaf)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	_, err = q.Verifiers.Submit(ctx, leaf)
	if _, refusal := node.Refusal(err); err != nil && !refusal {
		return nil, q.unreachable(context.WithoutCancel(ctx), "register the question", err)
	}
	return r, err
}

// coordinator names the first server that answers. With fewer servers than can
// open, nothing is asked: the patients' budget would be spent for no answer.
func (q *Querier) coordinator(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	errs := make([]error, len(q.Cluster.Servers))
	var wg sync.WaitGroup
	for i, s := range q.Cluster.Servers {
		wg.Go(func() { errs[i] = q.Servers.Up(ctx, s.ID) })
	}
	wg.Wait()
	var up, down []string
	for i, s := range q.Cluster.Servers {
		if errs[i] != nil {
			down = append(down, s.ID)
			q.Log.Debug("server does not answer", "server", s.ID, "err", errs[i])
			continue
		}
		up = append(up, s.ID)
	}
	if need := q.Cluster.Opening.Threshold; len(up) < need {
		return "", unavailable("distribute: too few servers", fmt.Errorf("%d of %d servers reachable, %d must open; %s not: nothing was asked",
			len(up), len(errs), need, strings.Join(down, ", ")), "statnet status")
	}
	return record.RoleServer + "/" + up[0], nil
}

// cosigned waits until the question is below a co-signed checkpoint.
func (q *Querier) cosigned(ctx context.Context, r *registered) error {
	wait, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	err := q.Ledger.Until(wait, func(s *fsm.State) bool {
		_, ok := s.Query(r.id)
		return ok
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	return unavailable("register the question", fmt.Errorf(
		"it is in the log, but fewer than %d of %d verifiers co-signed it: %w", q.Cluster.Q(), q.Cluster.N(), err), "statnet status")
}

// run hands the ticket to the coordinator, or to the next server if it is
// silent. Servers that nobody tells start from the ledger, but without the
// querier's key they cannot open: so one of them must hear it.
func (q *Querier) run(ctx context.Context, r *registered) error {
	ticket, err := q.Verifiers.Ticket(ctx, r.id[:])
	if err != nil {
		return unavailable("fetch the ticket", err, "statnet status")
	}
	if _, _, err := q.Ledger.CheckTicket(ctx, ticket, q.Now()); err != nil {
		return failed("ticket", fmt.Sprintf("query %x", r.id[:8]), err)
	}
	key := r.key.Public().Bytes()
	var errs []error
	for _, id := range q.serverOrder(r.record.Coordinator) {
		if err := q.Servers.Run(ctx, id, ticket, key); err != nil {
			errs = append(errs, err)
			continue
		}
		return nil
	}
	return unavailable("distribute: no server accepted the query", errors.Join(errs...), "statnet status")
}

// serverOrder lists the servers, the coordinator first.
func (q *Querier) serverOrder(coordinator string) []string {
	var ids []string
	for _, s := range q.Cluster.Servers {
		if record.RoleServer+"/"+s.ID == coordinator {
			ids = slices.Insert(ids, 0, s.ID)
		} else {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// watch follows the query until it is closed, and tells of its progress.
func (q *Querier) watch(ctx context.Context, r *registered) error {
	wait, cancel := context.WithTimeout(ctx, r.ask.Timeout+closeGrace)
	defer cancel()
	var last Progress
	err := q.Ledger.Until(wait, func(s *fsm.State) bool {
		query, ok := s.Query(r.id)
		if !ok {
			return false
		}
		if p := progressOf(query); p != last {
			last = p
			q.report(p)
		}
		return query.Phase == fsm.Closed
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	return unavailable("wait for the answer", fmt.Errorf(
		"the query was not closed within %v: %w", r.ask.Timeout+closeGrace, err), "statnet status")
}
