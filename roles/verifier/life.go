package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// checkerVersion stands in every VERDICT: which checks this verifier makes.
// "none" says that no zero-knowledge proof is among them.
const checkerVersion = "none/1"

// maxOpen bounds the queries that are worked on at once; more wait in the
// ledger, where their own deadlines end them.
const maxOpen = 64

// follow starts one goroutine for every open query and returns when ctx ends
// or the ledger does.
func (v *Verifier) follow(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(maxOpen + 1)
	eg.Go(func() error {
		started := map[record.Hash]bool{}
		for size := uint64(0); ; {
			if err := v.Ledger.Until(ctx, grownTo(&size)); err != nil {
				return err
			}
			for _, q := range v.openQueries() {
				if !started[q.ID] && eg.TryGo(func() error { return v.life(ctx, q.ID) }) {
					started[q.ID] = true
				}
			}
		}
	})
	return eg.Wait()
}

// grownTo waits for a ledger larger than *size, and notes its size there.
func grownTo(size *uint64) func(*fsm.State) bool {
	return func(s *fsm.State) bool {
		if s.Size() <= *size {
			return false
		}
		*size = s.Size()
		return true
	}
}

func (v *Verifier) openQueries() (open []*fsm.Query) {
	v.Ledger.View(func(s *fsm.State) { open = s.OpenQueries() })
	return open
}

// life accompanies one query until it is closed. It returns an error only when
// ctx ends: what goes wrong with a query is said in a VERDICT or is decided by
// the query's deadlines.
func (v *Verifier) life(ctx context.Context, id record.Hash) error {
	w := &work{verifier: v, id: id, judged: map[uint64]judgement{}}
	for {
		size, q := v.view(id)
		if q == nil || q.Phase == fsm.Closed {
			return nil
		}
		log := v.Log.With("query", fmt.Sprintf("%x", id[:8]), "phase", q.Phase.String())
		if err := w.act(ctx, q, log); err != nil && ctx.Err() == nil {
			log.Warn("turn not taken", "err", err)
		}
		wait, cancel := context.WithTimeout(ctx, time.Second)
		err := v.Ledger.Until(wait, grownTo(&size))
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

func (v *Verifier) view(id record.Hash) (size uint64, q *fsm.Query) {
	v.Ledger.View(func(s *fsm.State) {
		size = s.Size()
		q, _ = s.Query(id)
	})
	return size, q
}

// work is what a verifier knows about one query beside the ledger. One
// goroutine owns it.
type work struct {
	verifier *Verifier
	id       record.Hash
	judged   map[uint64]judgement // by leaf, final ones only
	done     time.Time            // when DONE or ABORTED was first seen
}

// judgement is a code for one leaf and, for people, the reason.
type judgement struct {
	code record.Code
	text string
}

// act does what is this verifier's to do in the query's phase.
func (w *work) act(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	self := w.verifier.Signer.Path()
	switch q.Phase {
	case fsm.Open:
		w.judgeAnswers(ctx, q) // early, while gateways are still answering
		return nil
	case fsm.Judge1:
		if q.Voted[record.PhaseAnswers-1][self] {
			return nil
		}
		return w.voteAnswers(ctx, q, log)
	case fsm.Judge2:
		if q.Voted[record.PhaseSums-1][self] {
			return nil
		}
		return w.voteSums(ctx, q, log)
	case fsm.Judge3:
		if q.Voted[record.PhaseShares-1][self] {
			return nil
		}
		return w.voteShares(ctx, q, log)
	case fsm.Done, fsm.Aborted:
		return w.close(ctx, q, log)
	}
	return nil
}

// vote signs and submits one VERDICT.
func (w *work) vote(ctx context.Context, phase uint8, verdicts map[uint64]judgement) error {
	codes := make(map[uint64]record.Code, len(verdicts))
	for leaf, j := range verdicts {
		codes[leaf] = j.code
	}
	rec := &record.Verdict{QueryID: w.id, Phase: phase, Items: record.VerdictItems(codes), Version: checkerVersion}
	for _, item := range rec.Codes() {
		if j := verdicts[item.First]; j.code != record.CodeValid {
			rec.Notes = append(rec.Notes, record.Note{Leaf: item.First, Code: j.code, Text: shorten(j.text)})
		}
	}
	return w.verifier.submit(ctx, rec)
}

// submit seals a record and adds it to the ledger. A refusal because another
// verifier was faster, or the phase has ended, is not an error.
func (v *Verifier) submit(ctx context.Context, p record.Payload) error {
	leaf, err := record.Seal(v.Origin, v.Signer, p)
	if err != nil {
		return fmt.Errorf("seal %s: %w", p.Type(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	_, err = v.Ledger.Submit(ctx, leaf)
	if r, ok := fsm.AsRefusal(err); ok && (r.Code == fsm.Late || r.Code == fsm.WrongPhase) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("submit %s: %w", p.Type(), err)
	}
	return nil
}

// remaining is the time until the phase's deadline by this verifier's clock.
// Ledger time follows honest clocks within a second or so; the caller leaves a
// margin.
func (v *Verifier) remaining(q *fsm.Query) time.Duration {
	end, ok := q.Deadline()
	if !ok {
		return 0
	}
	return time.Duration(int64(end)-v.Now().UnixMilli()) * time.Millisecond
}

// shorten cuts a reason to what a VERDICT may carry, at a character boundary.
func shorten(s string) string {
	if len(s) <= record.MaxText {
		return s
	}
	cut := record.MaxText
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut]
}
