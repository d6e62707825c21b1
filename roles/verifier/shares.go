package verifier

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// voteShares checks the key-switch shares and signs the VERDICT of phase 3; it
// is part of query step Q8. Checked: the bytes under the logged digest exist,
// have the logged size and are a canonical share. That a share was formed
// honestly is what its proof would show: it is not checked.
func (w *work) voteShares(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	verdicts := map[uint64]judgement{}
	for path, ks := range q.Shares() {
		j := w.judgeShare(ctx, q, ks.Record)
		for j.code == record.CodeUnavailable && w.verifier.remaining(q) > lastSecond {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(retryBlob):
			}
			j = w.judgeShare(ctx, q, ks.Record)
		}
		if j.code != record.CodeValid {
			log.Warn("share not accepted", "step", "Q8", "server", path, "code", j.code.String(), "reason", j.text)
		}
		verdicts[ks.Leaf] = j
	}
	if len(verdicts) == 0 {
		return nil
	}
	log.Info("shares judged", "step", "Q8", "shares", len(verdicts))
	return w.vote(ctx, record.PhaseShares, verdicts)
}

func (w *work) judgeShare(ctx context.Context, q *fsm.Query, ks *record.KeySwitch) judgement {
	if ks.ShareSize != uint64(w.verifier.sizes.share) {
		return judgement{record.CodeMalformed, "share has another size than its kind"}
	}
	data, err := w.verifier.blob(ctx, ks.Share, w.verifier.sizes.share)
	if errors.Is(err, errBlobSize) {
		return judgement{record.CodeMalformed, err.Error()}
	}
	if err != nil {
		return judgement{record.CodeUnavailable, err.Error()}
	}
	if err := w.verifier.HE.CheckShare(q.KeyEpoch, int(q.Total().Record.K), data); err != nil {
		return judgement{record.CodeMalformed, err.Error()}
	}
	return judgement{record.CodeValid, ""}
}

// closeStagger is the head start that each verifier gives the one before it in
// the roster, so that a query has one CLOSE and not n attempts at one.
const closeStagger = 300 * time.Millisecond

// close posts the CLOSE that the state dictates.
func (w *work) close(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	if q.Phase == fsm.Done && q.Result == nil && w.verifier.remaining(q) > 0 {
		return nil // the coordinator's turn
	}
	if w.done.IsZero() {
		w.done = w.verifier.Now()
	}
	turn := slices.Index(w.verifier.paths, w.verifier.Signer.Path())
	if wait := time.Duration(turn)*closeStagger - w.verifier.Now().Sub(w.done); wait > 0 && !w.verifier.leads() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	var rec *record.Close
	w.verifier.Ledger.View(func(s *fsm.State) { rec, _ = s.CloseRecord(w.id) })
	if rec == nil {
		return nil
	}
	log.Info("query closed", "step", "Q8", "outcome", rec.Outcome.String(), "participants", rec.Participants)
	return w.verifier.submit(ctx, rec)
}
