package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func node(t *testing.T, extra string) (*Node, error) {
	t.Helper()
	return ParseNode("node.yaml", []byte("version: 1\nrole: gateway\nid: gw-1\n"+extra))
}

// TestDigitsOfAKeyStayDigits: YAML would read some keys as numbers, and 1e10 as
// 10000000000.
func TestDigitsOfAKeyStayDigits(t *testing.T) {
	type file struct {
		Key Hex `yaml:"key"`
	}
	for _, digits := range []string{
		strings.Repeat("0123456789", 6) + "0123",
		"0" + strings.Repeat("7", 63),
		"1e" + strings.Repeat("1", 62),
		strings.Repeat("1", 62) + "e1",
		"0b10", "00", "0123", "1234567890", "9999999999999999999999", "12e4", "0e00",
	} {
		for _, text := range []string{digits, `"` + digits + `"`, "'" + digits + "'"} {
			var got file
			if err := DecodeStrict("f", []byte("key: "+text+"\n"), &got); err != nil || got.Key.String() != digits {
				t.Errorf("key: %s is read as %q (%v)", text, got.Key, err)
			}
		}
	}
}

func TestDefaultsAreFilled(t *testing.T) {
	n, err := node(t, "patches: [{id: a, patient: p-1, source: {kind: synth, live: true}}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.FlushInterval.String(), "1m"; got != want {
		t.Errorf("flush_interval = %s, want %s", got, want)
	}
	if got, want := n.Keys.RecordKeyFile+" "+n.DataDir+" "+n.Log.Level+" "+n.Keys.CosignKeyFile, "record.key data info "; got != want {
		t.Errorf("defaults = %q, want %q", got, want)
	}
	if got, want := n.Patches[0].Source, (Source{Kind: "synth", RateHz: 250, Rhythm: "sinus", Live: true}); got != want {
		t.Errorf("source = %+v, want %+v", got, want)
	}
	var zero Node
	if again := zero.WithDefaults().WithDefaults(); !reflect.DeepEqual(again, zero.WithDefaults()) {
		t.Errorf("WithDefaults twice = %+v", again)
	}
}

// TestDefaultsFitTheirKeys: every default and every enum word is a value.
func TestDefaultsFitTheirKeys(t *testing.T) {
	for _, k := range NodeScalars() {
		words := k.Enum
		if k.Default != "" {
			words = append(words, k.Default)
		}
		for _, w := range words {
			if err := k.CheckText("test", w); err != nil {
				t.Errorf("%s: %v", k.Path, err)
			}
		}
		if k.Doc == "" || k.Example == "" {
			t.Errorf("%s: doc %q, example %q, want both", k.Path, k.Doc, k.Example)
		}
	}
	for _, k := range append(NodeKeys(), ClusterKeys()...) {
		if k.Doc == "" || k.Example == "" {
			t.Errorf("%s: doc %q, example %q, want both", k.Path, k.Doc, k.Example)
		}
	}
}

func TestTooLongAFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(path, bytes.Repeat([]byte("#"), MaxClusterBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCluster(path); err == nil || !strings.Contains(err.Error(), "read cluster file") {
		t.Errorf("ReadCluster of %d bytes = %v, want a refusal", MaxClusterBytes+1, err)
	}
}

func TestClusterKeepsItsBytes(t *testing.T) {
	data, err := os.ReadFile("../deploy/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCluster("cluster.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Raw, data) || c.Digest == [32]byte{} {
		t.Errorf("Raw or Digest is not that of the file")
	}
	if got, want := c.FaultModel(), "byzantine f=1"; got != want {
		t.Errorf("FaultModel = %q, want %q", got, want)
	}
	if g, ok := c.GatewayOf("p-0007"); !ok || g.ID != "gw-2" {
		t.Errorf("GatewayOf(p-0007) = %v, %t, want gw-2", g, ok)
	}
	if key, ok := c.RecordKey("querier/dr-a"); !ok || !bytes.Equal(key, c.Queriers[0].RecordKey) {
		t.Errorf("RecordKey(querier/dr-a) = %s, %t", key, ok)
	}
	if _, ok := c.RecordKey("server/dr-a"); ok {
		t.Error("RecordKey(server/dr-a) was found; a key belongs to a role")
	}
}

// FuzzDecode: no bytes make the decoder panic, and every problem has a place in
// the file.
func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"testdata/wrong/*.yaml", "../deploy/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := ParseNode("f", data); err == nil && n.Validate() != nil {
			t.Errorf("accepted, but invalid: %v", n.Validate())
		}
		c, err := ParseCluster("f", data)
		if err == nil && c.Validate() != nil {
			t.Errorf("accepted, but invalid: %v", c.Validate())
		}
		problems, _ := err.(Problems)
		for _, p := range problems {
			if p.Line > 0 && (p.Col < 1 || p.Col > len([]rune(p.Source))+1) {
				t.Errorf("column %d of %q", p.Col, p.Source)
			}
			_ = p.Error()
		}
	})
}
