package gateway

import (
	"bytes"
	"crypto/sha256"
	"log/slog"
	"sync"
	"testing"
	"time"

	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/config"
	"statnet/stat"
)

// world is a gateway with doubles all around it, and one registered question.
type world struct {
	*Gateway
	mem       *memory
	ledger    *ledger
	verifiers []*verifier
	link      *link
	keys      *testKeys
	logs      *bytes.Buffer
	id        record.Hash
}

// option changes a world before its gateway is made.
type option func(w *world, cfg *Config, q *record.Query)

// newWorld asks the question that fsmtest.QueryRecord asks, of gateway gw-1
// unless an option says otherwise.
func newWorld(t testing.TB, opts ...option) *world {
	t.Helper()
	return newWorldOf(t, fsmtest.Options{}, opts...)
}

func newWorldOf(t testing.TB, size fsmtest.Options, opts ...option) *world {
	t.Helper()
	l := fsmtest.New(t, size)
	l.Keygen()
	w := &world{mem: newMemory(), ledger: &ledger{l: l, changed: make(chan struct{})}, link: &link{tasks: make(chan Task)},
		keys: &testKeys{}, logs: &bytes.Buffer{}}
	for range l.Verifiers {
		w.verifiers = append(w.verifiers, &verifier{ledger: w.ledger, blobs: map[[32]byte][]byte{}})
	}
	at := l.NowMS
	cfg := Config{ID: "gw-1", Cluster: l.Cluster, Genesis: l.Leaves[0],
		Now: func() time.Time { return time.UnixMilli(int64(at)).Add(time.Second) },
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: w.logs}, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, p := range l.Cluster.Gateways[0].Patients {
		w.mem.sums[p] = stat.Totals{N: 71, S1: 60_011, S2: 51_234_567, OBS: 3600}
		w.mem.closed[p] = int64(at/1000) / 300
	}
	q := l.QueryRecord()
	for _, o := range opts {
		o(w, &cfg, q)
	}
	w.id = l.Ask(q)
	w.build(t, cfg)
	return w
}

// build makes the gateway anew, as after a restart: the store stays.
func (w *world) build(t testing.TB, cfg Config) {
	t.Helper()
	var vs []Verifier
	for _, v := range w.verifiers {
		vs = append(vs, v)
	}
	g, err := New(cfg, Parts{Store: w.mem, Buffer: w.mem, Ledger: w.ledger, Link: w.link, Verifiers: vs,
		Keys: w.keys, Signer: fsmtest.Signer("gateway/" + cfg.ID)})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	w.Gateway = g
}

func (w *world) task() Task { return Task{QueryID: w.id, Ticket: w.id[:]} }

// registered is what the ledger holds as this gateway's answer, nil if nothing.
func (w *world) registered() *record.Answer {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	if a := w.ledger.l.Query(w.id).Answers["gateway/"+w.Config.ID]; a != nil {
		return a.Record
	}
	return nil
}

// holders counts the verifiers that have a blob.
func (w *world) holders(digest [32]byte) (n int) {
	for _, v := range w.verifiers {
		v.mu.Lock()
		if b, ok := v.blobs[digest]; ok && sha256.Sum256(b) == digest {
			n++
		}
		v.mu.Unlock()
	}
	return n
}

// withCluster gives the gateway a cluster.yaml of its own that differs from the
// ledger's.
func withCluster(change func(*config.Cluster)) option {
	return func(_ *world, cfg *Config, _ *record.Query) {
		c := *cfg.Cluster
		c.Policy = append([]config.Rule(nil), c.Policy...)
		c.Cohorts = append([]config.Cohort(nil), c.Cohorts...)
		change(&c)
		cfg.Cluster = &c
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer // guarded by mu
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
