package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/crypto/he"
	"statnet/internal/cli"
	"statnet/internal/node"
	"statnet/wire"
)

// Open makes a server out of its files and a listener for all roles, which is
// closed when Run returns. Close releases the files; the vault is the caller's.
func Open(n *node.Node, vault *Vault, lis net.Listener) (*Server, error) {
	ledger, err := n.Follower()
	if err != nil {
		return nil, err
	}
	s := &Server{
		ID: n.Config.ID, Cluster: n.Cluster, Origin: n.Origin, Signer: n.Key, Ledger: ledger,
		Verifiers: n.Verifiers, Servers: others{n.Dialer}, Vault: vault, HE: n.HE, Now: time.Now, Log: n.Log,
	}
	if err := s.init(); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	s.closers = append(s.closers, ledger.Close)
	hub := wire.NewLinkHub(wire.HubConfig{
		Log: n.Log, MaxUpload: s.mayUpload, OnAttach: s.tasksFor, OnUpload: s.Uploaded, OnFailed: s.declined,
		OnRefused: s.refused, Checkpoint: ledger.Checkpoint,
	})
	s.Links = links{hub}
	w := wire.NewServer(n.Credentials, n.Log, n.Known, wire.WithErrors(node.WireError))
	w.RegisterLink(hub)
	w.RegisterQuery(service{s})
	w.RegisterServer(service{s})
	w.RegisterStatus(s.status)
	s.API = api{w, lis}
	return s, nil
}

// api serves one listener.
type api struct {
	s   *wire.Server
	lis net.Listener
}

// Serve implements API.
func (a api) Serve(ctx context.Context) error { return a.s.Serve(ctx, a.lis) }

// others reaches the other servers.
type others struct{ d *wire.Dialer }

// Distribute implements Servers.
func (o others) Distribute(ctx context.Context, id string, ticket, querierKey []byte) error {
	return o.d.Server(id).Distribute(ctx, ticket, querierKey)
}

// Ready implements Servers.
func (o others) Ready(ctx context.Context, id string, queryID []byte) error {
	return o.d.Server(id).Ready(ctx, queryID)
}

// Deal implements Servers.
func (o others) Deal(ctx context.Context, id string, epoch uint64, set uint16, seed []byte) error {
	return o.d.Server(id).Deal(ctx, epoch, set, seed)
}

// service answers queriers and other servers.
type service struct{ s *Server }

var (
	_ wire.QueryHandler  = service{}
	_ wire.ServerHandler = service{}
)

// Run implements wire.QueryHandler.
func (h service) Run(ctx context.Context, ticket, querierKey []byte) error {
	return h.named(h.s.Begin(ctx, ticket, querierKey))
}

// Distribute implements wire.ServerHandler.
func (h service) Distribute(ctx context.Context, ticket, querierKey []byte) error {
	return h.named(h.s.Distribute(ctx, ticket, querierKey))
}

// Ready implements wire.ServerHandler.
func (h service) Ready(ctx context.Context, queryID []byte) error {
	if len(queryID) != len(record.Hash{}) {
		return wire.NewError(wire.CodeMalformed, "query id of %d bytes", len(queryID))
	}
	if err := h.s.CanOpen(ctx, record.Hash(queryID)); err != nil {
		return wire.NewError(wire.CodeUnavailable, "%v", err)
	}
	return nil
}

// Deal implements wire.ServerHandler. Who sends is who the certificate says.
func (h service) Deal(ctx context.Context, epoch uint64, set uint16, seed []byte) error {
	return h.named(h.s.Dealt(wire.PeerFrom(ctx).ID, epoch, set, seed))
}

// named lets the reason of a refusal reach the peer: none of these errors is
// about a patient or a key's content.
func (h service) named(err error) error {
	if err == nil || node.WireError(err) != nil {
		return err
	}
	return wire.NewError(wire.CodeStale, "%v", err)
}

// status is what this server tells operators.
func (s *Server) status(context.Context) (wire.NodeStatus, error) {
	st := wire.NodeStatus{
		Path: s.path(), Role: record.RoleServer, Version: cli.Version(), Health: "ok",
		Attached: s.Links.Attached(), Detail: map[string]string{},
	}
	var epoch uint64
	s.Ledger.View(func(l *fsm.State) {
		st.LedgerSize = l.Size()
		if k, ok := l.CurrentKey(); ok {
			epoch = k.Epoch
		}
	})
	switch {
	case st.LedgerSize == 0:
		st.Health = "no verifier reached yet"
	case epoch == 0:
		st.Health = "the collective key is not generated yet"
	case s.opener(epoch) == nil:
		st.Health = fmt.Sprintf("has no part of key epoch %d", epoch)
	default:
		n, err := s.Vault.Openings(epoch)
		if err != nil {
			return st, err
		}
		st.Detail["key_epoch"] = fmt.Sprint(epoch)
		st.Detail["openings_left_here"] = fmt.Sprint(he.MaxOpenings - n)
	}
	return st, nil
}
