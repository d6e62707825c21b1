// Package status shows how a cluster is: every node that listens, and the
// gateways that servers see.
package status

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"statnet/config"
	"statnet/internal/cli"
	"statnet/wire"
)

// askTimeout bounds one node's answer: nobody waits for a dead one.
const askTimeout = 3 * time.Second

// Node is one line of `statnet status`.
type Node struct {
	Path       string            `json:"node"`
	Role       string            `json:"role"`
	Health     string            `json:"health"` // "ok", "unreachable" or what is wrong
	Version    string            `json:"version,omitempty"`
	LedgerSize uint64            `json:"ledger_size,omitempty"`
	Raft       string            `json:"raft,omitempty"`
	Detail     map[string]string `json:"detail,omitempty"`
}

// Cluster is the whole answer.
type Cluster struct {
	Schema     string `json:"schema"` // "statnet.status.v1"
	Name       string `json:"cluster"`
	Digest     string `json:"cluster_digest"` // SHA-256 of cluster.yaml
	FaultModel string `json:"fault_model"`
	Proofs     string `json:"proofs"`
	Nodes      []Node `json:"nodes"`
}

// Healthy reports whether every node is ok.
func (c *Cluster) Healthy() bool {
	return !slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Health != "ok" })
}

// ask asks every node that listens, all at once.
func ask(ctx context.Context, d *wire.Dialer, c *config.Cluster) *Cluster {
	out := &Cluster{Schema: "statnet.status.v1", Name: c.Name, Digest: fmt.Sprintf("%x", c.Digest), FaultModel: c.FaultModel(), Proofs: "none"}
	type answer struct {
		wire.NodeStatus
		err error
	}
	members := c.Members()
	answers := make([]answer, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			switch m.Role {
			case config.RoleVerifier:
				answers[i].NodeStatus, answers[i].err = d.Verifier(m.ID).Status(ctx)
			case config.RoleServer:
				answers[i].NodeStatus, answers[i].err = d.Server(m.ID).Status(ctx)
			}
		})
	}
	wg.Wait()
	attached, away := map[string]string{}, map[string]bool{} // gateway id -> server; servers that did not answer
	for i, m := range members {
		a := answers[i]
		if m.Role != config.RoleVerifier && m.Role != config.RoleServer {
			continue
		}
		n := Node{Path: m.Path(), Role: m.Role, Health: a.Health, Version: a.Version, LedgerSize: a.LedgerSize, Raft: a.RaftState, Detail: a.Detail}
		if a.err != nil {
			n = Node{Path: m.Path(), Role: m.Role, Health: "unreachable"}
			away[m.ID] = m.Role == config.RoleServer
		}
		for _, gw := range a.Attached {
			attached[gw] = m.ID
		}
		out.Nodes = append(out.Nodes, n)
	}
	for _, g := range c.Gateways {
		n := Node{Path: config.RoleGateway + "/" + g.ID, Role: config.RoleGateway, Health: "not attached to " + g.Server}
		if away[g.Server] {
			n.Health = "unknown: " + g.Server + " is unreachable" // it dials only its server; only that one would know
		}
		if s, ok := attached[g.ID]; ok {
			n.Health, n.Detail = "ok", map[string]string{"attached_to": s}
		}
		out.Nodes = append(out.Nodes, n)
	}
	return out
}

// ailing lists the nodes that are not ok, as the cause of exit code 7.
func (c *Cluster) ailing() string {
	var list []string
	for _, n := range c.Nodes {
		if n.Health != "ok" {
			list = append(list, n.Path+" "+n.Health)
		}
	}
	return strings.Join(list, ", ")
}

// remedy is what to type first: verifiers and servers before the gateways that
// need them.
func (c *Cluster) remedy() string {
	i := slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Health != "ok" })
	if i < 0 {
		return ""
	}
	role, id, _ := strings.Cut(c.Nodes[i].Path, "/")
	return fmt.Sprintf("on the machine of %s: statnet %s --config %s/node.yaml, or read its log if it runs", id, role, id)
}

func rows(c *Cluster) cli.Rows {
	r := cli.Rows{Head: []string{"node", "health", "ledger", "raft", "detail"}}
	for _, n := range c.Nodes {
		size := ""
		if n.LedgerSize > 0 {
			size = fmt.Sprint(n.LedgerSize)
		}
		var detail []string
		for k, v := range n.Detail {
			if v != "" {
				detail = append(detail, k+"="+v)
			}
		}
		sort.Strings(detail)
		r.Add(n.Path, n.Health, size, n.Raft, strings.Join(detail, " "))
	}
	r.Notes = []string{fmt.Sprintf("cluster %s (cluster.yaml %s…), ledger %s, proofs: %s", c.Name, c.Digest[:16], c.FaultModel, c.Proofs)}
	return r
}
