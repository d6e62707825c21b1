package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// keyed writes a gateway's key files with a mode and returns its resolved node.
func keyed(t *testing.T, mode os.FileMode) *Node {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"node.key", "record.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "record.key"), mode); err != nil {
		t.Fatal(err)
	}
	n := Node{Version: 1, Role: RoleGateway, ID: "gw-1", File: "node.yaml"}.WithDefaults()
	n.Resolve(dir)
	return &n
}

func TestKeyFilesOthersCanReadAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits on Windows")
	}
	for _, tt := range []struct {
		mode os.FileMode
		ok   bool
	}{{0o600, true}, {0o400, true}, {0o640, false}, {0o604, false}, {0o644, false}, {0o620, false}, {0o601, false}} {
		err := keyed(t, tt.mode).CheckKeyFiles()
		if (err == nil) != tt.ok {
			t.Errorf("mode %04o: %v, want ok = %t", tt.mode, err, tt.ok)
		}
		if err != nil && !(strings.Contains(err.Error(), "keys.record_key_file") && strings.Contains(err.Error(), "chmod 0600 ")) {
			t.Errorf("mode %04o: %q names neither key nor remedy", tt.mode, err)
		}
	}
}

func TestMissingKeyFileIsNamed(t *testing.T) {
	n := keyed(t, 0o600)
	n.Keys.TLSKeyFile = filepath.Join(n.Dir, "absent.key")
	if err := n.CheckKeyFiles(); err == nil || !strings.Contains(err.Error(), "keys.tls_key_file: "+n.Keys.TLSKeyFile+": no such file") {
		t.Errorf("error = %v, want the file named", err)
	}
	n.Keys.TLSKeyFile = n.Dir
	if err := n.CheckKeyFiles(); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("error = %v, want a directory refused", err)
	}
}

func TestCredentialsDirectoryIsHonoured(t *testing.T) {
	creds := t.TempDir()
	file := filepath.Join(creds, "record.key")
	if err := os.WriteFile(file, []byte("secret"), 0o440); err != nil { // systemd shows its access list so
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", creds)
	n := keyed(t, 0o600)
	if n.Keys.RecordKeyFile != file {
		t.Errorf("record_key_file = %s, want %s", n.Keys.RecordKeyFile, file)
	}
	if want := filepath.Join(n.Dir, "node.key"); n.Keys.TLSKeyFile != want {
		t.Errorf("tls_key_file = %s, want %s: it is not in the credentials", n.Keys.TLSKeyFile, want)
	}
	if err := n.CheckKeyFiles(); err != nil {
		t.Errorf("CheckKeyFiles = %v, want nil", err)
	}
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := n.CheckKeyFiles(); err == nil && runtime.GOOS != "windows" {
		t.Error("a credential that everyone can read was accepted")
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	n := Node{Role: RoleGateway, Patches: []Patch{{Source: Source{File: "ecg/100"}}, {Source: Source{File: "/abs/100"}}}}.WithDefaults()
	n.Resolve("/etc/statnet")
	for _, tt := range []struct{ got, want string }{
		{n.Cluster, "/etc/statnet/cluster.yaml"},
		{n.DataDir, "/etc/statnet/data"},
		{n.Keys.CosignKeyFile, ""},
		{n.Patches[0].Source.File, "/etc/statnet/ecg/100"},
		{n.Patches[1].Source.File, "/abs/100"},
	} {
		if got := filepath.ToSlash(tt.got); got != tt.want {
			t.Errorf("path = %q, want %q", got, tt.want)
		}
	}
}

func TestNodeMustBeInTheCluster(t *testing.T) {
	c, err := ReadCluster("../deploy/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		node Node
		want string // part of the error, "" for none
	}{
		{"listed", Node{Role: RoleGateway, ID: "gw-1", Patches: []Patch{{Patient: "p-0001"}}}, ""},
		{"unknown id", Node{Role: RoleGateway, ID: "gw-9"}, `has no gateway "gw-9"`},
		{"id of another role", Node{Role: RoleServer, ID: "gw-1"}, `has no server "gw-1"`},
		{"patient of another gateway", Node{Role: RoleGateway, ID: "gw-1", Patches: []Patch{{Patient: "p-0007"}}}, "patches[0].patient"},
	} {
		err := tt.node.CheckMember(c)
		if got := ""; err != nil {
			got = err.Error()
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%s: accepted, want %q", tt.name, tt.want)
		}
	}
}
