package provision

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"statnet/chain"
	"statnet/config"
	"statnet/crypto/pki"
)

// Names of the files in a node's directory.
const (
	NodeFile    = "node.yaml"
	ClusterFile = "cluster.yaml"
	GenesisFile = "genesis.cbor"
	caDir       = "ca"
)

// writeShared writes what belongs to the cluster and to no node.
func (w *Written) writeShared(k *keys, clusterText []byte) error {
	ca := filepath.Join(w.Dir, caDir)
	if err := os.Mkdir(ca, 0o700); err != nil {
		return err
	}
	if err := k.ca.WriteRoot(filepath.Join(ca, "root.pem"), filepath.Join(ca, "root.key")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.Dir, ClusterFile), clusterText, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.Dir, GenesisFile), w.Genesis, 0o644)
}

// writeNode writes one node's directory, complete in itself.
func (w *Written) writeNode(spec Spec, k *keys, m config.Member, n *config.Node, clusterText []byte) error {
	dir := filepath.Join(w.Dir, m.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	text := nodeYAML(n)
	if err := checkNode(n, text); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		NodeFile: text, ClusterFile: clusterText, GenesisFile: w.Genesis, n.Keys.Root: k.ca.RootPEM(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	if err := writeKeys(spec, k, m, n, dir); err != nil {
		return err
	}
	w.Nodes = append(w.Nodes, Node{Role: m.Role, ID: m.ID, Dir: dir, File: filepath.Join(dir, NodeFile)})
	return nil
}

func writeKeys(spec Spec, k *keys, m config.Member, n *config.Node, dir string) error {
	tlsKey, err := pki.NewTLSKey()
	if err != nil {
		return fmt.Errorf("make TLS key: %w", err)
	}
	id := pki.Identity{Cluster: spec.Name, Role: m.Role, ID: m.ID}
	certificate, err := k.ca.Issue(id, tlsKey.Public(), spec.Validity)
	if err != nil {
		return fmt.Errorf("issue certificate: %w", err)
	}
	if err := pki.WriteCertificates(filepath.Join(dir, n.Keys.Certificate), certificate); err != nil {
		return err
	}
	if err := pki.WriteKey(filepath.Join(dir, n.Keys.TLSKeyFile), tlsKey); err != nil {
		return err
	}
	if err := k.record[m.Path()].WriteFile(filepath.Join(dir, n.Keys.RecordKeyFile)); err != nil {
		return err
	}
	cosign, ok := k.cosign[m.Path()]
	if !ok {
		return nil
	}
	if err := cosign.WriteFile(filepath.Join(dir, n.Keys.CosignKeyFile)); err != nil {
		return err
	}
	return chain.WriteInstance(filepath.Join(dir, n.DataDir), k.instance[m.Path()])
}

// readBack parses the text that is about to be written and compares: a value
// that YAML would read differently must not reach a disk.
func readBack(want *config.Cluster, text []byte) (*config.Cluster, error) {
	got, err := config.ParseCluster(ClusterFile, text)
	if err != nil {
		return nil, fmt.Errorf("check the cluster: %w", err)
	}
	if !slices.Equal(got.Values(), want.Values()) {
		return nil, fmt.Errorf("check the cluster: %s reads back differently", ClusterFile)
	}
	return got, nil
}

func checkNode(want *config.Node, text []byte) error {
	got, err := config.ParseNode(NodeFile, text)
	if err != nil {
		return err
	}
	if !slices.Equal(got.Values(), want.Values()) {
		return fmt.Errorf("%s reads back differently", NodeFile)
	}
	return nil
}
