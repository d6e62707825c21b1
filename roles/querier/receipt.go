package querier

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"statnet/internal/cli"
)

// receiptFile is the file that --receipt names. It is opened before anything is
// asked, so that a path that cannot be written costs no question, and takes its
// name when it is whole: an older receipt stays until then.
type receiptFile struct {
	path string
	tmp  *os.File // nil: path is no regular file, as /dev/stderr, and written directly
}

// openReceipt returns nil for no path.
func openReceipt(path string) (*receiptFile, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil, cli.Usagef("statnet query --help", "--receipt %s: is a directory, must be a file, e.g. %s", path, filepath.Join(path, "receipt.tar"))
	}
	if err == nil && !info.Mode().IsRegular() {
		return &receiptFile{path: path}, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".statnet-receipt-*")
	if err != nil {
		var beneath *os.PathError
		if errors.As(err, &beneath) {
			err = beneath.Err // its path is that of the temporary file
		}
		return nil, cli.Usagef("ls -ld "+filepath.Dir(path), "--receipt %s: cannot be written there (%v), e.g. receipt.tar", path, err)
	}
	return &receiptFile{path: path, tmp: tmp}, nil
}

// write puts the receipt where the asker wanted it.
func (r *receiptFile) write(data []byte) error {
	if r.tmp == nil {
		return os.WriteFile(r.path, data, 0o644)
	}
	_, err := r.tmp.Write(data)
	if err := errors.Join(err, r.tmp.Chmod(0o644), r.tmp.Sync()); err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	if err := os.Rename(r.tmp.Name(), r.path); err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	return nil
}

// discard leaves nothing behind of a receipt that was not written. After write
// it does nothing that matters.
func (r *receiptFile) discard() {
	if r != nil && r.tmp != nil {
		_ = r.tmp.Close()
		_ = os.Remove(r.tmp.Name())
	}
}
