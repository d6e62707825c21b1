package provision

import (
	"encoding/hex"
	"os"
	"path/filepath"
)

// writeInstance gives a verifier's data directory the identity that the roster
// names. A directory without it counts as wiped, and a wiped verifier has
// forgotten what it signed.
func writeInstance(dir string, id [16]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "instance-id"), []byte(hex.EncodeToString(id[:])+"\n"), 0o600)
}
