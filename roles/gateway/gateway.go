package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
	"statnet/store"
)

// Config is what a gateway is told. Everything is set before New and only read
// afterwards.
type Config struct {
	ID      string           // "gw-1", one of the cluster's gateways
	Cluster *config.Cluster  // this gateway's own copy of cluster.yaml
	Genesis []byte           // the ledger's leaf 0
	Patches []config.Patch   // where the heartbeats come from, one a patient
	Now     func() time.Time // this machine's clock; default time.Now
	Log     *slog.Logger     // default slog.Default
}

// Task is a question that the home server passes on. Nothing in it is believed
// before the ticket is checked.
type Task struct {
	QueryID  [32]byte
	Ticket   []byte
	Deadline time.Time // until when the server waits; zero means until the phase ends
}

// Link is the one stream to the home server.
type Link interface {
	// Run holds the stream, dials again when it breaks and delivers tasks until
	// ctx is cancelled. After a reconnect the server delivers open tasks again.
	Run(ctx context.Context, deliver func(Task)) error
	// Upload sends the bytes and returns when the server has all of them.
	Upload(ctx context.Context, queryID [32]byte, data []byte) error
	// Failed tells the server that no ciphertext will come.
	Failed(queryID [32]byte, code uint32, reason string)
	// Up reports whether the stream is open now.
	Up() bool
}

// Verifier is what a gateway asks of one verifier. Errors of Submit that carry
// a refusal by the ledger's rules are final; any other leaves the outcome open.
type Verifier interface {
	Submit(ctx context.Context, leaf []byte) (uint64, error)
	PutBlob(ctx context.Context, digest, data []byte) error
	GetBlob(ctx context.Context, digest []byte, max int64) ([]byte, error)
}

// Ledger is the gateway's own checked copy of the log; chain.Follower is the
// real one.
type Ledger interface {
	Run(ctx context.Context) error
	View(fn func(*fsm.State))
	Until(ctx context.Context, cond func(*fsm.State) bool) error
	CheckTicket(ctx context.Context, ticket []byte, now time.Time) (*record.Query, uint64, error)
}

// Store keeps beats, sums and answers; *store.Store is the real one.
type Store interface {
	Beats
	Sums
}

// Parts are what a gateway is made of beside its configuration. A test puts a
// double that cheats or fails into any of them.
type Parts struct {
	Store     Store
	Buffer    Buffer
	Ledger    Ledger
	Link      Link
	Verifiers []Verifier // in roster order
	Keys      Keys
	Signer    record.Signer // the gateway's record key
}

const (
	maxTasks = 8  // questions answered at once; more wait in the link
	maxQueue = 32 // questions received and not yet begun
)

// Gateway is one data provider.
type Gateway struct {
	Config Config // set before New, read only afterwards
	Parts         // likewise

	// Ready, if set before Run, is called once: every history and import is
	// stored and its epochs are closed, the ledger is followed, the link is up.
	Ready func()

	planner   *planner
	collector *collector
	origin    string // of the ledger
	home      string // "server/s1"
	ready     atomic.Bool
	closers   []func() error // of what Open opened, last first

	mu   sync.Mutex
	busy map[[32]byte]bool // questions being answered; guarded by mu
}

// New checks the configuration. It opens nothing and starts nothing.
func New(cfg Config, parts Parts) (*Gateway, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	p, err := newPlanner(cfg.Cluster, cfg.ID)
	if err != nil {
		return nil, err
	}
	own, _ := cfg.Cluster.Gateway(cfg.ID)
	g := &Gateway{
		Config: cfg, Parts: parts, planner: p, home: record.RoleServer + "/" + own.Server,
		origin: record.Origin(cfg.Cluster.Name, cfg.Genesis), busy: map[[32]byte]bool{},
	}
	var errs []error
	for _, patch := range cfg.Patches {
		if p.own[record.PseudonymOf(cfg.Cluster.Name, patch.Patient)] == "" {
			errs = append(errs, &SourceError{Patch: patch.ID, Reason: "its patient is not listed with gateway " + cfg.ID + " in cluster.yaml"})
		}
	}
	g.collector, err = newCollector(cfg.Patches, parts.Store, parts.Buffer, cfg.Now, cfg.Log)
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", cfg.ID, err)
	}
	return g, nil
}

// Run collects and answers until ctx is cancelled, then flushes and returns
// nil. It returns an error only if the gateway cannot go on; a patch that drops
// out, a silent server or an unreachable verifier is not one.
func (g *Gateway) Run(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return g.collector.run(ctx) })
	eg.Go(func() error { return g.Ledger.Run(ctx) })
	eg.Go(func() error { return g.warm(ctx) })
	eg.Go(func() error { return g.serve(ctx) })
	eg.Go(func() error { return g.watch(ctx) })
	if err := eg.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("gateway %s: %w", g.Config.ID, err)
	}
	return nil
}

// serve takes tasks from the link, a bounded number at a time, and does query
// step Q4 for each.
func (g *Gateway) serve(ctx context.Context) error {
	queue := make(chan Task, maxQueue)
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error {
		return g.Link.Run(ctx, func(t Task) {
			select {
			case queue <- t:
			default: // it comes again when the link is dialled again
				g.step(t.QueryID).Warn("question dropped: too many are waiting", "waiting", maxQueue)
			}
		})
	})
	for range maxTasks {
		eg.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case t := <-queue:
					g.handle(ctx, t)
				}
			}
		})
	}
	return eg.Wait()
}

// handle answers one task and reports how it went; it cannot fail the gateway.
func (g *Gateway) handle(ctx context.Context, t Task) {
	if !g.begin(t.QueryID) {
		return // the same question is being answered already
	}
	defer g.end(t.QueryID)
	log := g.step(t.QueryID)
	start := g.Config.Now()
	if err := g.answer(ctx, t); err != nil {
		if ctx.Err() != nil {
			return // the process stops; the task comes again
		}
		log.Error("not answered", "err", err)
		g.Link.Failed(t.QueryID, uint32(record.DeclinedInternal), "not answered")
		return
	}
	log.Info("done", "ms", g.Config.Now().Sub(start).Milliseconds())
}

func (g *Gateway) begin(id [32]byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[id] {
		return false
	}
	g.busy[id] = true
	return true
}

func (g *Gateway) end(id [32]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.busy, id)
}

// step is the log of query step Q4 of one question.
func (g *Gateway) step(id [32]byte) *slog.Logger {
	return g.Config.Log.With("query", fmt.Sprintf("%x", id[:8]), "step", "Q4")
}

var _ Store = (*store.Store)(nil)
