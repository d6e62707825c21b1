package node_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statnet/config"
	"statnet/internal/node"
	"statnet/internal/provision"
)

// files is what a process is given, read as its command does.
type files struct {
	node    *config.Node
	cluster *config.Cluster
	genesis []byte
}

func write(t *testing.T, spec provision.Spec) *provision.Written {
	t.Helper()
	w, err := provision.Write(filepath.Join(t.TempDir(), "cluster"), spec)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func read(t *testing.T, w *provision.Written, id string) files {
	t.Helper()
	cfg, err := config.ReadNode(filepath.Join(w.Dir, id, "node.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := config.ReadCluster(cfg.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := os.ReadFile(cfg.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	return files{cfg, cluster, genesis}
}

// TestOpenRefusesWhatDoesNotBelongTogether exchanges one thing at a time for the
// same thing of another node, or of another cluster of the same name.
func TestOpenRefusesWhatDoesNotBelongTogether(t *testing.T) {
	w, twin := write(t, provision.Spec{}), write(t, provision.Spec{})
	for _, tt := range []struct {
		name   string
		change func(f *files)
		want   string
	}{
		{"nothing", func(*files) {}, ""},
		{"first record of another cluster", func(f *files) { f.genesis = read(t, twin, "gw-1").genesis }, "was made for"},
		{"damaged first record", func(f *files) { f.genesis = append(bytes.Clone(f.genesis), 0) }, "is no ledger record"},
		{"first record with another signature", func(f *files) {
			f.genesis = bytes.Clone(f.genesis)
			f.genesis[len(f.genesis)-1] ^= 1
		}, "is not the first record of this cluster's ledger"},
		{"roster of another cluster", func(f *files) { f.cluster = read(t, twin, "gw-1").cluster }, "was made for"},
		{"one byte more in cluster.yaml", func(f *files) {
			c, err := config.ParseCluster("cluster.yaml", append(bytes.Clone(f.cluster.Raw), '\n'))
			if err != nil {
				t.Fatal(err)
			}
			f.cluster = c
		}, "is not the file that"},
		{"another node's certificate", func(f *files) {
			k := read(t, w, "gw-2").node.Keys
			f.node.Keys.Certificate, f.node.Keys.TLSKeyFile = k.Certificate, k.TLSKeyFile
		}, "is the certificate of"},
		{"a certificate that the key does not fit", func(f *files) { f.node.Keys.Certificate = read(t, w, "gw-2").node.Keys.Certificate }, "key"},
		{"another cluster's certificate and root", func(f *files) {
			k := read(t, twin, "gw-1").node.Keys
			f.node.Keys.Certificate, f.node.Keys.TLSKeyFile, f.node.Keys.Root = k.Certificate, k.TLSKeyFile, k.Root
		}, "root"},
		{"another node's record key", func(f *files) { f.node.Keys.RecordKeyFile = read(t, w, "gw-2").node.Keys.RecordKeyFile }, "not the record key"},
		{"a name that is not in the roster", func(f *files) { f.node.ID = "gw-9" }, "gw-9"},
		{"another role", func(f *files) { f.node.Role = "server" }, "server/gw-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := read(t, w, "gw-1")
			tt.change(&f)
			n, err := node.Open(f.node, f.cluster, f.genesis, slog.New(slog.DiscardHandler))
			if err == nil {
				defer n.Close()
			}
			if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestKnownIsTheRoster(t *testing.T) {
	w := write(t, provision.Spec{})
	f := read(t, w, "s1")
	n, err := node.Open(f.node, f.cluster, f.genesis, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for path, want := range map[string]bool{"gateway/gw-1": true, "verifier/v4": true, "gateway/gw-9": false, "server/gw-1": false, "": false} {
		if n.Known(path) != want {
			t.Errorf("Known(%q) = %v, want %v", path, !want, want)
		}
	}
}
