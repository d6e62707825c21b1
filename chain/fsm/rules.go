package fsm

import (
	"bytes"
	"slices"

	"statnet/chain/record"
	"statnet/config"
	"statnet/stat"
)

// rules is cluster.yaml as the state machine needs it. Read only.
type rules struct {
	cluster    *config.Cluster
	n, f, q    int
	keys       map[string][32]byte // record keys by node path
	verifiers  []string            // roster order
	servers    []string            // roster order; index 1 is servers[0]
	threshold  int
	sets       []uint16 // sub-key sets, lexicographic; bit i-1 is server i
	patients   map[string][]record.Pseudonym
	homeServer map[string]string // gateway path -> server path
	cohorts    map[string][]record.Pseudonym
	grants     map[string][]grant // by querier path
}

type grant struct {
	config.Rule
	named []record.Pseudonym // sorted
}

func newRules(c *config.Cluster) *rules {
	r := &rules{
		cluster: c, n: c.N(), f: c.F(), q: c.Q(), threshold: c.Opening.Threshold,
		keys: map[string][32]byte{}, patients: map[string][]record.Pseudonym{}, homeServer: map[string]string{},
		cohorts: map[string][]record.Pseudonym{}, grants: map[string][]grant{},
	}
	for _, m := range c.Members() {
		if len(m.RecordKey) == 32 {
			r.keys[m.Path()] = [32]byte(m.RecordKey)
		}
		switch m.Role {
		case config.RoleVerifier:
			r.verifiers = append(r.verifiers, m.Path())
		case config.RoleServer:
			r.servers = append(r.servers, m.Path())
		}
	}
	for _, g := range c.Gateways {
		path := record.RoleGateway + "/" + g.ID
		r.patients[path] = pseudonyms(c.Name, g.Patients)
		r.homeServer[path] = record.RoleServer + "/" + g.Server
	}
	for _, h := range c.Cohorts {
		r.cohorts[h.ID] = pseudonyms(c.Name, h.Patients)
	}
	for _, p := range c.Policy {
		path := record.RoleQuerier + "/" + p.Querier
		r.grants[path] = append(r.grants[path], grant{Rule: p, named: pseudonyms(c.Name, p.Patients)})
	}
	r.sets = subKeySets(len(r.servers), r.threshold)
	return r
}

func pseudonyms(cluster string, ids []string) []record.Pseudonym {
	out := make([]record.Pseudonym, len(ids))
	for i, id := range ids {
		out[i] = record.PseudonymOf(cluster, id)
	}
	return record.SortPseudonyms(out)
}

// subKeySets lists the sets of n-t+1 of n servers in lexicographic order, as
// masks. It returns nil where a threshold or their number is out of bounds.
func subKeySets(n, t int) []uint16 {
	if n < 1 || n > config.MaxServers || t < 1 || t > n || config.SubKeys(n, t) > config.MaxSubKeys {
		return nil
	}
	var sets []uint16
	var walk func(next, left int, mask uint16)
	walk = func(next, left int, mask uint16) {
		if left == 0 {
			sets = append(sets, mask)
			return
		}
		for i := next; i <= n-left; i++ {
			walk(i+1, left-1, mask|1<<i)
		}
	}
	walk(0, n-t+1, 0)
	return sets
}

// members lists the servers of a sub-key set, ascending; the first is its
// dealer.
func (r *rules) members(set uint16) []string {
	var out []string
	for i, s := range r.servers {
		if set&(1<<i) != 0 {
			out = append(out, s)
		}
	}
	return out
}

// asked lists the gateways that own at least one of the sorted patients.
func (r *rules) asked(patients []record.Pseudonym) []string {
	var out []string
	for _, path := range sortedKeys(r.patients) {
		if len(common(r.patients[path], patients)) > 0 {
			out = append(out, path)
		}
	}
	return out
}

// common is the intersection of two sorted lists.
func common(a, b []record.Pseudonym) []record.Pseudonym {
	var out []record.Pseudonym
	for _, p := range a {
		if contains(b, p) {
			out = append(out, p)
		}
	}
	return out
}

func contains(sorted []record.Pseudonym, p record.Pseudonym) bool {
	_, ok := slices.BinarySearchFunc(sorted, p, func(a, b record.Pseudonym) int { return bytes.Compare(a[:], b[:]) })
	return ok
}

// Plan is what the policy makes of a question.
type Plan struct {
	Patients []record.Pseudonym // whom it is about, sorted
	Asked    []string           // gateways that own at least one of them, sorted
	Minimum  uint64             // participants it needs
	PartSize int                // patients that one part of an ANSWER may hold
}

// Allowed decides a question by the policy of cluster.yaml alone: a *Refusal
// names the rule. Gateways and servers call it on their own copy, so that no
// quorum of verifiers can widen what they agreed to. It does not check
// signatures, times or keys.
func Allowed(cluster *config.Cluster, querier string, q *record.Query) (Plan, error) {
	return newRules(cluster).decide(querier, q)
}

func (r *rules) decide(querier string, q *record.Query) (Plan, error) {
	question, err := stat.ParseQuestion(q.Statistic, q.Params)
	if err != nil {
		return Plan{}, refuse(Malformed, "QUERY: %v", err)
	}
	if q.PolicyLeaf != 0 {
		return Plan{}, refuse(Stale, "policy is that of cluster.yaml (leaf 0), not leaf %d", q.PolicyLeaf)
	}
	g, err := r.grant(querier, question, q)
	if err != nil {
		return Plan{}, err
	}
	d := Plan{Patients: q.Pseudonyms, Minimum: max(1, q.MinCohort)}
	if q.Cohort != "" {
		d.Patients = r.cohorts[q.Cohort]
		d.Minimum = max(d.Minimum, uint64(max(g.MinCohort, 0)))
		if q.Purpose == "research" {
			d.Minimum = max(d.Minimum, 10)
		}
	}
	if record.CohortDigest(d.Patients) != q.CohortHash {
		return Plan{}, refuse(Stale, "QUERY: cohort digest is not that of the cohort in force")
	}
	if n := uint64(len(d.Patients)); n < d.Minimum {
		return Plan{}, policy("P3", "cohort has %d patients, policy requires %d", n, d.Minimum)
	}
	d.Asked = r.asked(d.Patients)
	if len(d.Asked) == 0 {
		return Plan{}, policy("P3", "no gateway holds a patient of the cohort")
	}
	d.PartSize, err = r.fits(question, q, d)
	return d, err
}

// grant finds the first rule of the querier that allows the question, P1 for
// cohorts, P2 for named patients.
func (r *rules) grant(querier string, question stat.Question, q *record.Query) (grant, error) {
	if len(r.grants[querier]) == 0 {
		return grant{}, policy("P1", "%s may ask nothing", querier)
	}
	for _, g := range r.grants[querier] {
		if !slices.Contains(g.Statistics, string(question.Statistic)) ||
			!slices.Contains(g.Signals, string(question.Signal)) || g.Purpose != q.Purpose {
			continue
		}
		if q.Cohort != "" && slices.Contains(g.Cohorts, q.Cohort) {
			return g, nil
		}
		if q.Cohort == "" && q.Purpose == "clinical" && len(common(q.Pseudonyms, g.named)) == len(q.Pseudonyms) {
			return g, nil
		}
	}
	if q.Cohort == "" {
		return grant{}, policy("P2", "%s may not ask %s of %s about these patients for purpose %q",
			querier, question.Statistic, question.Signal, q.Purpose)
	}
	return grant{}, policy("P1", "%s may not ask %s of %s about cohort %q for purpose %q",
		querier, question.Statistic, question.Signal, q.Cohort, q.Purpose)
}

// Genesis is the one GENESIS that Step accepts for a cluster, to be sealed by
// one of its operators. unixMS is where ledger time starts.
func Genesis(c *config.Cluster, unixMS uint64) *record.Genesis {
	g := &record.Genesis{
		Name: c.Name, N: uint64(c.N()), F: uint64(c.F()), Q: uint64(c.Q()), Mode: record.FaultMode(c.Mode()),
		Cluster: c.Digest, FSM: Version, Operators: record.KeySet{K: 1}, UnixMS: unixMS,
		Params: fixed32(c.Params),
	}
	for _, v := range c.Verifiers {
		gv := record.GenesisVerifier{ID: v.ID, Address: v.Address, Raft: v.Raft,
			CosignKey: fixed32(v.CosignKey), RecordKey: fixed32(v.RecordKey)}
		copy(gv.Instance[:], v.Instance)
		g.Verifiers = append(g.Verifiers, gv)
	}
	for _, m := range c.Members() {
		if m.Role != config.RoleVerifier {
			g.Members = append(g.Members, record.Member{Path: m.Path(), Key: fixed32(m.RecordKey)})
		}
	}
	for _, root := range c.Roots {
		g.Roots = append(g.Roots, fixed32(root))
	}
	for _, o := range c.Operators {
		g.Operators.Keys = append(g.Operators.Keys, fixed32(o.RecordKey))
	}
	return g
}

func fixed32(h config.Hex) (out [32]byte) {
	copy(out[:], h)
	return out
}
