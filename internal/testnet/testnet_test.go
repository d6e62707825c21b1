package testnet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"statnet/chain/bundle"
	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/testnet"
	"statnet/roles/querier"
	"statnet/stat"
)

// check compares an answer with plain arithmetic over the beats of exactly the
// given gateways.
func check(t *testing.T, n *testnet.Net, a *querier.Answer, gateways ...string) {
	t.Helper()
	var got []string
	for _, path := range a.Query.AcceptedGateways() {
		got = append(got, strings.TrimPrefix(path, "gateway/"))
	}
	if slices.Sort(got); !slices.Equal(got, gateways) {
		t.Errorf("gateways in the sum = %v, want %v", got, gateways)
	}
	want, err := stat.ComputeCohort(a.Ask.Question, n.Sums(a.Ask.Question, gateways...), a.Query.Minimum)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := marshal(t, a.Result), marshal(t, want); g != w {
		t.Errorf("answer = %s\nwant     %s", g, w)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ask fails the test unless there is an answer, complete or partial.
func ask(t *testing.T, n *testnet.Net, q querier.Ask) *querier.Answer {
	t.Helper()
	a, err := n.Ask(t.Context(), q)
	if err != nil {
		t.Fatalf("ask: %v", err)
	}
	return a
}

// code wants an error with an exit code that says each of words, and no answer.
func code(t *testing.T, a *querier.Answer, err error, want cli.Code, words ...string) {
	t.Helper()
	if a != nil || cli.CodeOf(err) != want {
		t.Fatalf("answer %v, error %v with exit code %d, want no answer and code %d", a != nil, err, cli.CodeOf(err), want)
	}
	var said strings.Builder
	cli.Report(&said, err)
	for _, w := range words {
		if !strings.Contains(said.String(), w) {
			t.Errorf("error says %q, want %q in it", said.String(), w)
		}
	}
}

var everybody = []string{"gw-1", "gw-2", "gw-3"}

func TestHonestNetworkAnswers(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Queriers: []string{"dr-a", "dr-b"}, Policy: bothDoctors})
	for _, q := range []stat.Question{
		{Statistic: stat.Variance, Signal: stat.RR},
		{Statistic: stat.Mean, Signal: stat.HR},
		{Statistic: stat.Histogram, Signal: stat.RR, Bins: 16},
		{Statistic: stat.Arrhythmia, Signal: stat.RR},
		{Statistic: stat.Summary, Signal: stat.RR},
	} {
		about := n.Question(q.Statistic, q.Signal)
		about.Question = q
		a := ask(t, n, about)
		check(t, n, a, everybody...)
		if a.Partial() || a.Query.KeyEpoch != 1 {
			t.Errorf("%s: partial %v, key epoch %d; want complete, under the first key", q.Statistic, a.Partial(), a.Query.KeyEpoch)
		}
	}
	t.Run("two at once", func(t *testing.T) { twoAtOnce(t, n) })
	t.Run("one patient", func(t *testing.T) { onePatient(t, n) })
}

func bothDoctors(c *config.Cluster) []config.Rule {
	var rules []config.Rule
	for _, q := range c.Queriers {
		all := c.Cohorts[0]
		rules = append(rules, config.Rule{Querier: q.ID, Statistics: []string{"mean", "variance", "histogram", "arrhythmia", "summary"},
			Signals: []string{"rr", "hr"}, Cohorts: []string{all.ID}, Patients: all.Patients[:1], MinCohort: 3, Purpose: "clinical"})
	}
	return rules
}

func twoAtOnce(t *testing.T, n *testnet.Net) {
	var wg sync.WaitGroup
	answers, errs := make([]*querier.Answer, 2), make([]error, 2)
	for i, dr := range []string{"dr-a", "dr-b"} {
		wg.Go(func() { answers[i], errs[i] = n.AskAs(t.Context(), dr, n.Question(stat.Mean, stat.RR)) })
	}
	wg.Wait()
	for i := range answers {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		check(t, n, answers[i], everybody...)
	}
	if answers[0].Query.ID == answers[1].Query.ID {
		t.Error("both have the same query")
	}
}

// onePatient: only the gateway of the patient is asked, and the receipt is what
// an auditor accepts.
func onePatient(t *testing.T, n *testnet.Net) {
	q := n.Question(stat.Mean, stat.RR)
	q.Patients = []string{"p-0001"}
	a := ask(t, n, q)
	if got := a.Query.Asked; !slices.Equal(got, []string{"gateway/gw-1"}) {
		t.Errorf("asked %v, want gw-1 alone", got)
	}
	if _, err := bundle.Verify(bytes.NewReader(a.Receipt), n.Opened("dr-a").Policy); err != nil {
		t.Errorf("receipt: %v", err)
	}
}

func TestQuestionsBeyondThePolicyComputeNothing(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Queriers: []string{"dr-a", "dr-x"}, Policy: func(c *config.Cluster) []config.Rule {
		return []config.Rule{{Querier: "dr-a", Statistics: []string{"mean"}, Signals: []string{"rr"},
			Cohorts: []string{c.Cohorts[0].ID}, MinCohort: 3, Purpose: "clinical"}}
	}})
	a, err := n.AskAs(t.Context(), "dr-x", n.Question(stat.Mean, stat.RR))
	code(t, a, err, cli.NotAuthorised, "dr-x")
	a, err = n.Ask(t.Context(), n.Question(stat.Variance, stat.RR))
	code(t, a, err, cli.Refused, "P1")
	q := n.Question(stat.Mean, stat.RR)
	q.Patients = []string{"p-0001"}
	a, err = n.Ask(t.Context(), q)
	code(t, a, err, cli.Refused, "P2")

	// A program that does not ask its own copy of the policy hears it from f+1
	// verifiers.
	for _, dr := range []string{"dr-a", "dr-x"} {
		a, err = n.AskAs(t.Context(), dr, n.Question(stat.Variance, stat.RR), permissive)
		code(t, a, err, cli.Refused, "policy")
	}
	for _, gw := range everybody {
		if log := n.Logs(gw); strings.Contains(log, "step=Q4") {
			t.Errorf("%s worked on a refused question:\n%s", gw, log)
		}
	}
}

// permissive gives a querier a copy of cluster.yaml that allows it everything.
func permissive(q *querier.Querier) {
	c := *q.Cluster
	c.Policy = []config.Rule{{Querier: q.ID, Statistics: []string{"mean", "variance"}, Signals: []string{"rr"},
		Cohorts: []string{c.Cohorts[0].ID}, MinCohort: 1, Purpose: "clinical"}}
	q.Cluster = &c
}

func TestInterruptedQuestionEndsAtOnce(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Gateways: 1, Patients: 3, Absent: []string{"gw-1"}, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	a, err := n.AskAs(ctx, "dr-a", n.Question(stat.Mean, stat.RR), func(q *querier.Querier) {
		q.Progress = func(p querier.Progress) {
			if p.Stage == querier.Answering {
				cancel()
			}
		}
	})
	if a != nil || err == nil || ctx.Err() == nil {
		t.Errorf("answer %v, error %v; want an error after the interruption", a != nil, err)
	}
}
