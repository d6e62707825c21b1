package record

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Signer signs records for one node with its Ed25519 record key.
type Signer interface {
	Path() string                    // "gateway/gw-2"
	Sign(msg []byte) ([]byte, error) // Ed25519, 64 bytes
	KeyID() [8]byte                  // KeyID of the public key
}

// KeyID is SHA-256(public key)[:8].
func KeyID(pub []byte) [8]byte {
	h := sha256.Sum256(pub)
	return [8]byte(h[:8])
}

// leafArray is the envelope on disk and on the wire.
type leafArray struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Type    Type
	Payload []byte
	Signer  string
	Kid     [8]byte
	Sig     [64]byte
}

// Envelope is a decoded record.
type Envelope struct {
	Type         Type
	Payload      Payload
	PayloadBytes []byte // as signed
	Raw          []byte // the leaf, as received
	Signer       string // node path
	Kid          [8]byte
	Sig          [64]byte
}

// Seal encodes p, signs it for the ledger named by origin and returns the leaf.
// GENESIS is sealed with an empty origin whatever is given.
func Seal(origin string, s Signer, p Payload) ([]byte, error) {
	payload, err := Encode(p)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", p.Type(), err)
	}
	if _, _, err := SplitPath(s.Path()); err != nil {
		return nil, fmt.Errorf("seal %s: %w", p.Type(), err)
	}
	sig, err := sign(s, signedBytes(origin, p.Type(), payload, s.Path()))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", p.Type(), err)
	}
	leaf, err := encode(leafArray{Version: 1, Type: p.Type(), Payload: payload, Signer: s.Path(),
		Kid: s.KeyID(), Sig: sig})
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", p.Type(), err)
	}
	if len(leaf) > MaxLeaf {
		return nil, fmt.Errorf("seal %s: %w: %d bytes, limit %d", p.Type(), ErrTooLarge, len(leaf), MaxLeaf)
	}
	return leaf, nil
}

// sign refuses a signer that returns anything but an Ed25519 signature.
func sign(s Signer, msg []byte) ([64]byte, error) {
	sig, err := s.Sign(msg)
	if err != nil {
		return [64]byte{}, err
	}
	if len(sig) != ed25519.SignatureSize {
		return [64]byte{}, fmt.Errorf("signature of %d bytes, want 64", len(sig))
	}
	return [64]byte(sig), nil
}

// Decode reads a leaf strictly. It does not check the signature: see Verify.
func Decode(leaf []byte) (Envelope, error) {
	if len(leaf) > MaxLeaf {
		return Envelope{}, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(leaf), MaxLeaf)
	}
	var a leafArray
	if err := decodeStrict(leaf, &a); err != nil {
		return Envelope{}, fmt.Errorf("decode leaf: %w", err)
	}
	if a.Version != 1 {
		return Envelope{}, malformed("leaf version %d, want 1", a.Version)
	}
	if _, _, err := SplitPath(a.Signer); err != nil {
		return Envelope{}, err
	}
	p, err := DecodePayload(a.Type, a.Payload)
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{Type: a.Type, Payload: p, PayloadBytes: a.Payload, Raw: leaf,
		Signer: a.Signer, Kid: a.Kid, Sig: a.Sig}, nil
}

// Verify checks the signature under pub for the ledger named by origin.
//
// It does not check that pub is the signer's key in the roster in force, nor
// that the signer may sign this kind: callers must.
func (e Envelope) Verify(origin string, pub ed25519.PublicKey) error {
	if len(pub) != ed25519.PublicKeySize || e.Kid != KeyID(pub) {
		return fmt.Errorf("%w: %s by %s: key id %x is not of its key", ErrBadSignature, e.Type, e.Signer, e.Kid)
	}
	if !ed25519.Verify(pub, signedBytes(origin, e.Type, e.PayloadBytes, e.Signer), e.Sig[:]) {
		return fmt.Errorf("%w: %s by %s", ErrBadSignature, e.Type, e.Signer)
	}
	return nil
}

// Open is Decode and Verify.
func Open(origin string, leaf []byte, pub ed25519.PublicKey) (Envelope, error) {
	e, err := Decode(leaf)
	if err != nil {
		return Envelope{}, err
	}
	if err := e.Verify(origin, pub); err != nil {
		return Envelope{}, err
	}
	return e, nil
}

// signedBytes is the message of a record's signature.
func signedBytes(origin string, t Type, payload []byte, signer string) []byte {
	if t == TypeGenesis {
		origin = "" // the origin is a digest of this very leaf
	}
	h := sha256.Sum256(payload)
	b := []byte("statnet/record/v1\x00")
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = appendString(b, origin)
	b = append(b, h[:]...)
	return appendString(b, signer)
}

// appendString writes be16(len) || s. Node paths are at most 72 bytes and
// origins at most 286, so the length always fits.
func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// Origin names a ledger: cluster name, "/", first half of the digest of leaf 0.
func Origin(name string, genesisLeaf []byte) string {
	h := sha256.Sum256(genesisLeaf)
	return name + "/" + hex.EncodeToString(h[:16])
}

// LeafHash is the Merkle leaf hash, SHA-256(0x00 || leaf), of RFC 6962.
func LeafHash(leaf []byte) Hash {
	return sha256.Sum256(append([]byte{0}, leaf...))
}

// QueryID is the SHA-256 of a QUERY's payload bytes.
func QueryID(payload []byte) Hash { return sha256.Sum256(payload) }

// IdemKey names what a signer may say once. Two leaves with one key and other
// bytes are a conflict and evidence.
func IdemKey(queryID Hash, t Type, signer string, seq uint64) Hash {
	b := []byte("statnet/idem/v1\x00")
	b = append(b, queryID[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = appendString(b, signer)
	b = binary.BigEndian.AppendUint64(b, seq)
	return sha256.Sum256(b)
}

// IdemKey is the key of this record.
func (e Envelope) IdemKey() Hash {
	return IdemKey(e.QueryID(), e.Type, e.Signer, e.Payload.seq(e.PayloadBytes))
}

// QueryID is the query the record belongs to; zero if it belongs to none.
func (e Envelope) QueryID() Hash { return e.Payload.query(e.PayloadBytes) }

// Command is what raft carries: idem key || leaf.
func (e Envelope) Command() []byte {
	k := e.IdemKey()
	return append(k[:], e.Raw...)
}

// Command decodes a leaf and returns its command. The signature is not checked.
func Command(leaf []byte) ([]byte, error) {
	e, err := Decode(leaf)
	if err != nil {
		return nil, err
	}
	return e.Command(), nil
}

// MaxCommand bounds a command in bytes.
const MaxCommand = 32 + MaxLeaf

// SplitCommand splits a command into idem key and leaf. The leaf aliases cmd.
func SplitCommand(cmd []byte) (key Hash, leaf []byte, err error) {
	if len(cmd) > MaxCommand {
		return key, nil, fmt.Errorf("%w: command of %d bytes", ErrTooLarge, len(cmd))
	}
	if len(cmd) <= 32 {
		return key, nil, malformed("command of %d bytes", len(cmd))
	}
	return Hash(cmd[:32]), cmd[32:], nil
}
