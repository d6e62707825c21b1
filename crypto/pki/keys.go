package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile bounds a key or certificate file; real ones have less than 4 KiB.
const maxFile = 64 << 10

// ModeError reports a key that others could read or replace. The key may
// already be known to them, so it is refused, not repaired.
type ModeError struct {
	Path string      // the file, or the directory that holds it
	Mode os.FileMode // its permission bits
	Want os.FileMode // bits to set
}

func (e *ModeError) Error() string {
	return fmt.Sprintf("%s has mode %04o, others could read or replace the key: run chmod %04o %s", e.Path, e.Mode, e.Want, e.Path)
}

// NewTLSKey makes an ECDSA P-256 key for a certificate.
func NewTLSKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make TLS key: %w", err)
	}
	return key, nil
}

// WriteKey writes a private key (ECDSA or Ed25519) as PKCS#8 PEM to a new file
// of mode 0600, making its directory with mode 0700 if there is none. An
// existing file is an error: a key is never overwritten.
func WriteKey(file string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write key %s: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if err := checkMode(filepath.Dir(file), 0o022, 0o700); err != nil {
		return fmt.Errorf("write key %s: %w", file, err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeNew(file, block, 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// LoadKey reads a key written by WriteKey. A file that anyone but its owner
// may read or write, or in a directory that others may write, is refused with
// a *ModeError. A file directly in systemd's $CREDENTIALS_DIRECTORY may have
// mode 0440. (Windows has no such bits; there the check is left out.)
func LoadKey(file string) (crypto.Signer, error) {
	forbidden, want := os.FileMode(0o077), os.FileMode(0o600)
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && filepath.Dir(file) == filepath.Clean(dir) {
		// systemd grants the service by an access list, whose mask shows as
		// the group's right to read; the directory is the service's alone.
		forbidden, want = 0o037, 0o440
	}
	if err := errors.Join(checkMode(filepath.Dir(file), 0o022, 0o700), checkMode(file, forbidden, want)); err != nil {
		return nil, fmt.Errorf("read key %s: %w", file, err)
	}
	data, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("read key %s: want one PEM block PRIVATE KEY and nothing else", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		// The parser's own words may quote the input.
		return nil, fmt.Errorf("read key %s: not a PKCS#8 private key", file)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read key %s: %T cannot sign", file, key)
	}
	return signer, nil
}

// checkMode refuses a path whose mode has any of the forbidden bits.
func checkMode(path string, forbidden, want os.FileMode) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return &ModeError{Path: path, Mode: mode, Want: want}
	}
	return nil
}

// readBounded reads a file of at most maxFile bytes.
func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", file, maxFile)
	}
	return data, nil
}

// sameKey reports whether two public keys are equal.
func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// isP256 reports whether a public key is of the one kind that TLS uses here.
func isP256(pub crypto.PublicKey) bool {
	k, ok := pub.(*ecdsa.PublicKey)
	return ok && k.Curve == elliptic.P256()
}

// isEd25519 reports whether a private key is of the kind that signs records.
func isEd25519(key crypto.Signer) (ed25519.PrivateKey, bool) {
	k, ok := key.(ed25519.PrivateKey)
	return k, ok
}
