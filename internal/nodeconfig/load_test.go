package nodeconfig

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/provision"
)

func ward(t *testing.T) *provision.Written {
	t.Helper()
	w, err := provision.Write(filepath.Join(t.TempDir(), "ward"), provision.Spec{Gateways: 1, Patients: 1, Verifiers: 1, Servers: 1})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestLoadReadsAllThatANodeNeeds(t *testing.T) {
	w := ward(t)
	s, err := Load(flags(t, "--config", w.Of(config.RoleGateway)[0].File, "--log-level", "debug"), config.RoleGateway)
	if err != nil {
		t.Fatal(err)
	}
	if s.Node.Path() != "gateway/gw-1" || s.Cluster.Digest != w.Cluster.Digest || string(s.Genesis) != string(w.Genesis) || s.Node.Log.Level != "debug" {
		t.Errorf("Load = %s, cluster %x, genesis %d bytes, level %s", s.Node.Path(), s.Cluster.Digest[:4], len(s.Genesis), s.Node.Log.Level)
	}
	if !filepath.IsAbs(s.Node.DataDir) {
		t.Errorf("data_dir %s is not absolute", s.Node.DataDir)
	}
}

func TestLoadExplainsWhatIsWrong(t *testing.T) {
	t.Setenv("STATNET_CONFIG", "")
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		args  func(dir string) []string
		want  string
	}{
		{"no file", nil, func(dir string) []string { return []string{"--config", dir + "/absent.yaml"} }, "no such file"},
		{"no config at all", nil, func(string) []string { return nil }, "--config: required"},
		{"another role", nil, func(dir string) []string { return []string{"--config", dir + "/../s1/node.yaml"} }, "role is server, must be gateway"},
		{"key that others can read", func(t *testing.T, dir string) { chmod(t, dir+"/record.key", 0o640) }, nil, "chmod 0600"},
		{"no cluster file", func(t *testing.T, dir string) { remove(t, dir+"/cluster.yaml") }, nil, "cluster.yaml: no such file"},
		{"no genesis", func(t *testing.T, dir string) { remove(t, dir+"/genesis.cbor") }, nil, "genesis.cbor: no such file"},
		{"endless genesis", func(t *testing.T, dir string) {
			if err := os.WriteFile(dir+"/genesis.cbor", make([]byte, maxGenesis+1), 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil, "more than 65536"},
		{"unknown output", nil, func(dir string) []string { return []string{"--config", dir + "/node.yaml", "--output", "xml"} }, "--output xml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(ward(t).Dir, "gw-1")
			args := []string{"--config", dir + "/node.yaml"}
			if tt.args != nil {
				args = tt.args(dir)
			}
			if tt.spoil != nil {
				tt.spoil(t, dir)
			}
			_, err := Load(flags(t, args...), config.RoleGateway)
			var e *cli.Error
			if !errors.As(err, &e) || e.Code != cli.Usage {
				t.Fatalf("error = %v, want one with exit code 2", err)
			}
			if text := e.Error() + e.Detail; !strings.Contains(text, tt.want) {
				t.Errorf("error = %q, want %q", text, tt.want)
			}
			if e.Next == "" {
				t.Error("no next command")
			}
		})
	}
}

func chmod(t *testing.T, file string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}
