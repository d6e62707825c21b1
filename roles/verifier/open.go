package verifier

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"time"

	"statnet/chain"
	"statnet/chain/blob"
	"statnet/config"
	"statnet/crypto/pki"
	"statnet/internal/cli"
	"statnet/internal/node"
	"statnet/wire"
)

// Option changes what Open builds. Processes use none.
type Option func(*options)

type options struct {
	heartbeat time.Duration                           // of raft; 0 is its default
	blobs     func(wire.BlobHandler) wire.BlobHandler // what peers see of the blob store
}

// WithHeartbeat sets raft's heartbeat and election timeout: tests start faster.
func WithHeartbeat(d time.Duration) Option { return func(o *options) { o.heartbeat = d } }

// WithBlobs puts something between the blob store and those who ask for it: a
// double that withholds.
func WithBlobs(wrap func(wire.BlobHandler) wire.BlobHandler) Option {
	return func(o *options) { o.blobs = wrap }
}

// Open makes a verifier out of its files and two listeners: api for all roles,
// raft for the other verifiers. It takes the listeners over: they are closed
// when Run returns, or when Open fails.
func Open(n *node.Node, api, raft net.Listener, opts ...Option) (*Verifier, error) {
	o := options{blobs: func(h wire.BlobHandler) wire.BlobHandler { return h }}
	for _, opt := range opts {
		opt(&o)
	}
	v, err := open(n, api, raft, o)
	if err != nil {
		return nil, errors.Join(err, api.Close(), raft.Close())
	}
	return v, nil
}

func open(n *node.Node, api, raft net.Listener, o options) (*Verifier, error) {
	cosign, err := cosignKey(n)
	if err != nil {
		return nil, err
	}
	p := peers{n.Dialer}
	ledger, err := chain.Open(chain.Config{
		Dir: n.Config.DataDir, ID: n.Config.ID, Genesis: n.Genesis, Cluster: n.Cluster,
		RecordKey: n.Key, CosignKey: cosign, Peers: p, Now: time.Now, Log: n.Log, Heartbeat: o.heartbeat,
		Listener: wire.ListenRaft(raft, n.Credentials, n.Known), Dial: wire.DialRaft(n.Credentials, raftIDs(n.Cluster)),
	})
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		ID: n.Config.ID, Cluster: n.Cluster, Origin: n.Origin, Signer: n.Key, Ledger: ledger,
		Peers: p, HE: n.HE, Now: time.Now, Log: n.Log,
	}
	s := wire.NewServer(n.Credentials, n.Log, n.Known, wire.WithErrors(node.WireError))
	s.RegisterLedger(service{ledger})
	s.RegisterPeer(service{ledger})
	s.RegisterBlobs(o.blobs(service{ledger}), blob.MaxBlob)
	s.RegisterStatus(func(ctx context.Context) (wire.NodeStatus, error) {
		st, err := v.status(ctx)
		st.Version = cli.Version()
		return st, err
	})
	v.API = server{s, api}
	return v, nil
}

// server serves one listener.
type server struct {
	s   *wire.Server
	lis net.Listener
}

// Serve implements API.
func (s server) Serve(ctx context.Context) error { return s.s.Serve(ctx, s.lis) }

// cosignKey loads the key that signs checkpoints, which must be the one that
// the roster lists: signatures by another count for nobody.
func cosignKey(n *node.Node) (ed25519.PrivateKey, error) {
	signer, err := pki.LoadKey(n.Config.Keys.CosignKeyFile)
	if err != nil {
		return nil, err
	}
	key, ok := signer.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is not an Ed25519 key", n.Config.Keys.CosignKeyFile)
	}
	listed, ok := n.Cluster.Verifier(n.Config.ID)
	if !ok || string(listed.CosignKey) != string(key.Public().(ed25519.PublicKey)) {
		return nil, fmt.Errorf("%s is not the cosign key that cluster.yaml lists for %s", n.Config.Keys.CosignKeyFile, n.Config.Path())
	}
	return key, nil
}

// raftIDs names the verifier behind each raft address.
func raftIDs(cluster *config.Cluster) map[string]string {
	ids := map[string]string{}
	for _, v := range cluster.Verifiers {
		ids[v.Raft] = v.ID
	}
	return ids
}
