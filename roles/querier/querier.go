// Package querier is the doctor's role: it asks one question, checks that the
// answer is right, and only then opens it.
//
//	flags ─plan─▶ QUERY ─ask─▶ ledger, coordinator   (Q1)
//	                            │ the query's life, watched on the co-signed log
//	result ◀─decrypt─ shares ◀─open─ receipt ◀───────┘ (Q9)
//
// The querier follows the ledger itself and believes nobody: every record of
// its query is checked as an auditor would check it before a number exists.
package querier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"statnet/chain"
	"statnet/chain/fsm"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
	"statnet/internal/node"
	"statnet/wire"
)

// Servers reaches the servers by id.
type Servers interface {
	// Run asks server id to coordinate a registered query.
	Run(ctx context.Context, id string, ticket, querierKey []byte) error
	// Up reports whether server id answers at all.
	Up(ctx context.Context, id string) error
}

// Verifiers are all verifiers as one.
type Verifiers interface {
	Submit(ctx context.Context, leaf []byte) (uint64, error)
	GetBlob(ctx context.Context, digest []byte, limit int64) ([]byte, error)
	Ticket(ctx context.Context, queryID []byte) ([]byte, error)
	Reachable(ctx context.Context) int // how many answer at all
}

// Querier asks questions in the name of one enrolled person. All fields are set
// before the first question and only read afterwards.
type Querier struct {
	ID        string // "dr-a"
	Dir       string // queries/ID/… is kept here
	Cluster   *config.Cluster
	Origin    string      // of the ledger
	Policy    note.Policy // whose signatures make a checkpoint
	Signer    record.Signer
	Ledger    *chain.Follower
	Verifiers Verifiers
	Servers   Servers
	HE        *he.Context
	Now       func() time.Time
	Log       *slog.Logger
	Progress  func(Progress) // told of every change; may be nil
}

// Open makes a querier out of its files.
func Open(n *node.Node) (*Querier, error) {
	ledger, err := n.Follower()
	if err != nil {
		return nil, err
	}
	return &Querier{
		ID: n.Config.ID, Dir: n.Config.DataDir, Cluster: n.Cluster, Origin: n.Origin, Policy: n.Policy,
		Signer: n.Key, Ledger: ledger, Verifiers: n.Verifiers, Servers: servers{n.Dialer}, HE: n.HE,
		Now: time.Now, Log: n.Log,
	}, nil
}

type servers struct{ d *wire.Dialer }

// Run implements Servers.
func (s servers) Run(ctx context.Context, id string, ticket, querierKey []byte) error {
	return s.d.Server(id).Run(ctx, ticket, querierKey)
}

// Up implements Servers.
func (s servers) Up(ctx context.Context, id string) error {
	_, err := s.d.Server(id).Status(ctx)
	return err
}

// contactTimeout is how long the ledger may take to show itself.
const contactTimeout = 10 * time.Second

// Answer asks one question and returns its checked and opened answer. The
// error's exit code is that of errors.go. It runs the ledger's follower itself
// and stops it before it returns.
func (q *Querier) Answer(ctx context.Context, ask Ask) (*Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	followed := make(chan error, 1)
	go func() { followed <- q.Ledger.Run(ctx) }()
	a, err := q.answer(ctx, ask)
	cancel()
	if followErr := <-followed; err != nil && errors.Is(followErr, chain.ErrFork) {
		return nil, q.forked(followErr)
	}
	return a, err
}

func (q *Querier) answer(ctx context.Context, ask Ask) (*Answer, error) {
	if err := q.contact(ctx); err != nil {
		return nil, err
	}
	if ask.Question.Statistic == series {
		return q.series(ctx, ask)
	}
	return q.one(ctx, ask)
}

// contact waits until the co-signed ledger is here and has a key.
func (q *Querier) contact(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	err := q.Ledger.Until(wait, func(s *fsm.State) bool {
		_, ok := s.CurrentKey()
		return ok
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	return q.unreachable(ctx, "register", err)
}

// one asks one question about one window.
func (q *Querier) one(ctx context.Context, ask Ask) (*Answer, error) {
	clock := newStopwatch(q.Now)
	asked, err := q.register(ctx, ask)
	if err != nil {
		return nil, err
	}
	defer asked.key.Destroy()
	clock.lap("register")
	if err := q.watch(ctx, asked); err != nil {
		return nil, err
	}
	clock.lap("answer")
	return q.open(ctx, asked, clock)
}

// dir is where one query's files are kept, mode 0700: its key reads its answer.
func (q *Querier) dir(id record.Hash) string {
	return filepath.Join(q.Dir, "queries", fmt.Sprintf("%x", id))
}

// keep writes one file of a query, mode 0600.
func (q *Querier) keep(id record.Hash, name string, data []byte) error {
	dir := q.dir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep %s of the query: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		return fmt.Errorf("keep %s of the query: %w", name, err)
	}
	return nil
}
