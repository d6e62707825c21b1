package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSamplesAreValid: what we ship for copying works, names its schema, and
// every node in it is in the cluster.
func TestSamplesAreValid(t *testing.T) {
	cluster, err := ReadCluster("../deploy/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("../deploy/*.yaml")
	roles := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kind := NodeSchema
		if filepath.Base(file) == "cluster.yaml" {
			kind = ClusterSchema
		}
		if want := "# yaml-language-server: $schema=" + kind + ".schema.json\n"; !bytes.HasPrefix(data, []byte(want)) {
			t.Errorf("%s does not begin with %q", file, want)
		}
		if kind == ClusterSchema {
			continue
		}
		n, err := ParseNode(file, data)
		if err != nil {
			t.Error(err)
			continue
		}
		roles[n.Role] = true
		if err := n.CheckMember(cluster); err != nil {
			t.Error(err)
		}
	}
	for _, role := range []string{RoleGateway, RoleServer, RoleVerifier, RoleQuerier, RoleOperator} {
		if !roles[role] {
			t.Errorf("deploy has no sample for role %s", role)
		}
	}
}

// TestSchemasAreGenerated: `make generate` was run.
func TestSchemasAreGenerated(t *testing.T) {
	for _, kind := range []string{NodeSchema, ClusterSchema} {
		text, err := Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, "../deploy/"+kind+".schema.json", string(text)+"\n")
		var got struct {
			Required   []string
			Properties map[string]any
			Closed     *bool `json:"additionalProperties"`
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if got.Closed == nil || *got.Closed || len(got.Required) == 0 || got.Properties["version"] == nil {
			t.Errorf("schema of %s lets unknown keys in or requires nothing", kind)
		}
	}
}

// TestValuesNameEveryKey that the sample sets.
func TestValuesNameEveryKey(t *testing.T) {
	n, err := ParseNode("gateway.yaml", mustRead(t, "../deploy/gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, v := range n.Values() {
		lines = append(lines, v.Key+"="+v.Text)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"flush_interval=1m", "patches[1].source.start=2026-11-20T00:00:00Z", "patches[0].source.live=true", "keys.tls_key_file=node.key"} {
		if !strings.Contains(text, want) {
			t.Errorf("Values lacks %s:\n%s", want, text)
		}
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
