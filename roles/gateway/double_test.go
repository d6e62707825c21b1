package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/config"
	"statnet/ecg"
	"statnet/stat"
	"statnet/store"
)

// memory is a Store and a Buffer in memory. Errors set in fail are returned by
// the method of that name.
type memory struct {
	mu      sync.Mutex
	calls   []string // names of methods, in order; guarded by mu, as are all fields
	pending []store.Batch
	beats   map[string][]ecg.Beat
	gaps    map[string][]store.Gap
	segs    map[string][]store.Segment
	state   map[string][]byte
	closed  map[string]int64
	sums    map[string]stat.Totals // what Window returns
	answers map[[32]byte]store.Answer
	fail    map[string]error
	order   *[]string // shared log of what happened, if set
}

func newMemory() *memory {
	return &memory{beats: map[string][]ecg.Beat{}, gaps: map[string][]store.Gap{}, segs: map[string][]store.Segment{},
		state: map[string][]byte{}, closed: map[string]int64{}, sums: map[string]stat.Totals{},
		answers: map[[32]byte]store.Answer{}, fail: map[string]error{}}
}

func (m *memory) call(name string) (unlock func(), err error) {
	m.mu.Lock()
	m.calls = append(m.calls, name)
	return m.mu.Unlock, m.fail[name]
}

func (m *memory) count(name string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.calls {
		if c == name {
			n++
		}
	}
	return n
}

func (m *memory) Add(b store.Batch) error {
	unlock, err := m.call("Add")
	defer unlock()
	m.pending = append(m.pending, b)
	return err
}

func (m *memory) Flush() (store.Report, error) {
	unlock, err := m.call("Flush")
	defer unlock()
	if err != nil {
		return store.Report{}, err
	}
	for _, batch := range m.pending {
		for patient, b := range batch {
			m.beats[patient] = append(m.beats[patient], b.Beats...)
			m.gaps[patient] = append(m.gaps[patient], b.Gaps...)
			m.segs[patient] = append(m.segs[patient], b.Segments...)
			if b.State != nil {
				m.state[patient] = b.State
			}
			m.closed[patient] = max(m.closed[patient], (b.Until-microsPerSecond)/microsPerEpoch)
		}
	}
	m.pending = nil
	return store.Report{}, nil
}

func (m *memory) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if _, err := m.Flush(); err != nil {
				return err
			}
		}
	}
}

func (m *memory) State(patient string) ([]byte, error) {
	unlock, err := m.call("State")
	defer unlock()
	return m.state[patient], err
}

func (m *memory) ClosedThrough(patient string) (int64, error) {
	unlock, err := m.call("ClosedThrough")
	defer unlock()
	return m.closed[patient], err
}

func (m *memory) LastBeat(patient string) (ecg.Beat, bool, error) {
	unlock, err := m.call("LastBeat")
	defer unlock()
	if n := len(m.beats[patient]); n > 0 {
		return m.beats[patient][n-1], true, err
	}
	return ecg.Beat{}, false, err
}

func (m *memory) Window(patient string, from, to int64) (stat.Totals, error) {
	unlock, err := m.call("Window")
	defer unlock()
	return m.sums[patient], err
}

func (m *memory) SaveAnswer(id [32]byte, a store.Answer) error {
	unlock, err := m.call("SaveAnswer")
	defer unlock()
	if _, ok := m.answers[id]; ok && err == nil {
		err = store.ErrConflict
	}
	if err == nil {
		m.answers[id] = a
		m.note("saved")
	}
	return err
}

func (m *memory) note(s string) {
	if m.order != nil {
		*m.order = append(*m.order, s)
	}
}

func (m *memory) Answer(id [32]byte) (store.Answer, bool, error) {
	unlock, err := m.call("Answer")
	defer unlock()
	a, ok := m.answers[id]
	return a, ok, err
}

// ledger is a Ledger and its verifiers around a test ledger. A ticket is the
// query's id.
type ledger struct {
	mu      sync.Mutex
	l       *fsmtest.Ledger // guarded by mu
	changed chan struct{}   // closed and replaced at every leaf; guarded by mu
}

func (l *ledger) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func (l *ledger) View(fn func(*fsm.State)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(l.l.State)
}

func (l *ledger) Until(ctx context.Context, cond func(*fsm.State) bool) error {
	for {
		l.mu.Lock()
		ok, changed := cond(l.l.State), l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

var errTicket = errors.New("ticket refused")

func (l *ledger) CheckTicket(_ context.Context, ticket []byte, _ time.Time) (*record.Query, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(ticket) != 32 {
		return nil, 0, errTicket
	}
	q, ok := l.l.State.Query(record.Hash(ticket))
	if !ok {
		return nil, 0, errTicket
	}
	return q.Record, q.Leaf, nil
}

func (l *ledger) apply(leaf []byte) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	res, err := l.l.Apply(leaf)
	close(l.changed)
	l.changed = make(chan struct{})
	return res.Index, err
}

// verifier is one Verifier. Its hooks, if set, replace what it does.
type verifier struct {
	ledger   *ledger
	onPut    func(digest, data []byte) error
	onSubmit func(leaf []byte) (uint64, error)

	mu     sync.Mutex
	blobs  map[[32]byte][]byte // guarded by mu
	leaves [][]byte            // submitted; guarded by mu
}

func (v *verifier) PutBlob(_ context.Context, digest, data []byte) error {
	if v.onPut != nil {
		if err := v.onPut(digest, data); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.blobs[[32]byte(digest)] = bytes.Clone(data)
	return nil
}

func (v *verifier) GetBlob(_ context.Context, digest []byte, max int64) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.blobs[[32]byte(digest)]
	if !ok || int64(len(b)) > max {
		return nil, fmt.Errorf("no blob of at most %d bytes", max)
	}
	return b, nil
}

func (v *verifier) Submit(_ context.Context, leaf []byte) (uint64, error) {
	v.mu.Lock()
	v.leaves = append(v.leaves, bytes.Clone(leaf))
	v.mu.Unlock()
	if v.onSubmit != nil {
		return v.onSubmit(leaf)
	}
	return v.ledger.apply(leaf)
}

// link is a Link that a test writes tasks into.
type link struct {
	tasks    chan Task
	onUpload func(data []byte) error

	mu      sync.Mutex
	uploads [][]byte // guarded by mu
	failed  []string // guarded by mu
}

func (l *link) Run(ctx context.Context, deliver func(Task)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-l.tasks:
			deliver(t)
		}
	}
}

func (l *link) Upload(_ context.Context, _ [32]byte, data []byte) error {
	if l.onUpload != nil {
		if err := l.onUpload(data); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uploads = append(l.uploads, bytes.Clone(data))
	return nil
}

func (l *link) Failed(_ [32]byte, code uint32, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, fmt.Sprintf("%d %s", code, reason))
}

func (l *link) Up() bool { return true }

// testKeys is Keys and Cipher. Like the real one it never gives the same bytes
// twice.
type testKeys struct {
	mu      sync.Mutex
	plain   [][]uint16 // what was encrypted; guarded by mu
	encrypt func([]uint16) ([]byte, error)
}

func (k *testKeys) Cipher(context.Context, *fsm.KeyEpoch) (Cipher, error) { return k, nil }
func (k *testKeys) Close()                                                {}

func (k *testKeys) Encrypt(m []uint16) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.plain = append(k.plain, append([]uint16(nil), m...))
	if k.encrypt != nil {
		return k.encrypt(m)
	}
	return fmt.Appendf(nil, "ciphertext %d", len(k.plain)), nil
}

func (k *testKeys) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.plain)
}

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
	l := fsmtest.New(t, fsmtest.Options{})
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
