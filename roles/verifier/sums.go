package verifier

import (
	"context"
	"fmt"
	"log/slog"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/crypto/he"
)

// voteSums adds the accepted ciphertexts itself and signs the VERDICT of phase
// 2; it is part of query step Q6. Addition is deterministic, so equality of the
// digests is the proof that exactly the accepted answers are in the sum.
func (w *work) voteSums(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	verdicts := map[uint64]judgement{}
	for _, total := range q.Totals {
		verdicts[total.Leaf] = w.judgeSum(ctx, q, total.Record)
	}
	for _, partial := range q.Partials {
		verdicts[partial.Leaf] = w.judgeSum(ctx, q, partial.Record)
	}
	for leaf, j := range verdicts {
		if j.code != record.CodeValid {
			log.Warn("sum not accepted", "step", "Q6", "leaf", leaf, "code", j.code.String(), "reason", j.text)
		}
	}
	log.Info("sums added again", "step", "Q6", "sums", len(verdicts))
	return w.vote(ctx, record.PhaseSums, verdicts)
}

// judgeSum recomputes one AGGREGATE from the ciphertexts of the answers that it
// lists.
func (w *work) judgeSum(ctx context.Context, q *fsm.Query, agg *record.Aggregate) judgement {
	leaves, err := record.Leaves(agg.Answers)
	if err != nil {
		return judgement{record.CodeMalformed, err.Error()}
	}
	sum, err := w.verifier.HE.NewSum(q.KeyEpoch, int(agg.K))
	if err != nil {
		return judgement{record.CodeMalformed, err.Error()}
	}
	answers := map[uint64]*record.Answer{}
	for _, a := range q.Answers {
		if a.Decision == fsm.Accepted {
			answers[a.Leaf] = a.Record
		}
	}
	for _, leaf := range leaves {
		a, ok := answers[leaf]
		if !ok {
			return judgement{record.CodeInvalid, fmt.Sprintf("leaf %d is not an accepted answer", leaf)}
		}
		if j, ok := w.addAnswer(ctx, q, sum, a); !ok {
			return j
		}
	}
	if c0, c1 := sum.Hashes(); c0 != agg.C0 || c1 != agg.C1 {
		return judgement{record.CodeInvalid, "is not the sum of the listed answers"}
	}
	return judgement{record.CodeValid, ""}
}

// addAnswer adds every part of an answer, or says why it cannot.
func (w *work) addAnswer(ctx context.Context, q *fsm.Query, sum *he.Sum, a *record.Answer) (judgement, bool) {
	for _, part := range a.Parts {
		data, err := w.verifier.blob(ctx, part.Ciphertext, w.verifier.sizes.ciphertext)
		if err != nil {
			return judgement{record.CodeUnavailable, err.Error()}, false
		}
		ct, err := w.verifier.HE.ParseCiphertext(q.KeyEpoch, data)
		if err == nil {
			err = sum.Add(ct)
		}
		if err != nil {
			return judgement{record.CodeInvalid, err.Error()}, false
		}
	}
	return judgement{}, true
}
