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
	out := &Cluster{Name: c.Name, Digest: fmt.Sprintf("%x", c.Digest), FaultModel: c.FaultModel(), Proofs: "none"}
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
	attached := map[string]string{} // gateway id -> server
	for i, m := range members {
		a := answers[i]
		if m.Role != config.RoleVerifier && m.Role != config.RoleServer {
			continue
		}
		n := Node{Path: m.Path(), Role: m.Role, Health: a.Health, Version: a.Version, LedgerSize: a.LedgerSize, Raft: a.RaftState, Detail: a.Detail}
		if a.err != nil {
			n = Node{Path: m.Path(), Role: m.Role, Health: "unreachable"}
		}
		for _, gw := range a.Attached {
			attached[gw] = m.ID
		}
		out.Nodes = append(out.Nodes, n)
	}
	for _, g := range c.Gateways {
		n := Node{Path: config.RoleGateway + "/" + g.ID, Role: config.RoleGateway, Health: "not attached to " + g.Server}
		if s, ok := attached[g.ID]; ok {
			n.Health, n.Detail = "ok", map[string]string{"attached_to": s}
		}
		out.Nodes = append(out.Nodes, n)
	}
	return out
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
