package querier

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
	"statnet/internal/cli"
	"statnet/stat"
)

const series = stat.Series

// settle is how long after its end an epoch may be asked about: gateways close
// it and detectors catch up.
const settle = 180 * time.Second

// maxAhead is how long after now a question may still be registered. The
// ledger allows 10 minutes by its own time.
const maxAhead = 5 * time.Minute

// Ask is a question as its asker gave it.
type Ask struct {
	Question  stat.Question
	From, To  time.Time // half open; snapped inwards to whole epochs
	Cohort    string    // "" with Patients "" means the first cohort of the policy
	Patients  []string  // named patients instead of a cohort
	MinCohort uint64    // patients; the policy may demand more
	Purpose   string    // "" takes that of the first fitting rule
	Timeout   time.Duration
}

// Window is the snapped window, Unix seconds, multiples of 300.
type Window struct{ From, To int64 }

// Snap shrinks [from, to) to whole epochs that have settled by now.
func Snap(from, to, now time.Time) (Window, error) {
	const grain = record.WindowGrain
	f := (from.Unix() + grain - 1) / grain * grain
	if from.Nanosecond() > 0 && from.Unix()%grain == 0 {
		f += grain
	}
	last := min(to.Unix(), now.Add(-settle).Unix())
	t := last / grain * grain
	span := from.UTC().Format(time.RFC3339) + " to " + to.UTC().Format(time.RFC3339)
	switch {
	case from.Unix() < 0:
		return Window{}, cli.Usagef("statnet query --help", "window %s: starts before 1970, e.g. --window 24h", span)
	case from.After(now):
		return Window{}, cli.Usagef("statnet query --help", "window %s: lies in the future, e.g. --window 24h", span)
	case f >= t:
		return Window{}, cli.Usagef("statnet query --help",
			"window %s: holds no whole 5-minute epoch that ended at least %v ago, e.g. --window 1h", span, config.Duration(settle))
	case (t-f)/grain > stat.MaxEpochs:
		return Window{}, &cli.Error{Code: cli.Refused, What: fmt.Sprintf("window %s: %d days are too long, at most %d, e.g. --window 24h", span, (t-f)/86400, stat.MaxEpochs/288),
			Cause: "the sums could overflow; nothing was asked", Next: "statnet query --help"}
	}
	return Window{f, t}, nil
}

// planned is a QUERY that is ready to be signed, and the key for its answer.
type planned struct {
	record *record.Query
	key    *he.QuerierKey
	window Window
	plan   fsm.Plan
}

// plan makes the QUERY record of a question; it is query step Q1. Whether the
// policy allows it is found here, too, to tell the asker early; what counts is
// what verifiers, servers and gateways find.
func (q *Querier) plan(ask Ask, coordinator string) (*planned, error) {
	p, err := q.draft(ask, coordinator)
	if err != nil {
		return nil, err
	}
	var key *fsm.KeyEpoch
	q.Ledger.View(func(s *fsm.State) { key, _ = s.CurrentKey() })
	if key == nil {
		return nil, errors.New("no collective key is active")
	}
	if p.key, err = q.HE.NewQuerierKey(key.Epoch); err != nil {
		return nil, err
	}
	p.record.KeyLeaf, p.record.QuerierKey = key.ActiveLeaf, p.key.Public().Digest()
	return p, nil
}

// draft is plan without a key: all that can be said without the ledger.
func (q *Querier) draft(ask Ask, coordinator string) (*planned, error) {
	window, err := Snap(ask.From, ask.To, q.Now())
	if err != nil {
		return nil, err
	}
	rec := &record.Query{
		Statistic: string(ask.Question.Statistic), Params: ask.Question.Params(),
		From: uint64(window.From), To: uint64(window.To), MinCohort: max(1, ask.MinCohort),
		ParamsID: q.HE.ID(), Coordinator: coordinator,
		NotAfter: uint64(q.Now().Add(maxAhead).UnixMilli()), TimeoutMS: uint64(ask.Timeout.Milliseconds()),
	}
	if _, err := rand.Read(rec.Nonce[:]); err != nil {
		return nil, err
	}
	if err := q.about(rec, ask); err != nil {
		return nil, err
	}
	if err := q.enough(rec, ask); err != nil {
		return nil, err
	}
	allowed, err := fsm.Allowed(q.Cluster, q.Signer.Path(), rec)
	if err != nil {
		return nil, q.refused("plan the question", err)
	}
	return &planned{record: rec, window: window, plan: allowed}, nil
}

// dryPlan is a draft and the size of a ciphertext.
func (q *Querier) dryPlan(ask Ask) (*planned, int, error) {
	size, err := q.HE.Size(he.KindCiphertext, 0)
	if err != nil {
		return nil, 0, err
	}
	p, err := q.draft(ask, record.RoleServer+"/"+q.Cluster.Servers[0].ID)
	return p, size, err
}

// about fills in whom the question is about, and the purpose.
func (q *Querier) about(rec *record.Query, ask Ask) error {
	rules := q.Cluster.Rules(q.ID)
	if len(rules) == 0 {
		return &cli.Error{Code: cli.NotAuthorised, What: "plan the question: " + q.ID + " may ask nothing",
			Cause: "cluster.yaml has no policy rule for this querier", Next: q.allowed()}
	}
	rec.Purpose, rec.Cohort = ask.Purpose, ask.Cohort
	fits := func(r config.Rule) bool {
		return contains(r.Statistics, rec.Statistic) && contains(r.Signals, string(ask.Question.Signal)) &&
			(ask.Purpose == "" || r.Purpose == ask.Purpose) && (ask.Cohort == "" || contains(r.Cohorts, ask.Cohort))
	}
	rule := rules[0]
	for _, r := range rules {
		if fits(r) {
			rule = r
			break
		}
	}
	if rec.Purpose == "" {
		rec.Purpose = rule.Purpose
	}
	if len(ask.Patients) > 0 {
		rec.Cohort = ""
		for _, p := range ask.Patients {
			if _, ok := q.Cluster.GatewayOf(p); !ok {
				return cli.Usagef("statnet query --help", "--patient %s: not in cluster.yaml, %s", p, q.anyPatient(rule))
			}
			rec.Pseudonyms = append(rec.Pseudonyms, record.PseudonymOf(q.Cluster.Name, p))
		}
		rec.Pseudonyms = record.SortPseudonyms(rec.Pseudonyms)
		rec.CohortHash = record.CohortDigest(rec.Pseudonyms)
		return nil
	}
	if rec.Cohort == "" && len(rule.Cohorts) > 0 {
		rec.Cohort = rule.Cohorts[0]
	}
	cohort, ok := q.Cluster.Cohort(rec.Cohort)
	if !ok {
		return cli.Usagef("statnet query --help", "--cohort %s: not in cluster.yaml, which has: %s", rec.Cohort, strings.Join(cohortNames(q.Cluster), " "))
	}
	var ps []record.Pseudonym
	for _, p := range cohort.Patients {
		ps = append(ps, record.PseudonymOf(q.Cluster.Name, p))
	}
	rec.CohortHash = record.CohortDigest(ps)
	return nil
}

// anyPatient is an example of a patient that the rule names.
func (q *Querier) anyPatient(rule config.Rule) string {
	if len(rule.Patients) == 0 {
		return "and the policy lets " + q.ID + " ask about no single patient"
	}
	return "e.g. " + rule.Patients[0]
}

// enough refuses a --min-cohort that no answer can meet, before anyone is asked.
func (q *Querier) enough(rec *record.Query, ask Ask) error {
	n, whom := uint64(len(rec.Pseudonyms)), "the patients named are"
	if c, ok := q.Cluster.Cohort(rec.Cohort); ok {
		n, whom = uint64(len(c.Patients)), "cohort "+rec.Cohort+" has"
	}
	if ask.MinCohort <= n {
		return nil
	}
	return &cli.Error{Code: cli.Refused, What: fmt.Sprintf("--min-cohort %d: %s %d, e.g. --min-cohort %d", ask.MinCohort, whom, n, n),
		Cause: "an answer from so few patients is what --min-cohort refuses; nothing was asked", Next: "ask about a larger cohort, or a smaller --min-cohort"}
}

func cohortNames(c *config.Cluster) []string {
	var out []string
	for _, h := range c.Cohorts {
		out = append(out, h.ID)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
