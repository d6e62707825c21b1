package provision

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/pki"
)

func mustWrite(t *testing.T, spec Spec) *Written {
	t.Helper()
	w, err := Write(filepath.Join(t.TempDir(), "ward"), spec)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestEveryNodeCanStart: each directory alone has what its node reads.
func TestEveryNodeCanStart(t *testing.T) {
	w := mustWrite(t, Spec{})
	if got, want := len(w.Nodes), 4+3+3+1+1; got != want {
		t.Fatalf("%d nodes, want %d", got, want)
	}
	for _, n := range w.Nodes {
		node, err := config.ReadNode(n.File)
		if err != nil {
			t.Errorf("%s: %v", n.Path(), err)
			continue
		}
		if node.Path() != n.Path() {
			t.Errorf("%s holds %s", n.File, node.Path())
		}
		cluster, err := config.ReadCluster(node.Cluster)
		if err != nil || cluster.Digest != w.Cluster.Digest {
			t.Errorf("%s: cluster.yaml %v, want the same bytes everywhere", n.Path(), err)
			continue
		}
		if err := node.CheckMember(cluster); err != nil {
			t.Error(err)
		}
		if genesis, err := os.ReadFile(node.Genesis); err != nil || !bytes.Equal(genesis, w.Genesis) {
			t.Errorf("%s: genesis.cbor %v, want the same bytes everywhere", n.Path(), err)
		}
		checkCredentials(t, n, node, cluster)
	}
}

func checkCredentials(t *testing.T, n Node, node *config.Node, cluster *config.Cluster) {
	t.Helper()
	creds, err := pki.LoadCredentials(node.Keys.Certificate, node.Keys.TLSKeyFile, node.Keys.Root)
	if err != nil {
		t.Errorf("%s: %v", n.Path(), err)
		return
	}
	if got, want := creds.Identity, (pki.Identity{Cluster: cluster.Name, Role: n.Role, ID: n.ID}); got != want {
		t.Errorf("certificate names %v, want %v", got, want)
	}
	if err := creds.CheckRoots([]string{cluster.Roots[0].String()}); err != nil {
		t.Errorf("%s: %v", n.Path(), err)
	}
	key, err := pki.LoadRecordKey(node.Keys.RecordKeyFile, n.Path())
	if err != nil {
		t.Errorf("%s: %v", n.Path(), err)
		return
	}
	if public, _ := cluster.RecordKey(n.Path()); key.PublicHex() != public.String() {
		t.Errorf("%s: record key is not that of cluster.yaml", n.Path())
	}
	if n.Role != config.RoleVerifier {
		return
	}
	v, _ := cluster.Verifier(n.ID)
	cosign, err := pki.LoadRecordKey(node.Keys.CosignKeyFile, n.Path())
	if err != nil || cosign.PublicHex() != v.CosignKey.String() {
		t.Errorf("%s: cosigning key is not that of cluster.yaml (%v)", n.Path(), err)
	}
	if id, err := os.ReadFile(filepath.Join(node.DataDir, "instance-id")); err != nil || string(id) != v.Instance.String()+"\n" {
		t.Errorf("%s: instance-id = %q (%v), want %s", n.Path(), id, err, v.Instance)
	}
}

// TestGenesisIsAcceptedByTheLedger: leaf 0 is signed by the operator and says
// what cluster.yaml says.
func TestGenesisIsAcceptedByTheLedger(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	w := mustWrite(t, Spec{Now: now, Validity: 10 * 365 * 24 * time.Hour})
	e, err := record.Open("", w.Genesis, []byte(w.Cluster.Operators[0].RecordKey))
	if err != nil {
		t.Fatal(err)
	}
	g := e.Payload.(*record.Genesis)
	if g.Cluster != w.Cluster.Digest || g.UnixMS != uint64(now.UnixMilli()) || g.Mode != record.ModeByzantine || e.Signer != "operator/op-1" {
		t.Errorf("genesis = mode %d, %d ms, by %s", g.Mode, g.UnixMS, e.Signer)
	}
	if _, err := fsm.New(w.Cluster).Step(0, e.Command()); err != nil {
		t.Errorf("the state machine refuses leaf 0: %v", err)
	}
}

// TestSecretsAreClosed: no key can be read by others, and the root's key is in
// no node's directory.
func TestSecretsAreClosed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits on Windows")
	}
	w := mustWrite(t, Spec{})
	keys := 0
	err := filepath.WalkDir(w.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != w.Dir && info.Mode().Perm() != 0o700 {
				t.Errorf("%s has mode %04o, want 0700", path, info.Mode().Perm())
			}
			return nil
		}
		data, err := os.ReadFile(path)
		if strings.HasSuffix(path, ".key") || bytes.Contains(data, []byte("PRIVATE KEY")) {
			keys++
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %04o, want 0600", path, info.Mode().Perm())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := 2*12 + 4 + 1; keys != want {
		t.Errorf("%d keys, want %d: two a node, one more a verifier, the root's", keys, want)
	}
}

func TestDirectoryMustBeEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var full *NotEmptyError
	if _, err := Write(dir, Spec{}); !errors.As(err, &full) || full.Dir != dir {
		t.Errorf("Write = %v, want NotEmptyError", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "note")); err != nil {
		t.Errorf("the file that was there: %v", err)
	}
	if _, err := Write(t.TempDir(), Spec{Gateways: 1, Servers: 1, Verifiers: 1}); err != nil {
		t.Errorf("Write into an empty directory = %v", err)
	}
}

func TestNothingIsLeftOfAWrongSpec(t *testing.T) {
	for _, tt := range []struct {
		name string
		spec Spec
		want string
	}{
		{"too many servers", Spec{Servers: 17}, "servers: 17"},
		{"too few patients", Spec{Gateways: 3, Patients: 2}, "patients: 2"},
		{"unsafe quorum", Spec{Ledger: config.Ledger{FaultModel: config.Byzantine, Faulty: 1, Quorum: 2}}, "2q > n+f"},
		{"threshold of one", Spec{Threshold: 1}, "lets each single server"},
		{"a patient twice", Spec{PatientsOf: [][]string{{"p-1"}, {"p-1"}}}, "already used"},
		{"name that is none", Spec{Name: "Ward!"}, ""},
		{"addresses missing", Spec{Addresses: &Addresses{}}, "addresses:"},
		{"address twice", Spec{Servers: 2, Verifiers: 1, Addresses: &Addresses{Servers: []string{"a:1", "a:1"}, Verifiers: []string{"a:2"}, Raft: []string{"a:3"}}}, "already used"},
		{"source that is none", Spec{Sources: func(int, string) []config.Source { return []config.Source{{Kind: "radio"}} }}, "not one of synth"},
	} {
		dir := filepath.Join(t.TempDir(), "ward")
		if _, err := Write(dir, tt.spec); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Write = %v, want %q", tt.name, err, tt.want)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 0 {
			t.Errorf("%s: %d entries left behind", tt.name, len(entries))
		}
	}
}

func TestSpecIsFollowed(t *testing.T) {
	start := time.Date(2026, 11, 20, 1, 2, 3, 4_000_000, time.UTC)
	w := mustWrite(t, Spec{
		Name: "demo", Verifiers: 3, Servers: 3, PatientsOf: [][]string{{"true", "123", "1e5"}, {"null", "p-2"}}, // good names, awkward YAML
		Queriers: []string{"dr-a", "dr-b"}, LogLevel: "debug", FlushInterval: config.Duration(time.Second),
		Addresses: &Addresses{
			Servers:   []string{"127.0.0.1:4001", "127.0.0.1:4002", "[::1]:4003"},
			Verifiers: []string{"127.0.0.1:4011", "127.0.0.1:4012", "127.0.0.1:4013"},
			Raft:      []string{"127.0.0.1:4021", "127.0.0.1:4022", "127.0.0.1:4023"},
		},
		Sources: func(_ int, patient string) []config.Source {
			return []config.Source{{Kind: config.SourceWFDB, File: "/data/a b, c: #1", Signal: 1, Start: start}, {Kind: config.SourceRR, File: "-.csv"}}
		},
	})
	if got, want := w.Cluster.FaultModel(), "byzantine f=1, not live"; got != want {
		t.Errorf("fault model = %q, want %q", got, want)
	}
	if rules := w.Cluster.Rules("dr-b"); rules != nil {
		t.Errorf("the second querier may ask %+v, want nothing", rules)
	}
	n, err := config.ReadNode(w.Of(config.RoleGateway)[0].File)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Patches) != 6 || n.Patches[2].Patient != "123" || n.Patches[0].Source.File != "/data/a b, c: #1" || !n.Patches[0].Source.Start.Equal(start) {
		t.Errorf("patches = %+v", n.Patches)
	}
	if n.Log.Level != "debug" || n.FlushInterval.String() != "1s" {
		t.Errorf("log %s, flush %s, want debug, 1s", n.Log.Level, n.FlushInterval)
	}
	v, err := config.ReadNode(w.Of(config.RoleVerifier)[1].File)
	if err != nil || v.Listen != "127.0.0.1:4012" || v.RaftListen != "127.0.0.1:4022" {
		t.Errorf("v2 listens on %s and %s (%v)", v.Listen, v.RaftListen, err)
	}
}

func TestAdjustHasTheLastWord(t *testing.T) {
	w := mustWrite(t, Spec{Gateways: 1, Adjust: func(c *config.Cluster, nodes map[string]*config.Node) {
		c.Policy = c.Policy[:0]
		nodes["gateway/gw-1"].Patches = nil
		nodes["server/s1"].Listen = "0.0.0.0:9000"
	}})
	if len(w.Cluster.Policy) != 0 {
		t.Errorf("policy = %+v, want none", w.Cluster.Policy)
	}
	n, err := config.ReadNode(w.Of(config.RoleServer)[0].File)
	if err != nil || n.Listen != "0.0.0.0:9000" {
		t.Errorf("s1 listens on %s (%v)", n.Listen, err)
	}
}
