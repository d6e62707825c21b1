package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// RecordKey is an Ed25519 key that signs records, or a verifier's heads of the
// log, in the name of one node. It is safe for concurrent use and prints as
// "pki: secret".
type RecordKey struct {
	secret
	path string
	// A function, so that fmt, which cannot call methods of unexported fields,
	// finds an address when a RecordKey sits inside another struct. It would
	// follow a pointer: a test saw the key printed by %s.
	key func() ed25519.PrivateKey
}

// GenerateKey makes a new key of the node at path, e.g. "gateway/gw-1".
func GenerateKey(path string) (*RecordKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make record key of %s: %w", path, err)
	}
	return newRecordKey(path, key), nil
}

// RecordKeyFromSeed derives the key of the node at path from a 32-byte seed,
// for known answers in tests and for other homes of a key than a file.
func RecordKeyFromSeed(path string, seed []byte) (*RecordKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("make record key of %s: seed has %d bytes, want %d", path, len(seed), ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	return newRecordKey(path, key), nil
}

func newRecordKey(path string, key ed25519.PrivateKey) *RecordKey {
	return &RecordKey{path: path, key: func() ed25519.PrivateKey { return key }}
}

// LoadRecordKey reads the Ed25519 key of the node at path from file, under the
// rules of LoadKey. It does not check that the roster lists the key.
func LoadRecordKey(file, path string) (*RecordKey, error) {
	signer, err := LoadKey(file)
	if err != nil {
		return nil, err
	}
	key, ok := isEd25519(signer)
	if !ok {
		return nil, fmt.Errorf("read record key %s: file holds %T, want an Ed25519 key", file, signer)
	}
	return newRecordKey(path, key), nil
}

// WriteFile writes the key to a new file under the rules of WriteKey.
func (k *RecordKey) WriteFile(file string) error { return WriteKey(file, k.key()) }

// Path is the node in whose name the key signs.
func (k *RecordKey) Path() string { return k.path }

// Sign returns the Ed25519 signature of msg. Domain separation is the
// caller's: a record, a claim and a checkpoint start with different words.
func (k *RecordKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.key(), msg), nil }

// Public is the key that checks Sign.
func (k *RecordKey) Public() ed25519.PublicKey { return k.key().Public().(ed25519.PublicKey) }

// PublicHex is Public as cluster.yaml writes it.
func (k *RecordKey) PublicHex() string { return hex.EncodeToString(k.Public()) }

// PrivateKey is the key itself, for the one signer that wants it: the journal
// of a verifier's checkpoints. Never log, print or store it.
func (k *RecordKey) PrivateKey() ed25519.PrivateKey { return k.key() }

// KeyID is the first 8 bytes of the SHA-256 of the public key.
func (k *RecordKey) KeyID() [8]byte {
	sum := sha256.Sum256(k.Public())
	return [8]byte(sum[:8])
}
