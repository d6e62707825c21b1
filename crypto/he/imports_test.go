package he

import (
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestOnlyRingIsImported walks the whole module: only this package uses the
// lattice library, production code only its package ring and only in ring.go,
// tests its BFV as an oracle, on 64-bit machines.
func TestOnlyRingIsImported(t *testing.T) {
	const library = "github.com/ldsec/lattigo"
	root := moduleRoot(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		f, err := goparser.ParseFile(token.NewFileSet(), path, nil, goparser.ImportsOnly|goparser.ParseComments)
		if err != nil {
			return nil // another package's half-written file is not our business
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		for _, imp := range f.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil || !strings.HasPrefix(p, library) {
				continue
			}
			switch {
			case name == "crypto/he/ring.go" && p == library+"/v2/ring":
			case strings.HasPrefix(name, "crypto/he/") && strings.HasSuffix(name, "_test.go"):
				if len(f.Comments) == 0 || !strings.Contains(f.Comments[0].Text()+f.Comments[0].List[0].Text, "amd64 || arm64") {
					t.Errorf("%s imports %s without the build tag amd64 || arm64", name, p)
				}
			default:
				t.Errorf("%s imports %s: only crypto/he/ring.go may, and only ring", name, p)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no go.mod above the test: not run from a checkout")
		}
		dir = up
	}
}
