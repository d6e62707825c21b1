package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
	"statnet/stat"
)

// declined is a question that this gateway will not answer. The outcome goes
// on the ledger; the reason stays in this gateway's log.
type declined struct {
	outcome record.AnswerOutcome
	reason  error // names no patient
}

// Error implements error.
func (d *declined) Error() string { return outcomeText(d.outcome) + ": " + d.reason.Error() }

// Unwrap gives the reason.
func (d *declined) Unwrap() error { return d.reason }

func decline(o record.AnswerOutcome, format string, args ...any) error {
	return &declined{o, fmt.Errorf(format, args...)}
}

// outcomeText is all that a server or querier is told.
func outcomeText(o record.AnswerOutcome) string {
	switch o {
	case record.DeclinedPolicy:
		return "declined: policy"
	case record.DeclinedBudget:
		return "declined: budget"
	case record.DeclinedNoData:
		return "declined: no data"
	case record.DeclinedClock:
		return "declined: clock"
	default:
		return "declined: internal"
	}
}

// errNotAsked reports a question about none of this gateway's patients. The
// ledger takes no ANSWER for it, not even a refusal.
var errNotAsked = errors.New("question is not about patients of this gateway")

// member is a patient of this gateway whom a question is about.
type member struct {
	id        string // as in cluster.yaml; never leaves the process
	pseudonym record.Pseudonym
}

// plan is an allowed question as this gateway answers it.
type plan struct {
	selection stat.Selection
	from, to  int64      // epochs, half open
	parts     [][]member // by pseudonym; at most stat.PartSize each
}

func (p *plan) members() (out []member) {
	for _, part := range p.parts {
		out = append(out, part...)
	}
	return out
}

// planner judges questions by this gateway's own copy of cluster.yaml, so that
// no quorum of verifiers can widen what its operator agreed to.
type planner struct {
	cluster *config.Cluster
	path    string // "gateway/gw-1"
	own     map[record.Pseudonym]string
}

func newPlanner(c *config.Cluster, id string) (*planner, error) {
	g, ok := c.Gateway(id)
	if !ok {
		return nil, fmt.Errorf("gateway %s is not in cluster.yaml", id)
	}
	p := &planner{cluster: c, path: record.RoleGateway + "/" + id, own: map[record.Pseudonym]string{}}
	for _, patient := range g.Patients {
		p.own[record.PseudonymOf(c.Name, patient)] = patient
	}
	return p, nil
}

// plan checks policy, fit and window: query step Q4. It touches no data, so a
// refused question costs and reveals nothing.
//
// It does not check the ticket, the signature or the phase: the ledger's state
// has them.
func (p *planner) plan(querier string, q *record.Query, now time.Time) (*plan, error) {
	// Allowed also refuses sums that could wrap (stat.CheckFit over every
	// gateway's parts), before anything is computed or encrypted.
	allowed, err := fsm.Allowed(p.cluster, querier, q)
	if err != nil {
		return nil, &declined{record.DeclinedPolicy, err}
	}
	if !slices.Contains(allowed.Asked, p.path) {
		return nil, errNotAsked
	}
	if !bytes.Equal(q.ParamsID[:], p.cluster.Params) {
		return nil, decline(record.DeclinedPolicy, "question uses parameter set %x, this cluster %s", q.ParamsID[:8], p.cluster.Params)
	}
	if end := time.Unix(int64(q.To), 0); end.After(now) {
		return nil, decline(record.DeclinedClock, "window ends %s after this gateway's time", end.Sub(now).Round(time.Second))
	}
	question, err := stat.ParseQuestion(q.Statistic, q.Params)
	if err != nil {
		return nil, &declined{record.DeclinedPolicy, err}
	}
	var mine []member
	for _, ps := range allowed.Patients { // sorted, so the parts are
		if id, ok := p.own[ps]; ok {
			mine = append(mine, member{id, ps})
		}
	}
	return &plan{
		selection: question.Selection(),
		from:      int64(q.From / record.WindowGrain), to: int64(q.To / record.WindowGrain),
		parts: slices.Collect(slices.Chunk(mine, allowed.PartSize)),
	}, nil
}
