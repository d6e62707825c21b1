package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"statnet/config"
	"statnet/internal/node"
	"statnet/internal/provision"
	"statnet/roles/gateway"
	"statnet/roles/server"
	"statnet/roles/verifier"
)

// member is one node of the network, running or not.
type member struct {
	provision.Node
	log   *logbook
	ports []*port // verifier: API, raft; server: API

	mu      sync.Mutex
	running *running // nil if it does not run; guarded by mu
}

// running is one life of a member.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; after done
}

// process is what every role gives: it runs, and releases its files.
type process struct {
	run    func(context.Context) error
	closed []func() error // last first
}

func (m *member) absent(opt Options) bool {
	return m.Role == config.RoleQuerier || m.Role == config.RoleOperator || slices.Contains(opt.Absent, m.ID)
}

// open reads a node's files as its command does.
func (n *Net) open(m *member) (*node.Node, error) {
	cfg, err := config.ReadNode(m.File)
	if err != nil {
		return nil, err
	}
	cluster, err := config.ReadCluster(cfg.Cluster)
	if err != nil {
		return nil, err
	}
	genesis, err := os.ReadFile(cfg.Genesis)
	if err != nil {
		return nil, err
	}
	return node.Open(cfg, cluster, genesis, m.log.logger())
}

// start opens and runs a node and returns when it is ready.
func (n *Net) start(ctx context.Context, m *member) error {
	opened, err := n.open(m)
	if err != nil {
		return fmt.Errorf("open %s: %w", m.Path(), err)
	}
	ready := make(chan struct{})
	var once sync.Once
	p, err := n.build(m, opened, func() { once.Do(func() { close(ready) }) })
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", m.Path(), err), opened.Close())
	}
	p.closed = append([]func() error{opened.Close}, p.closed...)
	life, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan struct{})}
	m.mu.Lock()
	m.running = r
	m.mu.Unlock()
	go func() {
		defer close(r.done)
		r.err = p.run(life)
		for i := len(p.closed) - 1; i >= 0; i-- {
			r.err = errors.Join(r.err, p.closed[i]())
		}
	}()
	select {
	case <-ready:
		return nil
	case <-r.done:
		return fmt.Errorf("%s ended before it was ready: %w", m.Path(), r.err)
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready: %w", m.Path(), ctx.Err())
	}
}

// stop ends a node's life, if it lives, and waits.
func (m *member) stop() error {
	m.mu.Lock()
	r := m.running
	m.running = nil
	m.mu.Unlock()
	if r == nil {
		return nil
	}
	r.cancel()
	<-r.done
	return r.err
}

// build makes the role of a node and lets its double in.
func (n *Net) build(m *member, opened *node.Node, ready func()) (process, error) {
	switch m.Role {
	case config.RoleVerifier:
		double := n.opt.Verifier[m.ID]
		options := append([]verifier.Option{verifier.WithHeartbeat(heartbeat)}, double.Options...)
		v, err := verifier.Open(opened, m.ports[0].lease(), m.ports[1].lease(), options...)
		if err != nil {
			return process{}, err
		}
		v.Ready = ready
		if double.Opened != nil {
			double.Opened(v)
		}
		return process{run: v.Run}, nil
	case config.RoleServer:
		return n.buildServer(m, opened, ready)
	case config.RoleGateway:
		g, err := gateway.Open(opened)
		if err != nil {
			return process{}, err
		}
		g.Ready = ready
		if double := n.opt.Gateway[m.ID]; double != nil {
			double(g)
		}
		return process{run: g.Run, closed: []func() error{g.Close}}, nil
	}
	return process{}, fmt.Errorf("%s does not run", m.Path())
}

func (n *Net) buildServer(m *member, opened *node.Node, ready func()) (process, error) {
	vault, err := server.OpenVault(opened.Config.DataDir)
	if err != nil {
		return process{}, err
	}
	s, err := server.Open(opened, vault, m.ports[0].lease())
	if err != nil {
		return process{}, errors.Join(err, vault.Close())
	}
	s.Ready = ready
	if double := n.opt.Server[m.ID]; double != nil {
		double(s)
	}
	return process{run: s.Run, closed: []func() error{vault.Close, s.Close}}, nil
}
