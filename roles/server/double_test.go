package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/crypto/he"
)

// world is server s2 on a ledger in memory.
type world struct {
	*Server
	ledger *fsmtest.Ledger
	ticket error // what CheckTicket says
	leaf   uint64
	sent   []string // gateways that got a task
}

func newWorld(t *testing.T, o fsmtest.Options) *world {
	t.Helper()
	hctx, err := he.New(he.Std4096())
	if err != nil {
		t.Fatal(err)
	}
	vault, err := OpenVault(t.TempDir() + "/data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vault.Close() })
	w := &world{ledger: fsmtest.New(t, o)}
	w.ledger.Keygen()
	w.Server = &Server{
		ID: "s2", Cluster: w.ledger.Cluster, Origin: w.ledger.State.Origin(), Signer: fsmtest.Signer("server/s2"),
		Ledger: w, Links: w, Vault: vault, HE: hctx, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(int64(w.ledger.NowMS)) },
	}
	if err := w.init(); err != nil {
		t.Fatal(err)
	}
	return w
}

// Run implements Ledger. It hides Server.Run, which these tests do not call.
func (w *world) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// View implements Ledger.
func (w *world) View(f func(*fsm.State)) { f(w.ledger.State) }

// Until implements Ledger; what does not hold now never will.
func (w *world) Until(_ context.Context, cond func(*fsm.State) bool) error {
	if cond(w.ledger.State) {
		return nil
	}
	return errors.New("never")
}

// CheckTicket implements Ledger.
func (w *world) CheckTicket(context.Context, []byte, time.Time) (*record.Query, uint64, error) {
	if w.ticket != nil {
		return nil, 0, w.ticket
	}
	for _, q := range w.ledger.State.OpenQueries() {
		if q.Leaf == w.leaf {
			return q.Record, w.leaf, nil
		}
	}
	return &record.Query{}, w.leaf, nil
}

// Attached implements Links.
func (w *world) Attached() []string { return []string{"gw-1", "gw-2", "gw-3"} }

// Send implements Links.
func (w *world) Send(gateway string, _, _ []byte, _ time.Time) error {
	w.sent = append(w.sent, gateway)
	return nil
}
