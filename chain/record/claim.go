package record

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Claim is one verifier's signed reading of its clock, bound to the CUT before,
// so that an old claim cannot be used again.
type Claim struct {
	_      struct{} `cbor:",toarray"`
	Path   string   // "verifier/v1"
	UnixMS uint64   // milliseconds
	Sig    [64]byte
}

func claimBytes(origin string, previousCut, unixMS uint64) []byte {
	b := []byte("statnet/time/v1\x00")
	b = appendString(b, origin)
	b = binary.BigEndian.AppendUint64(b, previousCut)
	return binary.BigEndian.AppendUint64(b, unixMS)
}

// SignClaim signs a clock reading for the CUT that follows previousCut.
func SignClaim(origin string, s Signer, previousCut, unixMS uint64) (Claim, error) {
	sig, err := sign(s, claimBytes(origin, previousCut, unixMS))
	if err != nil {
		return Claim{}, fmt.Errorf("sign time claim: %w", err)
	}
	return Claim{Path: s.Path(), UnixMS: unixMS, Sig: sig}, nil
}

// Verify checks the claim's signature. It does not check that Path is a
// verifier in force.
func (c Claim) Verify(origin string, previousCut uint64, pub ed25519.PublicKey) error {
	if len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, claimBytes(origin, previousCut, c.UnixMS), c.Sig[:]) {
		return fmt.Errorf("%w: time claim of %s after leaf %d", ErrBadSignature, c.Path, previousCut)
	}
	return nil
}

// Marshal gives the bytes in which a claim travels between verifiers.
func (c Claim) Marshal() ([]byte, error) { return encode(c) }

// ParseClaim is the inverse of Marshal; the signature is not checked.
func ParseClaim(data []byte) (Claim, error) {
	var c Claim
	if len(data) > 256 {
		return c, fmt.Errorf("%w: claim of %d bytes", ErrTooLarge, len(data))
	}
	if err := decodeStrict(data, &c); err != nil {
		return c, fmt.Errorf("time claim: %w", err)
	}
	_, _, err := SplitPath(c.Path)
	return c, err
}

// Approval is one signature under the body of a ROSTER or POLICY.
type Approval struct {
	_    struct{} `cbor:",toarray"`
	Path string
	Kid  [8]byte
	Sig  [64]byte
}

func approvalBytes(origin string, t Type, body []byte) []byte {
	h := sha256.Sum256(body)
	b := []byte("statnet/approve/v1\x00")
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = appendString(b, origin)
	return append(b, h[:]...)
}

// Approve signs the body (a RosterBody or PolicyBody) of a record of kind t.
func Approve(origin string, s Signer, t Type, body any) (Approval, error) {
	enc, err := encode(body)
	if err != nil {
		return Approval{}, err
	}
	sig, err := sign(s, approvalBytes(origin, t, enc))
	if err != nil {
		return Approval{}, fmt.Errorf("approve %s: %w", t, err)
	}
	return Approval{Path: s.Path(), Kid: s.KeyID(), Sig: sig}, nil
}

// Verify checks an approval. It does not check who may approve, nor how many
// must.
func (a Approval) Verify(origin string, t Type, body any, pub ed25519.PublicKey) error {
	enc, err := encode(body)
	if err != nil {
		return err
	}
	if len(pub) != ed25519.PublicKeySize || a.Kid != KeyID(pub) || !ed25519.Verify(pub, approvalBytes(origin, t, enc), a.Sig[:]) {
		return fmt.Errorf("%w: approval of %s by %s", ErrBadSignature, t, a.Path)
	}
	return nil
}

// KeySigner is a Signer around a key in memory, for tests and for provisioning.
type KeySigner struct {
	path string
	key  ed25519.PrivateKey
}

// NewKeySigner wraps key as the record key of the node at path.
func NewKeySigner(path string, key ed25519.PrivateKey) KeySigner {
	return KeySigner{path: path, key: key}
}

// Path implements Signer.
func (k KeySigner) Path() string { return k.path }

// Sign implements Signer.
func (k KeySigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.key, msg), nil }

// KeyID implements Signer.
func (k KeySigner) KeyID() [8]byte { return KeyID(k.Public()) }

// Public is the public key.
func (k KeySigner) Public() ed25519.PublicKey { return k.key.Public().(ed25519.PublicKey) }

// String never shows the key.
func (KeySigner) String() string { return "record: secret" }

// GoString never shows the key.
func (KeySigner) GoString() string { return "record: secret" }
