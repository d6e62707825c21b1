package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"statnet/chain/record"
	"statnet/stat"
	"statnet/store"
)

// Sums is the part of the store that answering needs.
type Sums interface {
	Window(patient string, from, to int64) (stat.Totals, error)
	ClosedThrough(patient string) (int64, error)
	SaveAnswer(id [32]byte, a store.Answer) error
	Answer(id [32]byte) (store.Answer, bool, error)
}

// closedPoll is how often a live patch is asked whether its window is closed.
const closedPoll = time.Second

// totals reads the window of every part's patients: two look-ups each.
func (g *Gateway) totals(ctx context.Context, p *plan) ([][]stat.Totals, error) {
	if err := g.await(ctx, p); err != nil {
		return nil, err
	}
	out := make([][]stat.Totals, len(p.parts))
	empty := true
	for i, part := range p.parts {
		for _, m := range part {
			t, err := g.window(m.id, p.from, p.to)
			if err != nil {
				return nil, &declined{record.DeclinedInternal, err}
			}
			empty = empty && t == (stat.Totals{})
			out[i] = append(out[i], t)
		}
	}
	if empty {
		// An answer without data would count towards the minimum cohort.
		return nil, decline(record.DeclinedNoData, "no data of %d patients in %d epochs", len(p.members()), p.to-p.from)
	}
	return out, nil
}

// await returns once every patient's window is closed: no beat can still enter
// it. Patches that have ended, or failed, deliver nothing more.
func (g *Gateway) await(ctx context.Context, p *plan) error {
	for flushed := false; ; flushed = true {
		open, err := g.open(p)
		if open == 0 || err != nil {
			return err
		}
		if !flushed { // the beats may be here, waiting for the next minute
			if _, err := g.collector.flush(); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return decline(record.DeclinedNoData, "the window of %d patients is not closed yet", open)
		case <-time.After(closedPoll):
		}
		if _, err := g.collector.flush(); err != nil {
			return err
		}
	}
}

// open counts the patients whose live patch has not passed the window's end.
func (g *Gateway) open(p *plan) (int, error) {
	n := 0
	for _, m := range p.members() {
		closed, err := g.closed(m.id)
		if err != nil {
			return 0, err
		}
		if closed < p.to && g.collector.stateOf(m.id) == patchRunning {
			n++
		}
	}
	return n, nil
}

func (g *Gateway) closed(patient string) (int64, error) {
	closed, err := g.Store.ClosedThrough(patient)
	if errors.Is(err, store.ErrPatient) {
		return 0, nil // enrolled, but nothing has come yet
	}
	if err != nil {
		return 0, fmt.Errorf("read closed epochs: %w", err)
	}
	return closed, nil
}

// window is the patient's sums over [from, to). Epochs behind the end of a
// patch that has ended hold nothing, and so do those of a patient without data.
func (g *Gateway) window(patient string, from, to int64) (stat.Totals, error) {
	closed, err := g.closed(patient)
	if err != nil {
		return stat.Totals{}, err
	}
	if to = min(to, closed); from >= to {
		return stat.Totals{}, nil
	}
	t, err := g.Store.Window(patient, from, to)
	if err != nil {
		return t, fmt.Errorf("read sums of %d epochs: %w", to-from, err)
	}
	return t, nil
}

// rowBucket is floor(log2 rows): how much data stands behind an answer, said
// coarsely.
func rowBucket(all [][]stat.Totals) uint8 {
	var rows uint64
	for _, part := range all {
		for _, t := range part {
			rows += t.N + t.REJ
		}
	}
	return uint8(max(bits.Len64(rows), 1) - 1)
}
