package querier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"statnet/chain/bundle"
	"statnet/chain/fsm"
	"statnet/chain/keys"
	"statnet/chain/record"
	"statnet/crypto/he"
	"statnet/stat"
)

// Answer is a checked and opened answer.
type Answer struct {
	Query   *fsm.Query
	Window  Window
	Ask     Ask
	Result  stat.Result
	Report  *bundle.Report
	Receipt []byte // the archive that `statnet ledger verify` checks
	Timing  []Lap
	Hours   int  // questions that a series took; 0 for a single one
	partial bool // of a series: an hour is missing or partial
}

// Partial reports that a provider, or an hour of a series, is missing.
func (a *Answer) Partial() bool { return a.partial || a.Query.Outcome == record.OutcomePartial }

// open builds the receipt, checks it as an auditor would, fetches and adds the
// shares, and decrypts; it is query step Q9. No number exists before every
// check has passed.
func (q *Querier) open(ctx context.Context, r *registered, clock *stopwatch) (*Answer, error) {
	var closed *fsm.Query
	q.Ledger.View(func(s *fsm.State) { closed, _ = s.Query(r.id) })
	if closed != nil && !closed.Outcome.Opened() {
		return nil, q.notOpened(closed)
	}
	receipt, err := q.receipt(r.id)
	if err != nil {
		return nil, err
	}
	report, err := bundle.Check(receipt, q.Policy)
	if f, ok := bundle.AsFailure(err); ok {
		return nil, failed(f.Check, f.Item, f.Err)
	}
	if err != nil {
		return nil, failed("receipt", fmt.Sprintf("query %x", r.id[:8]), err)
	}
	// The records are authentic; are they the answer to what was asked?
	query := report.Query
	if query.ID != r.id {
		return nil, failed("question", fmt.Sprintf("query %x", query.ID[:8]), errors.New("the receipt is of another question"))
	}
	sums, err := q.decrypt(ctx, r, report)
	if err != nil {
		return nil, err
	}
	clock.lap("open")
	minimum := query.Minimum
	result, err := stat.ComputeCohort(r.ask.Question, sums, minimum)
	if err != nil {
		return nil, failed("sums", "the opened integers", err)
	}
	a := &Answer{Query: query, Window: r.window, Ask: r.ask, Result: result, Report: report, Timing: clock.laps()}
	return a, q.seal(receipt, a)
}

// receipt collects the query's records from the followed ledger.
func (q *Querier) receipt(id record.Hash) (*bundle.Receipt, error) {
	var query *fsm.Query
	var key *fsm.KeyEpoch
	q.Ledger.View(func(s *fsm.State) {
		if query, _ = s.Query(id); query != nil {
			key, _ = s.Key(query.KeyEpoch)
		}
	})
	if query == nil || key == nil {
		return nil, failed("receipt", fmt.Sprintf("query %x", id[:8]), errors.New("it is not on the co-signed ledger"))
	}
	receipt, err := bundle.Collect(query, key, q.Cluster.Raw, q.Ledger.Checkpoint(), q.Policy, q.Ledger.Leaf, q.Ledger.Proof)
	if err != nil {
		return nil, failed("receipt", fmt.Sprintf("query %x", id[:8]), err)
	}
	return receipt, nil
}

// decrypt fetches the sum and the shares by their logged digests and opens
// them. The sums must fit what the ledger says: as many gateways as were
// accepted, no more patients than took part.
func (q *Querier) decrypt(ctx context.Context, r *registered, report *bundle.Report) (stat.Sums, error) {
	var none stat.Sums
	query := report.Query
	opening := keys.OpeningOf(query)
	prefix, err := q.blob(ctx, opening.C0, he.KindPrefix, opening.K)
	if err != nil {
		return none, err
	}
	octx := q.HE.OpeningContext(opening)
	var shares []he.Share
	for _, s := range report.Shares() {
		data, err := q.blob(ctx, s.Digest, he.KindShare, opening.K)
		if err != nil {
			return none, err
		}
		shares = append(shares, he.Share{Server: int(s.Index), Context: octx, Digest: s.Digest, Data: data})
	}
	committee := he.Committee{N: len(q.Cluster.Servers), T: q.Cluster.Opening.Threshold}
	coeffs, err := r.key.Open(committee, opening, prefix, shares)
	if err != nil {
		return none, failed("shares", fmt.Sprintf("query %x", query.ID[:8]), err)
	}
	sums, err := stat.Decode(coeffs, r.ask.Question.Selection())
	if err != nil {
		return none, failed("sums", "the opened coefficients", err)
	}
	if accepted := uint64(len(query.AcceptedGateways())); sums.Providers != accepted {
		return none, failed("providers", "coefficient 0", fmt.Errorf("the sum counts %d gateways, the ledger accepted %d", sums.Providers, accepted))
	}
	if sums.Patients > query.Participants() {
		return none, failed("patients", "the sum", fmt.Errorf("the sum counts %d patients, the accepted answers name %d", sums.Patients, query.Participants()))
	}
	return sums, nil
}

// blob fetches an object by digest. A verifier's wrong bytes are not used: the
// digest is checked on the way.
func (q *Querier) blob(ctx context.Context, digest record.Hash, kind he.Kind, k int) ([]byte, error) {
	size, err := q.HE.Size(kind, k)
	if err != nil {
		return nil, err
	}
	data, err := q.Verifiers.GetBlob(ctx, digest[:], int64(size))
	if err != nil {
		return nil, unavailable("fetch what was opened", err, "statnet status")
	}
	return data, nil
}

// seal signs the receipt with the result in it, checks the archive once more as
// any reader would, and keeps it.
func (q *Querier) seal(receipt *bundle.Receipt, a *Answer) error {
	result, err := marshal(q.output(a))
	if err != nil {
		return err
	}
	receipt.Result = result
	if err := receipt.Sign(q.Origin, q.Signer); err != nil {
		return fmt.Errorf("sign the receipt: %w", err)
	}
	var archive bytes.Buffer
	if err := receipt.Write(&archive); err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	a.Receipt = archive.Bytes()
	return q.keep(a.Query.ID, "receipt.tar", a.Receipt)
}

// trimRole cuts "gateway/gw-1" to "gw-1".
func trimRole(path string) string {
	_, id, ok := strings.Cut(path, "/")
	if !ok {
		return path
	}
	return id
}
