package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// lastSecond before the end of a judging phase a verifier stops looking for
// missing blobs and says that it has none.
const lastSecond = time.Second

// retryBlob is the pause between two searches for a blob that no peer has yet.
const retryBlob = 200 * time.Millisecond

// voteAnswers judges every ANSWER and signs the VERDICT of phase 1: it is
// query step Q5. A ciphertext that cannot be found is looked for until the last
// second of the phase, as its gateway may still be sending it.
func (w *work) voteAnswers(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	for {
		missing := w.judgeAnswers(ctx, q)
		if missing == 0 || w.verifier.remaining(q) < lastSecond {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryBlob):
		}
	}
	verdicts := map[uint64]judgement{}
	bad := 0
	for path, a := range q.Answers {
		if a.Record.Declined() {
			continue
		}
		j, ok := w.judged[a.Leaf]
		if !ok {
			j = judgement{record.CodeUnavailable, "no verifier has the ciphertext"}
		}
		if j.code != record.CodeValid {
			bad++
			log.Warn("answer not accepted", "step", "Q5", "gateway", path, "code", j.code.String(), "reason", j.text)
		}
		verdicts[a.Leaf] = j
	}
	if len(verdicts) == 0 {
		return nil
	}
	log.Info("answers judged", "step", "Q5", "answers", len(verdicts), "not_valid", bad)
	return w.vote(ctx, record.PhaseAnswers, verdicts)
}

// judgeAnswers judges what can be judged now, each answer once, and returns how
// many ciphertexts are still missing.
func (w *work) judgeAnswers(ctx context.Context, q *fsm.Query) (missing int) {
	for _, a := range q.Answers {
		if a.Record.Declined() {
			continue
		}
		if _, done := w.judged[a.Leaf]; done {
			continue
		}
		j, err := w.judgeAnswer(ctx, q, a.Record)
		if err != nil {
			missing++
			continue
		}
		w.judged[a.Leaf] = j
	}
	return missing
}

// judgeAnswer checks every part of an answer: the bytes under the logged digest
// exist and are the one canonical encoding of a ciphertext of the query's key
// epoch. Whether the values inside are true and the noise small is what proofs
// would show: it is not checked. The error means that bytes are missing.
func (w *work) judgeAnswer(ctx context.Context, q *fsm.Query, a *record.Answer) (judgement, error) {
	if a.ProofSystem != record.ProofNone {
		return judgement{record.CodeInvalid, fmt.Sprintf("proof system %q is unknown", a.ProofSystem)}, nil
	}
	for i, part := range a.Parts {
		data, err := w.verifier.blob(ctx, part.Ciphertext, w.verifier.sizes.ciphertext)
		if errors.Is(err, errBlobSize) {
			return judgement{record.CodeMalformed, fmt.Sprintf("part %d: %v", i, err)}, nil
		}
		if err != nil {
			return judgement{}, err
		}
		if _, err := w.verifier.HE.ParseCiphertext(q.KeyEpoch, data); err != nil {
			return judgement{record.CodeMalformed, fmt.Sprintf("part %d: %v", i, err)}, nil
		}
	}
	return judgement{record.CodeValid, ""}, nil
}
