package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// stepRow matches a row of the life-of-a-query table: step, then the fourth
// column, which names the files that do it.
var (
	stepRow  = regexp.MustCompile(`(?m)^\| (Q[1-9]) \|[^|]*\|[^|]*\|([^|]*)\|`)
	codeSpan = regexp.MustCompile("`([^`]+)`")
	stepMark = regexp.MustCompile(`query step (Q[1-9])`)
)

// TestLifeOfAQueryTableAgreesWithTheCode fails when a file that the table
// names does not say the step, and when a file says a step that the table
// does not list for it.
func TestLifeOfAQueryTableAgreesWithTheCode(t *testing.T) {
	doc, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]map[string]bool{} // file -> steps
	seen := map[string]bool{}
	for _, row := range stepRow.FindAllStringSubmatch(string(doc), -1) {
		seen[row[1]] = true
		for _, file := range codeSpan.FindAllStringSubmatch(row[2], -1) {
			if table[file[1]] == nil {
				table[file[1]] = map[string]bool{}
			}
			table[file[1]][row[1]] = true
		}
	}
	if len(seen) != 9 {
		t.Fatalf("the table lists %d steps, want Q1 to Q9", len(seen))
	}
	for file, steps := range stepsInCode(t) {
		for step := range steps {
			if !table[file][step] {
				t.Errorf("%s says %q, docs/ARCHITECTURE.md does not list it there", file, "query step "+step)
			}
			delete(table[file], step)
		}
	}
	for file, steps := range table {
		for step := range steps {
			t.Errorf("docs/ARCHITECTURE.md says %s does %s, the file does not", file, step)
		}
	}
}

func stepsInCode(t *testing.T) map[string]map[string]bool {
	t.Helper()
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range stepMark.FindAllStringSubmatch(string(text), -1) {
			file := filepath.ToSlash(path)
			if found[file] == nil {
				found[file] = map[string]bool{}
			}
			found[file][m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestReadmeCommandsExist runs nothing: it checks that every make target and
// every statnet command that the README shows is one that exists.
func TestReadmeCommandsExist(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^ {4}make ([a-z0-9]+)").FindAllStringSubmatch(string(readme), -1) {
		if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
			t.Errorf("README shows make %s, the Makefile has no such target", m[1])
		}
	}
	root := rootCommand()
	shown := regexp.MustCompile(`(?m)^ {4}(?:\./)?statnet ([^#\n]*)`).FindAllStringSubmatch(string(readme), -1)
	if len(shown) == 0 {
		t.Error("README shows no statnet command")
	}
	for _, m := range shown {
		words := strings.Fields(m[1])
		cmd, rest, err := root.Find(words)
		if err != nil || cmd == root {
			t.Errorf("README shows statnet %s: no such command (%v)", m[1], err)
			continue
		}
		for _, w := range rest {
			name, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), "=")
			if strings.HasPrefix(w, "--") && cmd.Flag(name) == nil && root.PersistentFlags().Lookup(name) == nil {
				t.Errorf("README shows statnet %s: no flag --%s", m[1], name)
			}
		}
	}
}
