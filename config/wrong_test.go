package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestWrongFilesAreExplained reads every file of testdata/wrong, named by its
// fault, and compares the whole message with the file of the same name.
func TestWrongFilesAreExplained(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d wrong files (%v), want at least 10", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "cluster_") {
				_, err = ParseCluster("cluster.yaml", data)
			} else {
				_, err = ParseNode("node.yaml", data)
			}
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error = %v, want Problems", err)
			}
			checkGolden(t, strings.TrimSuffix(file, ".yaml")+".golden", problems.Error()+"\n")
		})
	}
}

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("message differs from %s\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// TestEveryProblemHasAPlace: whatever is wrong, the caret stands inside the
// file, and key and message are there.
func TestEveryProblemHasAPlace(t *testing.T) {
	files, _ := filepath.Glob("testdata/wrong/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(data), "\n")
		_, err = ParseCluster(file, data)
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) || p.Source != lines[p.Line-1] || p.Col < 1 || p.Col > len([]rune(p.Source))+1 || p.Message == "" {
				t.Errorf("%s: problem without a place: %+v", file, p)
			}
		}
	}
}
