package he

import (
	"crypto/sha256"
	"encoding/binary"
)

// hashFields is H(label; x1, x2, ...) = SHA-256(len8(label) | label |
// be32(len x1) | x1 | ...). The lengths make it injective: no two field lists
// have the same input.
func hashFields(label string, fields ...[]byte) (d Digest) {
	h := sha256.New()
	h.Write([]byte{byte(len(label))})
	h.Write([]byte(label))
	var n [4]byte
	for _, f := range fields {
		binary.BigEndian.PutUint32(n[:], uint32(len(f)))
		h.Write(n[:])
		h.Write(f)
	}
	h.Sum(d[:0])
	return d
}

// be64 encodes an integer field of hashFields.
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// beInt encodes a small non-negative integer field of hashFields.
func beInt(v int) []byte { return be64(uint64(v)) }

// DigestOf returns the digest of an encoded object: SHA-256 over its header
// and body, as the bytes came.
func DigestOf(message []byte) Digest { return sha256.Sum256(message) }
