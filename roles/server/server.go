// Package server is the role that holds a part of the collective key: it
// passes questions on to its gateways, adds the ciphertexts that a quorum of
// verifiers accepted, and switches the sum to the querier's key.
//
//	Run (querier) ─▶ distribute ─▶ tasks to gateways         (Q3)
//	ledger ─▶ life ─┬─▶ sum: add the accepted, AGGREGATE      (Q6, coordinator)
//	                ├─▶ switch: gate, share, KEYSWITCH        (Q7, active servers)
//	                └─▶ result: RESULT                        (Q8, coordinator)
//	ledger ─▶ keygen ─▶ KEYGEN records, seeds to other members
//
// A server believes the co-signed ledger and its own arithmetic, and no other
// server: the coordinator is trusted for nothing.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain"
	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
)

// Ledger is this server's checked copy of the log; *chain.Follower is one.
type Ledger interface {
	Run(ctx context.Context) error
	View(func(*fsm.State))
	Until(ctx context.Context, cond func(*fsm.State) bool) error
	CheckTicket(ctx context.Context, ticket []byte, now time.Time) (*record.Query, uint64, error)
}

var _ Ledger = (*chain.Follower)(nil)

// Verifiers are the verifiers as one: a record goes to any of them, a blob to a
// quorum, and comes from any.
type Verifiers interface {
	Submit(ctx context.Context, leaf []byte) (uint64, error)
	PutBlob(ctx context.Context, digest, data []byte) error
	GetBlob(ctx context.Context, digest []byte, limit int64) ([]byte, error)
	Ticket(ctx context.Context, queryID []byte) ([]byte, error)
}

// Servers reaches the other servers by id.
type Servers interface {
	Distribute(ctx context.Context, id string, ticket, querierKey []byte) error
	Ready(ctx context.Context, id string, queryID []byte) error
	Deal(ctx context.Context, id string, epoch uint64, set uint16, seed []byte) error
}

// Links are the streams that this server's gateways hold open.
type Links interface {
	Attached() []string // gateway ids
	Send(gateway string, queryID, ticket []byte, deadline time.Time) error
}

// API serves this server's methods until ctx ends.
type API interface {
	Serve(ctx context.Context) error
}

// Server holds one part of the collective key. All exported fields are set
// before Run and only read afterwards.
type Server struct {
	ID        string // "s1"
	Cluster   *config.Cluster
	Origin    string // of the ledger
	Signer    record.Signer
	Ledger    Ledger
	Verifiers Verifiers
	Servers   Servers
	Links     Links
	API       API
	Vault     *Vault
	HE        *he.Context
	Now       func() time.Time
	Log       *slog.Logger
	Ready     func() // called once, when a key epoch is active here; may be nil

	index          int // 1..n in roster order
	ciphertextSize int // bytes of one encoded ciphertext
	ready          sync.Once
	closers        []func() error // of what Open opened

	mu       sync.Mutex
	openers  map[uint64]*he.Opener  // by key epoch; guarded by mu
	sent     map[record.Hash][]byte // tickets of queries handed to the gateways; guarded by mu
	started  map[record.Hash]bool   // queries with a life goroutine; guarded by mu
	received map[record.Hash]cached // ciphertexts of open queries by digest; guarded by mu
}

// maxOpen bounds the queries that are worked on at once.
const maxOpen = 64

// init derives what Run and the handlers need from the exported fields. Open
// calls it before anything is served.
func (s *Server) init() error {
	s.index = 1 + slices.IndexFunc(s.Cluster.Servers, func(c config.Server) bool { return c.ID == s.ID })
	if s.index == 0 {
		return fmt.Errorf("cluster.yaml has no server %q", s.ID)
	}
	var err error
	if s.ciphertextSize, err = s.HE.Size(he.KindCiphertext, 0); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.openers = map[uint64]*he.Opener{}
	s.sent = map[record.Hash][]byte{}
	s.started = map[record.Hash]bool{}
	s.received = map[record.Hash]cached{}
	return nil
}

// Run serves until ctx is cancelled. It returns an error only if the server
// cannot go on: an unavailable verifier or a failed query is not one.
func (s *Server) Run(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return s.Ledger.Run(ctx) })
	eg.Go(func() error { return s.API.Serve(ctx) })
	eg.Go(func() error { return s.keygen(ctx) })
	eg.Go(func() error { return s.follow(ctx) })
	if err := eg.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("server %s: %w", s.ID, err)
	}
	return nil
}

// Close destroys the key parts and releases what Open opened; after Run has
// returned.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.openers {
		o.Close()
	}
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// path is this server's node path.
func (s *Server) path() string { return record.RoleServer + "/" + s.ID }

// submitTimeout bounds one attempt to add a record to the ledger.
const submitTimeout = 5 * time.Second

// submit seals a record and adds it to the ledger. A refusal because the phase
// is over is not an error: the ledger has moved on without this record.
func (s *Server) submit(ctx context.Context, p record.Payload) error {
	leaf, err := record.Seal(s.Origin, s.Signer, p)
	if err != nil {
		return fmt.Errorf("seal %s: %w", p.Type(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	if _, err := s.Verifiers.Submit(ctx, leaf); err != nil {
		return fmt.Errorf("submit %s: %w", p.Type(), err)
	}
	return nil
}

// waitGrown returns when the co-signed ledger has more than size leaves, or
// after a second, whichever is first: deadlines pass without leaves, too.
func (s *Server) waitGrown(ctx context.Context, size uint64) error {
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := s.Ledger.Until(wait, func(st *fsm.State) bool { return st.Size() > size })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
