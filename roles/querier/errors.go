package querier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"statnet/chain"
	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/internal/cli"
	"statnet/internal/node"
)

// refused turns a refusal by the ledger's rules into exit code 4 or 6.
func (q *Querier) refused(what string, err error) error {
	r, ok := node.Refusal(err)
	if !ok {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch r.Code {
	case fsm.UnknownSigner, fsm.BadSignature, fsm.WrongRole:
		return &cli.Error{Code: cli.NotAuthorised, What: what + ": not authorised", Cause: reason(r),
			Next: "ask an operator of the cluster to enrol querier " + q.ID, Err: err}
	case fsm.PolicyRule:
		return &cli.Error{Code: cli.Refused, What: what + ": refused by policy", Cause: reason(r), Next: q.allowed(), Err: err}
	}
	return &cli.Error{Code: cli.Unavailable, What: what + ": refused by the ledger", Cause: reason(r), Next: "statnet status", Err: err}
}

// reason is the text of a refusal without what its code says already; one that
// came over the wire has it in front.
func reason(r *fsm.Refusal) string {
	text := strings.TrimPrefix(strings.TrimPrefix(r.Text, "refused by policy "), string(r.Code)+": ")
	if r.Rule != "" {
		text = r.Rule + ": " + text
	}
	return text
}

// allowed is a question that the policy allows, as the next command to try.
func (q *Querier) allowed() string {
	for _, r := range q.Cluster.Rules(q.ID) {
		if len(r.Statistics) == 0 || len(r.Signals) == 0 {
			continue
		}
		next := fmt.Sprintf("a question that is allowed: statnet query --stat %s --signal %s --window 24h --purpose %s", r.Statistics[0], r.Signals[0], r.Purpose)
		if len(r.Cohorts) > 0 {
			return next + " --cohort " + r.Cohorts[0]
		}
		if len(r.Patients) > 0 {
			return next + " --patient " + r.Patients[0]
		}
	}
	return "ask an operator for a rule under policy: in cluster.yaml"
}

// unavailable is exit code 7.
func unavailable(what string, err error, next string) error {
	return &cli.Error{Code: cli.Unavailable, What: what, Cause: err.Error(), Next: next, Err: err}
}

// failed is exit code 5. It names the check and the item and never a number.
func failed(check, item string, err error) error {
	return &cli.Error{
		Code: cli.VerificationFailed, What: fmt.Sprintf("VERIFICATION FAILED: %s: %s", check, item),
		Cause: err.Error(), Next: "do not use any number; keep the files and call the operators of the verifiers", Err: err,
	}
}

// unreachable explains a ledger that cannot be used: it asks every verifier
// whether it is there.
func (q *Querier) unreachable(ctx context.Context, what string, err error) error {
	up := q.Verifiers.Reachable(ctx)
	cause := fmt.Sprintf("%d of %d verifiers reachable, %d must sign", up, q.Cluster.N(), q.Cluster.Q())
	if up >= q.Cluster.Q() {
		cause += "; they are there, so wait a moment: a new leader is being elected, or the collective key is being made"
	}
	return &cli.Error{Code: cli.Unavailable, What: what + ": the ledger is not available", Cause: cause,
		Next: "statnet status shows which nodes to start", Err: err}
}

// forked keeps the evidence that a quorum signed two ledgers.
func (q *Querier) forked(err error) error {
	var fork *chain.ForkError
	if errors.As(err, &fork) {
		dir := filepath.Join(q.Dir, "evidence")
		if mkErr := os.MkdirAll(dir, 0o700); mkErr == nil {
			for name, note := range map[string][]byte{"fork-1.note": fork.First, "fork-2.note": fork.Second} {
				if wErr := os.WriteFile(filepath.Join(dir, name), note, 0o600); wErr != nil {
					q.Log.Error("evidence not kept", "err", wErr)
				}
			}
		}
	}
	return failed("two ledgers", "checkpoint", err)
}

// notOpened explains a query that was closed without a result.
func (q *Querier) notOpened(query *fsm.Query) error {
	code, cause, next := cli.Unavailable, "", "statnet status"
	switch o := query.Outcome; o {
	case record.OutcomeCohortTooSmall:
		code, next = cli.Refused, "ask about a larger cohort"
		cause = fmt.Sprintf("only %d patients accepted, policy requires %d; nothing was opened", query.Participants(), query.Minimum)
	case record.OutcomeNoVerdicts:
		cause = fmt.Sprintf("fewer than %d of %d verifiers gave a verdict", q.Cluster.Q(), q.Cluster.N())
	case record.OutcomeNoAnswers:
		cause, next = noAnswers(query)
	case record.OutcomeSumInvalid, record.OutcomeShareInvalid:
		what, item := culprit(query)
		return failed(what, fmt.Sprintf("rejected by %d of %d verifiers (leaf %d)", against(item), q.Cluster.N(), item.Leaf),
			fmt.Errorf("query %x: %s; nothing was opened", query.ID[:8], o))
	case record.OutcomeSumMissing, record.OutcomeResultMissing:
		cause = "the servers did not finish in time; nothing was opened"
		next = "ask again: another server will coordinate"
	case record.OutcomeShareMissing:
		cause = fmt.Sprintf("%v stopped during opening; nothing was opened", missingShares(query))
		next = "ask again: the other servers will open"
	default:
		cause = o.String()
	}
	for _, e := range query.Excluded() {
		cause += fmt.Sprintf("; %s: %s", trimRole(e.Path), e.Code)
	}
	return &cli.Error{Code: code, What: fmt.Sprintf("query %x: %s", query.ID[:8], query.Outcome), Cause: cause, Next: next}
}

// noAnswers tells gateways that were silent from those that had nothing to say.
func noAnswers(query *fsm.Query) (cause, next string) {
	silent, noData := false, true
	for _, e := range query.Excluded() {
		silent = silent || e.Code == record.ExcludedMissing
		noData = noData && e.Code == record.ExcludedDeclined+record.Code(record.DeclinedNoData)
	}
	switch {
	case noData:
		return "no gateway has heartbeats of this window", "ask about another window, e.g. --window 1h"
	case !silent:
		return "every gateway declined, or its answer did not pass the checks", "statnet ledger log"
	}
	return fmt.Sprintf("no gateway answered within %d s", query.Record.TimeoutMS*55/100/1000), "statnet status"
}

// culprit names the server whose sum or share was rejected.
func culprit(query *fsm.Query) (what string, item fsm.Item) {
	if t := query.Total(); t != nil && t.Decision == fsm.Rejected {
		return "sum of " + t.Server, t.Item
	}
	for _, path := range query.Active() {
		if ks := query.Shares()[path]; ks != nil && ks.Decision == fsm.Rejected {
			return "share of " + path, ks.Item
		}
	}
	return query.Outcome.String(), item
}

func against(item fsm.Item) (n int) {
	for _, c := range item.Votes {
		if c.Rejects() {
			n++
		}
	}
	return n
}

func missingShares(query *fsm.Query) []string {
	var out []string
	for _, p := range query.Active() {
		if query.Shares()[p] == nil {
			out = append(out, p)
		}
	}
	return out
}
