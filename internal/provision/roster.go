package provision

import (
	"encoding/hex"
	"fmt"

	"statnet/config"
)

// cluster turns the spec and the public keys into cluster.yaml's values.
func (s Spec) cluster(k *keys) *config.Cluster {
	root, _ := hex.DecodeString(k.ca.RootDigest()) // hexadecimal by its contract
	params, _ := hex.DecodeString(config.ParamsID) // our own constant
	c := &config.Cluster{
		Version: 1, Name: s.Name, Params: params, Roots: []config.Hex{root},
		Ledger: s.Ledger, Opening: config.Opening{Threshold: s.Threshold},
	}
	for i, address := range s.Addresses.Verifiers {
		path := config.RoleVerifier + "/" + verifierID(i)
		instance := k.instance[path]
		c.Verifiers = append(c.Verifiers, config.Verifier{
			ID: verifierID(i), Address: address, Raft: s.Addresses.Raft[i],
			RecordKey: k.public(path), CosignKey: config.Hex(k.cosign[path].Public()), Instance: instance[:],
		})
	}
	for i, address := range s.Addresses.Servers {
		c.Servers = append(c.Servers, config.Server{ID: serverID(i), Address: address, RecordKey: k.public(config.RoleServer + "/" + serverID(i))})
	}
	var all []string
	for i, patients := range s.PatientsOf {
		c.Gateways = append(c.Gateways, config.Gateway{
			ID: gatewayID(i), Server: serverID(i % s.Servers), RecordKey: k.public(config.RoleGateway + "/" + gatewayID(i)), Patients: patients,
		})
		all = append(all, patients...)
	}
	for _, q := range s.Queriers {
		c.Queriers = append(c.Queriers, config.Querier{ID: q, RecordKey: k.public(config.RoleQuerier + "/" + q)})
	}
	c.Operators = []config.Operator{{ID: OperatorID, RecordKey: config.Hex(k.operator().Public())}}
	if len(all) > 0 {
		c.Cohorts = []config.Cohort{{ID: CohortAll, Patients: all}}
	}
	c.Policy = s.Policy(c)
	return c
}

// nodes makes each node's NODE.yaml, by path.
func (s Spec) nodes(c *config.Cluster) map[string]*config.Node {
	out := map[string]*config.Node{}
	for _, m := range c.Members() {
		n := config.Node{Version: 1, Role: m.Role, ID: m.ID, Listen: m.Address, Log: config.Log{Level: s.LogLevel, Format: s.LogFormat}}
		if v, ok := c.Verifier(m.ID); ok && m.Role == config.RoleVerifier {
			n.RaftListen = v.Raft
		}
		if m.Role == config.RoleGateway {
			n.FlushInterval = s.FlushInterval
		}
		n = n.WithDefaults()
		out[m.Path()] = &n
	}
	for i, g := range c.Gateways {
		n := out[config.RoleGateway+"/"+g.ID]
		for _, p := range g.Patients {
			for _, source := range s.Sources(i, p) {
				n.Patches = append(n.Patches, config.Patch{ID: fmt.Sprintf("patch-%d", len(n.Patches)+1), Patient: p, Source: source})
			}
		}
	}
	return out
}
