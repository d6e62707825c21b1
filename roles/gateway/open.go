package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"statnet/internal/node"
	"statnet/store"
	"statnet/wire"
)

// Open makes the gateway of an opened node: its store, its copy of the ledger,
// its link. It connects to nothing before Run. Close releases the files.
func Open(n *node.Node) (g *Gateway, err error) {
	var closers []func() error
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(closers))
		}
	}()
	st, err := store.Open(filepath.Join(n.Config.DataDir, "gateway.db"), store.Options{Cluster: n.Origin})
	if err != nil {
		return nil, err
	}
	closers = append(closers, st.Close)
	follower, err := n.Follower()
	if err != nil {
		return nil, fmt.Errorf("open ledger copy: %w", err)
	}
	closers = append(closers, follower.Close)
	link, err := dialLink(n, follower.Checkpoint)
	if err != nil {
		return nil, err
	}
	var verifiers []Verifier
	for _, c := range n.Verifiers.Clients() {
		verifiers = append(verifiers, c)
	}
	g, err = New(Config{ID: n.Config.ID, Cluster: n.Cluster, Genesis: n.Genesis, Patches: n.Config.Patches, Log: n.Log}, Parts{
		Store: st, Buffer: store.NewBuffer(st, n.Config.FlushInterval.Std()), Ledger: follower, Link: link,
		Verifiers: verifiers, Keys: NewKeys(n.HE, n.Cluster, verifiers), Signer: n.Key,
	})
	if err != nil {
		return nil, err
	}
	g.closers = closers
	return g, nil
}

// Close releases what Open opened; after Run has returned.
func (g *Gateway) Close() error { return closeAll(g.closers) }

func closeAll(closers []func() error) error {
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		errs = append(errs, closers[i]())
	}
	return errors.Join(errs...)
}

// homeLink is wire's link as this package wants it.
type homeLink struct {
	link    *wire.Link
	deliver atomic.Pointer[func(Task)]
	log     *slog.Logger
}

func dialLink(n *node.Node, checkpoint func() []byte) (*homeLink, error) {
	own, ok := n.Cluster.Gateway(n.Config.ID)
	if !ok {
		return nil, fmt.Errorf("gateway %s is not in cluster.yaml", n.Config.ID)
	}
	home, ok := n.Cluster.Server(own.Server)
	if !ok {
		return nil, fmt.Errorf("server %s of gateway %s is not in cluster.yaml", own.Server, own.ID)
	}
	h := &homeLink{log: n.Log}
	var err error
	h.link, err = wire.DialLink(wire.LinkConfig{
		Credentials: n.Credentials, Server: home.ID, Address: home.Address, Log: n.Log,
		Checkpoint: checkpoint, OnTask: h.onTask,
	})
	return h, err
}

// onTask passes a task on. It runs on the goroutine that reads the stream, and
// deliver does not wait. wire has checked the length of the id.
func (h *homeLink) onTask(t wire.Task) {
	if deliver := h.deliver.Load(); deliver != nil && len(t.QueryID) == 32 {
		(*deliver)(Task{QueryID: [32]byte(t.QueryID), Ticket: t.Ticket, Deadline: t.Deadline})
	}
}

// Run implements Link.
func (h *homeLink) Run(ctx context.Context, deliver func(Task)) error {
	h.deliver.Store(&deliver)
	return h.link.Run(ctx)
}

// Upload implements Link.
func (h *homeLink) Upload(ctx context.Context, id [32]byte, data []byte) error {
	return h.link.Upload(ctx, id[:], data)
}

// Failed implements Link. A server that is away asks again when it is back.
func (h *homeLink) Failed(id [32]byte, code uint32, reason string) {
	if err := h.link.Failed(id[:], code, reason); err != nil {
		h.log.Debug("server not told", "query", fmt.Sprintf("%x", id[:8]), "step", "Q4", "err", err)
	}
}

// Up implements Link.
func (h *homeLink) Up() bool { return h.link.Attached() }
