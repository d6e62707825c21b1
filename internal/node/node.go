// Package node opens what every process of a cluster needs before it can be
// anything: its configuration, its identity and keys, the roster, the pinned
// first record of the ledger, and connections to the verifiers.
//
//	configuration, ─▶ Open ─┬─ GENESIS, cluster.yaml   ─▶ checked against each other
//	roster, GENESIS         ├─ certificate, record key ─▶ checked against the roster
//	                        └─ Dialer ─▶ Verifiers (as one), Follower (checked ledger)
package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"statnet/chain"
	"statnet/chain/bundle"
	"statnet/chain/fsm"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
	"statnet/crypto/pki"
	"statnet/wire"
)

// Node is an opened node. Its fields are read only.
type Node struct {
	Config      *config.Node
	Cluster     *config.Cluster
	Genesis     []byte      // leaf 0
	Origin      string      // of the ledger
	Policy      note.Policy // whose signatures make a checkpoint
	Credentials pki.Credentials
	Key         *pki.RecordKey
	Dialer      *wire.Dialer
	Verifiers   *Verifiers
	HE          *he.Context
	Log         *slog.Logger
}

// Open checks that everything a node was given belongs together: GENESIS is the
// one of the cluster, the certificate names this node and comes from a root of
// the cluster, the roster lists this node's key. It connects to nothing.
func Open(cfg *config.Node, cluster *config.Cluster, genesis []byte, log *slog.Logger) (*Node, error) {
	n, err := Check(cfg, cluster, genesis)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir %s: cannot be made, e.g. data_dir: data: %w", cfg.DataDir, err)
	}
	n.Log = log
	n.Dialer = wire.NewDialer(wire.DialerConfig{Credentials: n.Credentials, Addresses: addresses(cluster), Log: log})
	n.Verifiers = newVerifiers(n.Dialer, cluster, cfg.Path())
	return n, nil
}

// Check is Open without a data directory and without a dialler, for
// `statnet config validate`: what it accepts, a node starts with.
func Check(cfg *config.Node, cluster *config.Cluster, genesis []byte) (*Node, error) {
	n := &Node{Config: cfg, Cluster: cluster, Genesis: genesis, Origin: record.Origin(cluster.Name, genesis)}
	if err := n.openGenesis(); err != nil {
		return nil, err
	}
	if err := n.openIdentity(); err != nil {
		return nil, err
	}
	var err error
	if n.HE, err = he.New(he.Std4096()); err != nil {
		return nil, err
	}
	if id := n.HE.ID(); !bytes.Equal(id[:], cluster.Params) {
		return nil, fmt.Errorf("%s: params %s: this program has parameter set %x", cfg.Cluster, cluster.Params, id)
	}
	return n, nil
}

// Close breaks the connections.
func (n *Node) Close() error { return n.Dialer.Close() }

// openGenesis lets the rules themselves decide: they accept one first record for
// a cluster.yaml.
func (n *Node) openGenesis() error {
	e, err := record.Decode(n.Genesis)
	if err != nil {
		return fmt.Errorf("%s is no ledger record: %w", n.Config.Genesis, err)
	}
	g, ok := e.Payload.(*record.Genesis)
	if !ok {
		return fmt.Errorf("%s is a ledger record, but not the first one: %s", n.Config.Genesis, e.Type)
	}
	// The commonest mistake first: one of the two files was edited, or comes from
	// another cluster.
	if g.Cluster != n.Cluster.Digest {
		return fmt.Errorf("%s (SHA-256 %x…) is not the file that %s was made for (SHA-256 %x…): one of them was changed, or is of another cluster; both are the same bytes on every node",
			n.Config.Cluster, n.Cluster.Digest[:8], n.Config.Genesis, g.Cluster[:8])
	}
	command, err := record.Command(n.Genesis)
	if err == nil {
		_, err = fsm.New(n.Cluster).Step(0, command)
	}
	if err != nil {
		return fmt.Errorf("%s is not the first record of this cluster's ledger: %w", n.Config.Genesis, err)
	}
	n.Policy = bundle.PolicyOf(n.Origin, g)
	return nil
}

func (n *Node) openIdentity() error {
	keys := n.Config.Keys
	creds, err := pki.LoadCredentials(keys.Certificate, keys.TLSKeyFile, keys.Root)
	if err != nil {
		return err
	}
	var roots []string
	for _, r := range n.Cluster.Roots {
		roots = append(roots, hex.EncodeToString(r))
	}
	if err := creds.CheckRoots(roots); err != nil {
		return err
	}
	path := n.Config.Path()
	if creds.Identity.Cluster != n.Cluster.Name || creds.Identity.Path() != path {
		return fmt.Errorf("%s is the certificate of %s, this node is %s of %s", keys.Certificate, creds.Identity.URI(), path, n.Cluster.Name)
	}
	key, err := pki.LoadRecordKey(keys.RecordKeyFile, path)
	if err != nil {
		return err
	}
	listed, ok := n.Cluster.RecordKey(path)
	if !ok {
		return fmt.Errorf("cluster.yaml does not list %s", path)
	}
	if !bytes.Equal(listed, key.Public()) {
		return fmt.Errorf("%s is not the record key that cluster.yaml lists for %s", keys.RecordKeyFile, path)
	}
	n.Credentials, n.Key = creds, key
	return nil
}

func addresses(cluster *config.Cluster) map[string]string {
	out := map[string]string{}
	for _, m := range cluster.Members() {
		if m.Address != "" {
			out[m.Path()] = m.Address
		}
	}
	return out
}

// Known reports whether the roster lists a node path: who is not listed may not
// connect, whatever certificate it has.
func (n *Node) Known(path string) bool {
	_, ok := n.Cluster.RecordKey(path)
	return ok
}

// Follower returns this node's checked copy of the ledger, kept in its data
// directory, beginning with another verifier than its neighbours do.
func (n *Node) Follower() (*chain.Follower, error) {
	var sources []chain.Source
	for _, v := range n.Verifiers.ordered() {
		sources = append(sources, v)
	}
	return chain.NewFollower(chain.FollowerConfig{
		Genesis: n.Genesis, Cluster: n.Cluster, Sources: sources,
		File: filepath.Join(n.Config.DataDir, "ledger.db"), Log: n.Log,
	})
}

// WireError gives the errors of the ledger their code on the wire; nil for
// errors that shall not leave the process.
func WireError(err error) *wire.Error {
	if r, ok := fsm.AsRefusal(err); ok {
		return wire.NewError(string(r.Code), "%s", r.Error())
	}
	switch {
	case errors.Is(err, chain.ErrUnavailable), errors.Is(err, chain.ErrStopped):
		return wire.NewError(wire.CodeUnavailable, "%v", err)
	case errors.Is(err, chain.ErrNotFound), errors.Is(err, chain.ErrNotCosigned):
		return wire.NewError(wire.CodeNotFound, "%v", err)
	case errors.Is(err, chain.ErrTicket):
		return wire.NewError(wire.CodeStale, "%v", err)
	}
	return nil
}

// refusals are the codes that are the ledger's own word.
var refusals = map[string]bool{
	wire.CodeMalformed: true, wire.CodeTooLarge: true, wire.CodeUnknownSigner: true, wire.CodeBadSignature: true,
	wire.CodeWrongRole: true, wire.CodePolicy: true, wire.CodePhase: true, wire.CodeLate: true, wire.CodeStale: true,
	wire.CodeConflict: true, string(fsm.Unsupported): true,
}

// Refusal finds in err what the ledger's rules said, whether it was said in
// this process or by a verifier.
func Refusal(err error) (*fsm.Refusal, bool) {
	if r, ok := fsm.AsRefusal(err); ok {
		return r, true
	}
	var e *wire.Error
	if errors.As(err, &e) && refusals[e.Code] {
		return &fsm.Refusal{Code: fsm.Code(e.Code), Text: e.Text}, true
	}
	return nil, false
}
