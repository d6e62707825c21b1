// Package ecgtest finds the real recordings that tests are checked against. Only
// tests import it.
package ecgtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Env names the directory with shared data; without it, ../shared/data beside
// the module is taken.
const Env = "STATNET_DATA"

// Dir returns the directory with the ECG records: mitdb, mitdb130 and
// hrv_reference.json. Without data a test is skipped, in CI it fails.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(Env)
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), "..", "shared", "data")
	}
	dir = filepath.Join(dir, "ecg")
	if _, err := os.Stat(filepath.Join(dir, "mitdb", "100.hea")); err == nil {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no ECG records in %s: set %s", dir, Env)
	}
	t.Skipf("no ECG records in %s: set %s to the shared data", dir, Env)
	return ""
}

// moduleRoot walks up from the test's directory to go.mod.
func moduleRoot(t testing.TB) string {
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
			t.Fatal("no go.mod above the test's directory")
		}
		dir = up
	}
}

// Names lists the shared records.
var Names = []string{"100", "104", "108", "113", "116", "119", "200", "203", "207", "208", "222", "232"}
