package querier

import (
	"os"
	"path/filepath"
	"testing"

	"statnet/internal/cli"
)

// TestReceiptTakesItsNameWhenWhole: an older receipt stays until the new one is
// written, and a question that fails leaves no file.
func TestReceiptTakesItsNameWhenWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.tar")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed, err := openReceipt(path)
	if err != nil {
		t.Fatal(err)
	}
	failed.discard()
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("after a question that failed: %q, want old", got)
	}
	r, err := openReceipt(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	r.discard()
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Errorf("after write: %q, want new", got)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files left, want r.tar alone", len(left))
	}
}

// TestReceiptPathIsCheckedBeforeTheQuestion: a directory that is not there
// costs no opening.
func TestReceiptPathIsCheckedBeforeTheQuestion(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "absent", "r.tar")} {
		if _, err := openReceipt(path); cli.CodeOf(err) != cli.Usage {
			t.Errorf("openReceipt(%s) = %v, want exit code 2", path, err)
		}
	}
	if r, err := openReceipt(""); r != nil || err != nil {
		t.Errorf("no path: %v, %v, want nothing", r, err)
	}
}
