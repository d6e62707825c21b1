package config

import "strings"

// Roles of a node, as certificates, node paths and NODE.yaml spell them.
const (
	RoleGateway  = "gateway"
	RoleServer   = "server"
	RoleVerifier = "verifier"
	RoleQuerier  = "querier"
	RoleOperator = "operator"
)

// N is the number of verifiers.
func (c *Cluster) N() int { return len(c.Verifiers) }

// F is the number of verifiers that may lie.
func (c *Cluster) F() int { return c.Ledger.Faulty }

// Q is the number of signatures that make a quorum.
func (c *Cluster) Q() int { return c.Ledger.Quorum }

// Mode is what the ledger promises. It means nothing for a cluster that
// Validate refuses.
func (c *Cluster) Mode() Mode {
	mode, err := CheckQuorum(c.Ledger.FaultModel, c.N(), c.F(), c.Q())
	if err != nil {
		return ModeCrashOnly // promise the least
	}
	return mode
}

// FaultModel is Mode in words, as outputs show it: "byzantine f=1, not live".
func (c *Cluster) FaultModel() string { return c.Mode().Describe(c.F()) }

// Verifier finds a verifier by id.
func (c *Cluster) Verifier(id string) (*Verifier, bool) {
	return find(c.Verifiers, func(v *Verifier) bool { return v.ID == id })
}

// Server finds a server by id.
func (c *Cluster) Server(id string) (*Server, bool) {
	return find(c.Servers, func(s *Server) bool { return s.ID == id })
}

// Gateway finds a gateway by id.
func (c *Cluster) Gateway(id string) (*Gateway, bool) {
	return find(c.Gateways, func(g *Gateway) bool { return g.ID == id })
}

// Querier finds a querier by id.
func (c *Cluster) Querier(id string) (*Querier, bool) {
	return find(c.Queriers, func(q *Querier) bool { return q.ID == id })
}

// Operator finds an operator by id.
func (c *Cluster) Operator(id string) (*Operator, bool) {
	return find(c.Operators, func(o *Operator) bool { return o.ID == id })
}

// Cohort finds a cohort by id.
func (c *Cluster) Cohort(id string) (*Cohort, bool) {
	return find(c.Cohorts, func(h *Cohort) bool { return h.ID == id })
}

// Rules returns the policy's rules of one querier, in the file's order.
func (c *Cluster) Rules(querier string) []Rule {
	var rules []Rule
	for _, r := range c.Policy {
		if r.Querier == querier {
			rules = append(rules, r)
		}
	}
	return rules
}

// GatewayOf finds the gateway that holds a patient's beats.
func (c *Cluster) GatewayOf(patient string) (*Gateway, bool) {
	return find(c.Gateways, func(g *Gateway) bool {
		for _, p := range g.Patients {
			if p == patient {
				return true
			}
		}
		return false
	})
}

// RecordKey returns the record key of a node path such as "gateway/gw-1".
func (c *Cluster) RecordKey(path string) (Hex, bool) {
	for _, m := range c.Members() {
		if m.Path() == path {
			return m.RecordKey, true
		}
	}
	return nil, false
}

// Member is one entry of the roster, whatever its role.
type Member struct {
	Role, ID  string
	Address   string // host:port of its API; "" for roles that only dial
	RecordKey Hex
}

// Path is "role/id", the name of a node in records and certificates.
func (m Member) Path() string { return m.Role + "/" + m.ID }

// Members lists everyone of the roster: verifiers, servers, gateways, queriers,
// operators, each in the file's order.
func (c *Cluster) Members() []Member {
	var out []Member
	for _, v := range c.Verifiers {
		out = append(out, Member{RoleVerifier, v.ID, v.Address, v.RecordKey})
	}
	for _, s := range c.Servers {
		out = append(out, Member{RoleServer, s.ID, s.Address, s.RecordKey})
	}
	for _, g := range c.Gateways {
		out = append(out, Member{RoleGateway, g.ID, "", g.RecordKey})
	}
	for _, q := range c.Queriers {
		out = append(out, Member{RoleQuerier, q.ID, "", q.RecordKey})
	}
	for _, o := range c.Operators {
		out = append(out, Member{RoleOperator, o.ID, "", o.RecordKey})
	}
	return out
}

// SplitPath cuts "gateway/gw-1" into role and id, and reports whether both are
// well formed. It does not check that the node exists.
func SplitPath(path string) (role, id string, ok bool) {
	role, id, ok = strings.Cut(path, "/")
	if !ok || !ValidID(id) {
		return "", "", false
	}
	switch role {
	case RoleGateway, RoleServer, RoleVerifier, RoleQuerier, RoleOperator:
		return role, id, true
	}
	return "", "", false
}

func find[T any](list []T, match func(*T) bool) (*T, bool) {
	for i := range list {
		if match(&list[i]) {
			return &list[i], true
		}
	}
	return nil, false
}
