package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/stat"
	"statnet/store"
)

// answer does query step Q4 for one task: check, compute, encrypt, seal, store,
// send. What was stored before is sent again as it is: a second encryption of
// one answer would give away the difference, and another record under the same
// key would be evidence against this gateway.
func (g *Gateway) answer(ctx context.Context, t Task) error {
	ctx, cancel := context.WithTimeout(ctx, g.patience(t))
	defer cancel()
	q, err := g.registered(ctx, t)
	if err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, g.remaining(q))
	defer cancel()
	a, ok, err := g.Store.Answer(t.QueryID)
	if err != nil {
		return fmt.Errorf("look for an earlier answer: %w", err)
	}
	if !ok {
		if a, err = g.make(ctx, q); err != nil {
			return err
		}
	}
	g.step(q.ID).Debug("sending", "parts", len(a.Parts), "again", ok)
	return g.send(ctx, q, a)
}

// registered checks the ticket and waits until this gateway's own copy of the
// ledger holds the question: query step Q4. What the server says counts for
// nothing here.
func (g *Gateway) registered(ctx context.Context, t Task) (*fsm.Query, error) {
	rec, leaf, err := g.Ledger.CheckTicket(ctx, t.Ticket, g.Config.Now())
	if err != nil {
		return nil, fmt.Errorf("check ticket: %w", err)
	}
	var q *fsm.Query
	err = g.Ledger.Until(ctx, func(s *fsm.State) bool {
		found, ok := s.Query(t.QueryID)
		q = found
		return ok || s.Size() > leaf
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("wait for leaf %d: %w", leaf, err)
	case q == nil:
		return nil, fmt.Errorf("leaf %d is not question %x, which the task names", leaf, t.QueryID[:8])
	case q.Leaf != leaf || q.Record.Nonce != rec.Nonce:
		return nil, fmt.Errorf("ticket is for another question than %x", t.QueryID[:8])
	}
	return q, nil
}

// make prepares the answer, or the refusal, and stores it before anyone sees
// it: query step Q4.
func (g *Gateway) make(ctx context.Context, q *fsm.Query) (store.Answer, error) {
	if q.Phase != fsm.Open {
		return store.Answer{}, fmt.Errorf("question is in %s: too late to answer", q.Phase)
	}
	// Leave time to send what is computed.
	work, cancel := context.WithTimeout(ctx, g.remaining(q)*3/4)
	defer cancel()
	a, err := g.prepare(work, q)
	var d *declined
	switch {
	case errors.Is(err, errNotAsked):
		return store.Answer{}, err
	case errors.As(err, &d):
		g.step(q.ID).Warn("declined", "outcome", outcomeText(d.outcome), "reason", d.reason)
		a, err = g.refusal(q, d.outcome)
	case err != nil:
		g.step(q.ID).Error("declined", "outcome", outcomeText(record.DeclinedInternal), "reason", err)
		a, err = g.refusal(q, record.DeclinedInternal)
	}
	if err != nil {
		return store.Answer{}, err
	}
	switch err := g.Store.SaveAnswer(q.ID, a); {
	case errors.Is(err, store.ErrBudget):
		g.step(q.ID).Warn("declined", "outcome", outcomeText(record.DeclinedBudget))
		if a, err = g.refusal(q, record.DeclinedBudget); err == nil {
			err = g.Store.SaveAnswer(q.ID, a)
		}
		return a, err
	case err != nil:
		return store.Answer{}, fmt.Errorf("store answer: %w", err)
	}
	return a, nil
}

// prepare computes and encrypts: query step Q4. Policy and fit come first, so a
// refused question reads no sum and makes no ciphertext.
func (g *Gateway) prepare(ctx context.Context, q *fsm.Query) (store.Answer, error) {
	p, err := g.planner.plan(q.Querier, q.Record, g.Config.Now())
	if err != nil {
		return store.Answer{}, err
	}
	cipher, err := g.cipher(ctx, q)
	if err != nil {
		return store.Answer{}, err
	}
	all, err := g.totals(ctx, p)
	if err != nil {
		return store.Answer{}, err
	}
	rec := &record.Answer{QueryID: q.ID, Outcome: record.Answered, ProofSystem: record.ProofNone,
		HomeServer: g.home, LogRows: rowBucket(all)}
	var a store.Answer
	for i, part := range p.parts {
		c, err := encrypt(cipher, all[i], partSelection(p.selection, i))
		if err != nil {
			return store.Answer{}, err
		}
		digest := sha256.Sum256(c)
		a.Parts = append(a.Parts, store.Part{Ciphertext: c, Digest: digest})
		rec.Parts = append(rec.Parts, record.Part{Ciphertext: digest, Patients: pseudonyms(part)})
		for _, m := range part {
			a.Spent = append(a.Spent, store.Spending{Patient: m.id, Units: 1})
		}
	}
	a.Leaf, err = record.Seal(g.origin, g.Signer, rec)
	if err != nil {
		return store.Answer{}, err
	}
	g.step(q.ID).Info("encrypted", "parts", len(a.Parts), "patients", len(a.Spent), "epochs", p.to-p.from)
	return a, nil
}

// cipher is the encryption under the key that the question names, as this
// gateway's own copy of the ledger has it.
func (g *Gateway) cipher(ctx context.Context, q *fsm.Query) (Cipher, error) {
	var key *fsm.KeyEpoch
	g.Ledger.View(func(s *fsm.State) { key, _ = s.Key(q.KeyEpoch) })
	if key == nil || key.Status != fsm.KeyActive || key.ActiveLeaf != q.Record.KeyLeaf {
		return nil, fmt.Errorf("key of leaf %d is not active", q.Record.KeyLeaf)
	}
	c, err := g.Keys.Cipher(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("collective key of epoch %d: %w", q.KeyEpoch, err)
	}
	return c, nil
}

func encrypt(c Cipher, patients []stat.Totals, sel stat.Selection) ([]byte, error) {
	m, err := stat.Encode(patients, sel)
	if err != nil {
		return nil, err
	}
	defer clear(m[:])
	return c.Encrypt(m[:])
}

// partSelection lets only the first part count this gateway.
func partSelection(sel stat.Selection, part int) stat.Selection {
	if part > 0 {
		return sel.LaterPart()
	}
	return sel
}

func pseudonyms(part []member) []record.Pseudonym {
	out := make([]record.Pseudonym, len(part))
	for i, m := range part {
		out[i] = m.pseudonym
	}
	return out
}

// refusal is the signed record of a decline. It carries a code and no patient.
func (g *Gateway) refusal(q *fsm.Query, o record.AnswerOutcome) (store.Answer, error) {
	leaf, err := record.Seal(g.origin, g.Signer, &record.Answer{QueryID: q.ID, Outcome: o, HomeServer: g.home})
	return store.Answer{Leaf: leaf}, err
}
