package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// problems is Validate without the error interface.
func (c *Cluster) problems() Problems {
	var ps Problems
	checkTags(reflect.ValueOf(*c), "", &ps)
	if c.Name != "" && !ValidName(c.Name) {
		ps.add("name", "name: ward.example", "%q must be lower-case letters, digits, '-' and '.', at most 100 characters", c.Name)
	}
	checkBytes32(&ps, "params", c.Params)
	for i, root := range c.Roots {
		checkBytes32(&ps, fmt.Sprintf("roots[%d]", i), root)
	}
	c.checkTrust(&ps)
	c.checkNodes(&ps)
	c.checkPatients(&ps)
	c.checkCohorts(&ps)
	c.checkPolicy(&ps)
	return ps
}

// checkTrust checks the quorum of the verifiers and the threshold of the servers.
func (c *Cluster) checkTrust(ps *Problems) {
	if _, err := CheckQuorum(c.Ledger.FaultModel, c.N(), c.F(), c.Q()); err != nil {
		good := DefaultQuorum(min(max(c.N(), 1), MaxVerifiers))
		ps.addCross("ledger", fmt.Sprintf("ledger: {fault_model: %s, faulty: %d, quorum: %d}", good.FaultModel, good.Faulty, good.Quorum), "%v", err)
	}
	n, t := len(c.Servers), c.Opening.Threshold
	example := fmt.Sprintf("threshold: %d", DefaultThreshold(n))
	switch {
	case n > MaxServers:
		ps.addCross("servers", "", "%d servers, more than %d", n, MaxServers)
	case n > 0 && (t < 1 || t > n):
		ps.addCross("opening.threshold", example, "%d is not between 1 and %d, the number of servers", t, n)
	case n > 1 && t == 1:
		ps.addCross("opening.threshold", example, "1 of %d lets each single server open everything", n)
	case n > 0 && SubKeys(n, t) > MaxSubKeys:
		ps.addCross("opening.threshold", example, "%d of %d needs C(%d,%d) = %d sub-keys, more than %d", t, n, n, t-1, SubKeys(n, t), MaxSubKeys)
	}
}

// checkNodes checks ids, addresses and keys. No two nodes share a key or an
// address; a cosigning key is not a record key.
func (c *Cluster) checkNodes(ps *Problems) {
	keys, addresses := unique{}, unique{}
	ids := map[string]unique{}
	node := func(list string, i int, id string, record Hex) string {
		at := fmt.Sprintf("%s[%d]", list, i)
		if ids[list] == nil {
			ids[list] = unique{}
		}
		checkID(ps, at+".id", id, "id: gw-1")
		ids[list].claim(ps, at+".id", id, "id")
		checkBytes32(ps, at+".record_key", record)
		keys.claim(ps, at+".record_key", record.String(), "key")
		return at
	}
	address := func(key, value string) {
		checkAddress(ps, key, value, key[strings.LastIndex(key, ".")+1:]+": v1.example.org:7100", false)
		addresses.claim(ps, key, value, "address")
	}
	for i, v := range c.Verifiers {
		at := node("verifiers", i, v.ID, v.RecordKey)
		address(at+".address", v.Address)
		address(at+".raft", v.Raft)
		checkBytes32(ps, at+".cosign_key", v.CosignKey)
		keys.claim(ps, at+".cosign_key", v.CosignKey.String(), "key")
		checkLength(ps, at+".instance", v.Instance, 16)
		keys.claim(ps, at+".instance", v.Instance.String(), "instance")
	}
	for i, s := range c.Servers {
		address(node("servers", i, s.ID, s.RecordKey)+".address", s.Address)
	}
	for i, g := range c.Gateways {
		at := node("gateways", i, g.ID, g.RecordKey)
		if _, ok := c.Server(g.Server); !ok && g.Server != "" {
			ps.addCross(at+".server", "", "%q is not the id of a server", g.Server)
		}
	}
	for i, q := range c.Queriers {
		node("queriers", i, q.ID, q.RecordKey)
	}
	for i, o := range c.Operators {
		node("operators", i, o.ID, o.RecordKey)
	}
	if n := len(c.Members()); n > MaxMembers {
		ps.addCross("gateways", "", "%d nodes and queriers, more than %d", n, MaxMembers)
	}
}

// checkPatients checks that each patient has one gateway: one with two would
// be counted twice in every sum.
func (c *Cluster) checkPatients(ps *Problems) {
	seen := unique{}
	for i, g := range c.Gateways {
		key := fmt.Sprintf("gateways[%d].patients", i)
		if len(g.Patients) > MaxPatientsOfGateway {
			ps.add(key, "", "%d patients, more than %d", len(g.Patients), MaxPatientsOfGateway)
		}
		for j, p := range g.Patients {
			at := fmt.Sprintf("%s[%d]", key, j)
			checkID(ps, at, p, "p-0001")
			seen.claim(ps, at, p, "patient")
		}
	}
}

func (c *Cluster) checkCohorts(ps *Problems) {
	ids := unique{}
	for i, h := range c.Cohorts {
		at := fmt.Sprintf("cohorts[%d]", i)
		checkID(ps, at+".id", h.ID, "id: ward-a")
		ids.claim(ps, at+".id", h.ID, "id")
		c.checkKnown(ps, at+".patients", h.Patients)
	}
}

// checkKnown checks a list of patients: each has a gateway, none is repeated.
func (c *Cluster) checkKnown(ps *Problems, key string, patients []string) {
	seen := unique{}
	for i, p := range patients {
		at := fmt.Sprintf("%s[%d]", key, i)
		seen.claim(ps, at, p, "patient")
		if _, ok := c.GatewayOf(p); !ok {
			ps.addCross(at, "", "patient %q is listed with no gateway", p)
		}
	}
}

func (c *Cluster) checkPolicy(ps *Problems) {
	for i, r := range c.Policy {
		at := fmt.Sprintf("policy[%d]", i)
		if _, ok := c.Querier(r.Querier); !ok && r.Querier != "" {
			ps.addCross(at+".querier", "", "%q is not the id of a querier", r.Querier)
		}
		for j, id := range r.Cohorts {
			if _, ok := c.Cohort(id); !ok {
				ps.addCross(fmt.Sprintf("%s.cohorts[%d]", at, j), "", "%q is not the id of a cohort", id)
			}
		}
		c.checkKnown(ps, at+".patients", r.Patients)
		checkRepeats(ps, at+".statistics", r.Statistics)
		checkRepeats(ps, at+".signals", r.Signals)
		checkRepeats(ps, at+".cohorts", r.Cohorts)
		r.checkPurpose(ps, at)
	}
}

func (r Rule) checkPurpose(ps *Problems, at string) {
	switch {
	case len(r.Cohorts) == 0 && len(r.Patients) == 0:
		ps.add(at, "cohorts: [ward-a]", "allows nobody: it names neither cohorts nor patients")
	case r.Purpose == "research" && len(r.Patients) > 0:
		ps.add(at+".patients", "purpose: clinical", "purpose research never allows single patients")
	}
	switch {
	case r.MinCohort < 1:
		ps.add(at+".min_cohort", "min_cohort: 3", "%d is less than 1", r.MinCohort)
	case r.Purpose == "research" && r.MinCohort < 10:
		ps.add(at+".min_cohort", "min_cohort: 10", "%d is less than 10, the least for research", r.MinCohort)
	}
}

func checkRepeats(ps *Problems, key string, words []string) {
	for i, w := range words {
		if slices.Contains(words[:i], w) {
			ps.add(fmt.Sprintf("%s[%d]", key, i), "", "%q is listed twice", w)
		}
	}
}
