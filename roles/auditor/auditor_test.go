package auditor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statnet/internal/cli"
)

// TestWhatIsNotAReceiptIsRefused: exit code 2 for a wrong argument, which is
// not the same as a receipt that fails its check.
func TestWhatIsNotAReceiptIsRefused(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.tar")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxReceipt+1); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, want string }{
		{"absent", filepath.Join(dir, "absent.tar"), "no such file"},
		{"a directory", dir, "must be a file"},
		{"one byte too long", big, "at most"},
	} {
		_, err := readReceipt(tt.path)
		if cli.CodeOf(err) != cli.Usage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: readReceipt = %v (exit %d), want %q and exit 2", tt.name, err, cli.CodeOf(err), tt.want)
		}
	}
	if err := os.Truncate(big, maxReceipt); err != nil {
		t.Fatal(err)
	}
	if data, err := readReceipt(big); err != nil || len(data) != maxReceipt {
		t.Errorf("exactly the limit: readReceipt = %d bytes, %v", len(data), err)
	}
}
