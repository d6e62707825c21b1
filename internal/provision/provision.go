// Package provision writes a cluster that can be started: certificate
// authority, certificates, keys, cluster.yaml, the ledger's first record and
// one directory per node.
//
//	Spec ──▶ keys ──▶ cluster.yaml ──SHA-256──▶ GENESIS, signed by the operator ──▶ genesis.cbor
//	           └────▶ certificates ──▶ DIR/gw-1/{node.yaml, node.pem, node.key, record.key, …}
//
// Each node's directory is complete: copy it to its machine and start it there.
// The root's secret key is in DIR/ca alone and belongs on a medium that no node
// can reach.
//
// `init`, `demo` and the tests share this package, so that what is tested is
// what is deployed.
package provision

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
)

// Spec says what to write. The zero value of each field is useful.
type Spec struct {
	Name string // cluster name; default ward.example

	Gateways  int // default 3
	Servers   int // default 3
	Verifiers int // default 4, the smallest number that survives a bad one
	Patients  int // in all, dealt out evenly in blocks; default 3 a gateway

	// PatientsOf lists the patients of each gateway; it replaces Gateways and
	// Patients.
	PatientsOf [][]string

	Host      string     // of every address; default 127.0.0.1
	BasePort  int        // servers +1.., verifiers +101.., raft +201..; default 7000
	Addresses *Addresses // explicit addresses, instead of Host and BasePort

	Ledger    config.Ledger // default config.DefaultQuorum(Verifiers)
	Threshold int           // servers that open a result; default config.DefaultThreshold

	Queriers []string                                               // default dr-a
	Policy   func(c *config.Cluster) []config.Rule                  // default DefaultPolicy
	Sources  func(gateway int, patient string) []config.Source      // of a patient's patches; default Synthetic(1h)
	Adjust   func(c *config.Cluster, nodes map[string]*config.Node) // last changes, by path, before anything is written

	LogLevel      string          // default info
	LogFormat     string          // default text
	FlushInterval config.Duration // default 1m
	Validity      time.Duration   // of certificates; default 1 year, because nothing renews them yet
	Now           time.Time       // default time.Now()
}

// Addresses lists host:port in the order of the nodes. Nodes listen where
// others dial.
type Addresses struct {
	Servers   []string
	Verifiers []string
	Raft      []string // of the verifiers
}

// Written is a cluster on disk.
type Written struct {
	Dir     string
	Cluster *config.Cluster
	Genesis []byte // leaf 0
	Nodes   []Node
}

// Node is one node's directory.
type Node struct {
	Role, ID string
	Dir      string // DIR/gw-1
	File     string // DIR/gw-1/node.yaml
}

// Path is "role/id".
func (n Node) Path() string { return n.Role + "/" + n.ID }

// Of lists the nodes of one role, in the order of cluster.yaml.
func (w *Written) Of(role string) []Node {
	var out []Node
	for _, n := range w.Nodes {
		if n.Role == role {
			out = append(out, n)
		}
	}
	return out
}

// NotEmptyError reports a directory that already holds something. A cluster is
// never written over another: its keys could not be made again.
type NotEmptyError struct{ Dir string }

// Error names the directory.
func (e *NotEmptyError) Error() string { return fmt.Sprintf("%s is not empty", e.Dir) }

// Write writes the cluster into dir, which must be absent or empty. If it
// cannot finish, it removes what it wrote.
func Write(dir string, spec Spec) (*Written, error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return nil, err
	}
	created, err := claimDir(dir)
	if err != nil {
		return nil, err
	}
	w, err := write(dir, spec)
	if err != nil {
		discard(dir, created)
		return nil, fmt.Errorf("write cluster into %s: %w", dir, err)
	}
	return w, nil
}

func write(dir string, spec Spec) (*Written, error) {
	keys, err := newKeys(spec)
	if err != nil {
		return nil, err
	}
	cluster := spec.cluster(keys)
	nodes := spec.nodes(cluster)
	if spec.Adjust != nil {
		spec.Adjust(cluster, nodes)
	}
	text := clusterYAML(cluster, spec.Now)
	cluster, err = readBack(cluster, text)
	if err != nil {
		return nil, err
	}
	genesis, err := record.Seal("", keys.operator(), fsm.Genesis(cluster, uint64(spec.Now.UnixMilli())))
	if err != nil {
		return nil, fmt.Errorf("seal genesis record: %w", err)
	}
	w := &Written{Dir: dir, Cluster: cluster, Genesis: genesis}
	if err := w.writeShared(keys, text); err != nil {
		return nil, err
	}
	for _, m := range cluster.Members() {
		if err := w.writeNode(spec, keys, m, nodes[m.Path()], text); err != nil {
			return nil, fmt.Errorf("write %s: %w", m.Path(), err)
		}
	}
	return w, nil
}

// claimDir makes dir if it is absent, and reports whether it did.
func claimDir(dir string) (created bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case os.IsNotExist(err):
		return true, os.MkdirAll(dir, 0o755)
	case err != nil:
		return false, err
	case len(entries) > 0:
		return false, &NotEmptyError{Dir: dir}
	}
	return false, nil
}

func discard(dir string, created bool) {
	if created {
		os.RemoveAll(dir)
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		os.RemoveAll(filepath.Join(dir, e.Name()))
	}
}
