package chain

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"statnet/internal/disk"
)

// instanceFile holds the data directory's identity, 32 hexadecimal digits and a
// newline.
const instanceFile = "instance-id"

// WriteInstance marks an empty data directory as the one that the roster names.
// It refuses a directory that has been used.
func WriteInstance(dir string, id [16]byte) error {
	for _, name := range []string{instanceFile, "ledger.db", "raft.db", "signer.journal"} {
		if exists(filepath.Join(dir, name)) {
			return fmt.Errorf("mark data directory %s: %s is there already", dir, name)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("mark data directory: %w", err)
	}
	return disk.WriteFile(filepath.Join(dir, instanceFile), []byte(hex.EncodeToString(id[:])+"\n"))
}

// checkInstance refuses a wiped or foreign directory.
func checkInstance(dir string, want [16]byte) error {
	data, err := os.ReadFile(filepath.Join(dir, instanceFile))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s has no %s: %w; a wiped node must return under a new id", dir, instanceFile, ErrInstance)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", instanceFile, err)
	}
	if string(data) != hex.EncodeToString(want[:])+"\n" {
		return fmt.Errorf("%s/%s: %w", dir, instanceFile, ErrInstance)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
