package testnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/config"
	"statnet/internal/node"
	"statnet/internal/provision"
	"statnet/roles/gateway"
	"statnet/roles/querier"
	"statnet/roles/server"
	"statnet/roles/verifier"
	"statnet/stat"
)

// Options describe a network. The zero value of each field is useful.
type Options struct {
	Gateways, Servers, Verifiers int // default 3, 3, 4
	Patients                     int // in all; default 2 a gateway

	// Policy is that of cluster.yaml; default provision.DefaultPolicy.
	Policy func(*config.Cluster) []config.Rule
	// Queriers are enrolled; default dr-a.
	Queriers []string
	// Timeout of the questions that Question makes; default 30 s, of which a busy
	// machine needs a few.
	Timeout time.Duration

	// The doubles, by node id, are applied between Open and Run.
	Gateway  map[string]func(*gateway.Gateway)
	Server   map[string]func(*server.Server)
	Verifier map[string]VerifierDouble
	// Absent nodes are in the roster and never start.
	Absent []string
}

// VerifierDouble replaces parts of a verifier: before it opens, after, or both.
type VerifierDouble struct {
	Options []verifier.Option
	Opened  func(*verifier.Verifier)
}

const (
	// history is how long every patient's list of heartbeats is.
	history = 20 * time.Minute
	// heartbeat of raft: shorter ones lose leaders on a busy machine.
	heartbeat = 500 * time.Millisecond
	// startTimeout only ends a test that would hang.
	startTimeout = 90 * time.Second
)

// Net is a running network.
type Net struct {
	Cluster  *config.Cluster
	From, To time.Time // the window that Question asks about: whole epochs, all with beats

	t       testing.TB
	opt     Options
	dir     string
	written *provision.Written
	hearts  map[string]heart // by patient
	ports   []*port
	members map[string]*member // by node id
	asking  sync.Map           // querier id -> *sync.Mutex: its files belong to one question at a time
}

// Start writes a cluster, starts its nodes and returns when all are ready. The
// nodes end with the test.
func Start(t testing.TB, opt Options) *Net {
	t.Helper()
	opt.Gateways, opt.Servers, opt.Verifiers = cmp.Or(opt.Gateways, 3), cmp.Or(opt.Servers, 3), cmp.Or(opt.Verifiers, 4)
	opt.Patients = cmp.Or(opt.Patients, 2*opt.Gateways)
	opt.Timeout = cmp.Or(opt.Timeout, 30*time.Second)
	// The newest epochs are left out: a question may not ask about them yet.
	end := time.Now().Add(-2 * epochSeconds * time.Second).Truncate(epochSeconds * time.Second).UTC()
	n := &Net{t: t, opt: opt, dir: t.TempDir(), hearts: map[string]heart{}, members: map[string]*member{},
		From: end.Add(-history + epochSeconds*time.Second), To: end}
	t.Cleanup(n.end)
	if err := n.provision(); err != nil {
		t.Fatalf("testnet: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	var eg errgroup.Group
	for _, m := range n.members {
		if !m.absent(opt) {
			eg.Go(func() error { return n.start(ctx, m) })
		}
	}
	if err := eg.Wait(); err != nil {
		t.Fatalf("testnet: %v", err)
	}
	return n
}

// provision takes the addresses first, so that they are this network's when
// they are written down.
func (n *Net) provision() error {
	var a provision.Addresses
	take := func(count int, into *[]string) error {
		for range count {
			p, err := newPort()
			if err != nil {
				return fmt.Errorf("take a port: %w", err)
			}
			n.ports = append(n.ports, p)
			*into = append(*into, p.address())
		}
		return nil
	}
	if err := errors.Join(take(n.opt.Servers, &a.Servers), take(n.opt.Verifiers, &a.Verifiers), take(n.opt.Verifiers, &a.Raft)); err != nil {
		return err
	}
	var failed error
	w, err := provision.Write(filepath.Join(n.dir, "cluster"), provision.Spec{
		Gateways: n.opt.Gateways, Servers: n.opt.Servers, Verifiers: n.opt.Verifiers, Patients: n.opt.Patients,
		Addresses: &a, Queriers: n.opt.Queriers, Policy: n.opt.Policy, LogLevel: "debug",
		Sources: func(_ int, patient string) []config.Source {
			file, err := n.heart(patient)
			failed = errors.Join(failed, err)
			return []config.Source{{Kind: config.SourceRR, File: file}}
		},
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	n.written, n.Cluster = w, w.Cluster
	for _, node := range w.Nodes {
		m := &member{Node: node, log: &logbook{}}
		for i, v := range w.Cluster.Verifiers {
			if v.ID == node.ID {
				m.ports = []*port{n.ports[n.opt.Servers+i], n.ports[n.opt.Servers+n.opt.Verifiers+i]}
			}
		}
		for i, s := range w.Cluster.Servers {
			if s.ID == node.ID {
				m.ports = []*port{n.ports[i]}
			}
		}
		n.members[node.ID] = m
	}
	return nil
}

// heart writes a patient's list and returns its file.
func (n *Net) heart(patient string) (string, error) {
	h, err := newHeart(len(n.hearts)+1, n.To.Add(-history), history)
	if err != nil {
		return "", err
	}
	n.hearts[patient] = h
	file := filepath.Join(n.dir, fmt.Sprintf("list-%d.csv", len(n.hearts)))
	return file, os.WriteFile(file, h.list, 0o600)
}

// Question is a question about everybody over the whole window.
func (n *Net) Question(s stat.Statistic, signal stat.Signal) querier.Ask {
	return querier.Ask{Question: stat.Question{Statistic: s, Signal: signal}, From: n.From, To: n.To, Timeout: n.opt.Timeout}
}

// Ask asks as the first querier.
func (n *Net) Ask(ctx context.Context, ask querier.Ask) (*querier.Answer, error) {
	return n.AskAs(ctx, n.Cluster.Queriers[0].ID, ask)
}

// AskAs asks as a querier would from its own process: it opens its files, asks,
// and closes them. Changes are applied between.
func (n *Net) AskAs(ctx context.Context, id string, ask querier.Ask, changes ...func(*querier.Querier)) (*querier.Answer, error) {
	turn, _ := n.asking.LoadOrStore(id, &sync.Mutex{})
	turn.(*sync.Mutex).Lock()
	defer turn.(*sync.Mutex).Unlock()
	opened, err := n.open(n.member(id))
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	q, err := querier.Open(opened)
	if err != nil {
		return nil, err
	}
	defer q.Ledger.Close()
	for _, change := range changes {
		change(q)
	}
	return q.Answer(ctx, ask)
}

// Kill stops a node and waits until it has gone. Its address refuses
// connections until Restart.
func (n *Net) Kill(id string) {
	n.t.Helper()
	if err := n.member(id).stop(); err != nil {
		n.t.Errorf("stop %s: %v", id, err)
	}
}

// Restart starts a killed node from its files and returns when it is ready.
// Its double, if any, is that of the options.
func (n *Net) Restart(ctx context.Context, id string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.start(ctx, n.member(id)); err != nil {
		n.t.Fatalf("restart: %v", err)
	}
}

// Replace gives a node another double for its next life, by Restart.
func Replace[D any](n *Net, id string, double D) {
	switch d := any(double).(type) {
	case func(*gateway.Gateway):
		n.opt.Gateway = with(n.opt.Gateway, id, d)
	case func(*server.Server):
		n.opt.Server = with(n.opt.Server, id, d)
	case VerifierDouble:
		n.opt.Verifier = with(n.opt.Verifier, id, d)
	default:
		n.t.Fatalf("%T is not a double", double)
	}
}

func with[D any](m map[string]D, id string, d D) map[string]D {
	out := map[string]D{id: d}
	for k, v := range m {
		if k != id {
			out[k] = v
		}
	}
	return out
}

// Reform lets a node be honest when it is started again.
func (n *Net) Reform(id string) {
	delete(n.opt.Gateway, id)
	delete(n.opt.Server, id)
	delete(n.opt.Verifier, id)
}

// Logs is everything that a node has said so far, at debug level.
func (n *Net) Logs(id string) string { return n.member(id).log.text() }

// Dir is a node's directory, with its keys and data.
func (n *Net) Dir(id string) string { return n.member(id).Dir }

// Opened opens a node's files without running it: a test that needs its
// certificate or its connections.
func (n *Net) Opened(id string) *node.Node {
	n.t.Helper()
	opened, err := n.open(n.member(id))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = opened.Close() })
	return opened
}

func (n *Net) member(id string) *member {
	m := n.members[id]
	if m == nil {
		n.t.Fatalf("no node %s", id)
	}
	return m
}

// end stops everything, then reads every log for what must not be there.
func (n *Net) end() {
	var wg sync.WaitGroup
	for _, m := range n.members {
		wg.Go(func() {
			if err := m.stop(); err != nil {
				n.t.Errorf("%s ended with: %v", m.Path(), err)
			}
		})
	}
	wg.Wait()
	for _, p := range n.ports {
		if err := p.close(); err != nil {
			n.t.Errorf("close port: %v", err)
		}
	}
	if n.written != nil {
		n.searchLogs()
	}
	if n.t.Failed() {
		for id, m := range n.members {
			n.t.Logf("last words of %s:\n%s", id, lastLines(m.log.text(), 25))
		}
	}
}

func lastLines(s string, count int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
