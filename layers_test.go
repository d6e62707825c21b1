package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "statnet"

// layers says who may import whom. The first row whose name matches a folder
// counts: a name ending in "/..." matches a folder and everything under it.
// "..." as an import means everything. To add an arrow, change a row and say
// why in the commit.
var layers = []struct {
	folder string
	may    []string
}{
	// Nothing of ours: pure ideas that everything else rests on.
	{"stat", nil},
	{"ecg", nil},
	{"config", nil},
	{"crypto/he", nil},
	{"crypto/pki", nil},
	{"chain/merkle", nil},
	{"chain/note", nil},
	{"internal/cli", nil},
	// Files that must not change unnoticed; store and chain both keep some.
	{"internal/disk", nil},

	// Sources of samples and judges of detections know what a beat is.
	{"ecg/...", []string{"ecg/..."}},
	{"store", []string{"stat", "ecg", "internal/disk"}},

	// The ledger knows its own parts, what is counted and encrypted, and the
	// roster. It does not know the network: wire and chain meet in roles.
	{"chain/record", []string{"chain/merkle"}},
	{"chain/...", []string{"chain/...", "stat", "crypto/...", "config", "internal/disk"}},
	{"wire/pb", nil},
	{"wire", []string{"wire/pb", "crypto/pki", "config"}},

	{"internal/nodeconfig", []string{"config", "internal/cli"}},
	// fsm.Genesis is the one first record that a ledger accepts.
	{"internal/provision", []string{"config", "crypto/pki", "chain", "chain/record", "chain/fsm"}},
	// What a process opens before it is anything: identity, roster, connections.
	{"internal/node", []string{"config", "crypto/...", "chain/...", "wire", "internal/cli", "internal/disk", "internal/nodeconfig"}},
	{"internal/testnet/...", []string{"..."}},
	{"test/...", []string{"..."}},

	// A role never imports another role; see TestRolesAreApart.
	{"roles/...", []string{"stat", "ecg/...", "crypto/...", "chain/...", "store", "wire/...", "web/...", "config", "internal/..."}},
	{".", []string{"roles/...", "internal/cli"}},
}

// keepers says which files may import a library that we keep in one place.
var keepers = []struct {
	library string
	files   []string // path.Match patterns
	why     string
}{
	{"github.com/spf13/cobra", []string{"main.go", "main_words.go", "roles/*/command*.go"}, "commands are thin"},
	{"github.com/spf13/viper", []string{"internal/nodeconfig/*.go"}, "its traps are handled in one place"},
	{"github.com/goccy/go-yaml", []string{"config/*.go", "internal/cli/*.go", "internal/provision/*.go", "roles/ecgtool/*.go"}, "configuration is read in one place; ecgtool reads a developer's tuning file, which is none"},
	{"math/rand", nil, "randomness is crypto/rand or an argument"},
	{"math/rand/v2", []string{"wire/link.go", "ecg/synth/*.go"}, "randomness is crypto/rand or an argument; weak is enough for the jitter of a reconnection and for made-up hearts that must be repeatable"},
}

func TestImportsGoOneWay(t *testing.T) {
	for _, f := range sources(t) {
		row := slices.IndexFunc(layers, func(l layer) bool { return matches(l.folder, f.folder) })
		if row < 0 {
			t.Errorf("%s: folder %s has no row in layers_test.go", f.path, f.folder)
			continue
		}
		for _, target := range f.ours {
			if !slices.ContainsFunc(layers[row].may, func(p string) bool { return matches(p, target) }) {
				t.Errorf("%s imports %s: %s", f.path, target, allowed(layers[row]))
			}
		}
	}
}

func TestRolesAreApart(t *testing.T) {
	for _, f := range sources(t) {
		for _, target := range f.ours {
			if role(f.folder) != "" && role(target) != "" && role(f.folder) != role(target) {
				t.Errorf("%s imports %s: a role never imports another role", f.path, target)
			}
		}
	}
}

func TestLibrariesStayWithTheirKeepers(t *testing.T) {
	for _, f := range sources(t) {
		for _, k := range keepers {
			kept := slices.ContainsFunc(k.files, func(p string) bool { ok, _ := path.Match(p, f.path); return ok })
			if !kept && slices.Contains(f.others, k.library) {
				t.Errorf("%s imports %s: only %v may, because %s", f.path, k.library, k.files, k.why)
			}
		}
	}
}

// TestLayersCatchAWrongArrow believes the tests above only after seeing their
// matching fail.
func TestLayersCatchAWrongArrow(t *testing.T) {
	for _, tt := range []struct {
		pattern, folder string
		want            bool
	}{
		{"chain/...", "chain", true},
		{"chain/...", "chain/fsm", true},
		{"chain/...", "chainsaw", false},
		{"ecg", "ecg/synth", false},
		{"...", "anything", true},
		{".", ".", true},
		{"config", ".", false},
	} {
		if got := matches(tt.pattern, tt.folder); got != tt.want {
			t.Errorf("matches(%q, %q) = %t, want %t", tt.pattern, tt.folder, got, tt.want)
		}
	}
}

type layer = struct {
	folder string
	may    []string
}

func allowed(l layer) string {
	if len(l.may) == 0 {
		return l.folder + " imports nothing of ours"
	}
	return fmt.Sprintf("%s may import %s", l.folder, strings.Join(l.may, ", "))
}

func matches(pattern, folder string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return folder == base || strings.HasPrefix(folder, base+"/")
	}
	return folder == pattern
}

// role is the role that a folder belongs to, "" for none.
func role(folder string) string {
	rest, ok := strings.CutPrefix(folder, "roles/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// source is one Go file that is not a test: tests may import what they like.
type source struct {
	path, folder string
	ours, others []string
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(file, d.Name())
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		s, err := parse(filepath.ToSlash(file))
		out = append(out, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("%d source files found, want the whole module", len(out))
	}
	return out
}

// skip leaves out what the go tool leaves out, and other modules.
func skip(dir, name string) error {
	if dir == "." {
		return nil
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func parse(file string) (source, error) {
	s := source{path: file, folder: path.Dir(file)}
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return s, err
	}
	for _, i := range tree.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return s, err
		}
		if target, ok := strings.CutPrefix(name, module+"/"); ok {
			s.ours = append(s.ours, target)
		} else {
			s.others = append(s.others, name)
		}
	}
	return s, nil
}
