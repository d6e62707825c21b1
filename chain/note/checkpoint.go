// Package note is the text that verifiers sign: a checkpoint of the ledger, and
// one timestamped cosignature line per verifier (C2SP tlog-checkpoint,
// tlog-cosignature v1, tlog-proof, tlog-policy).
//
//	Checkpoint{origin, size, root} ──Text──▶ three lines ──Cosign──▶ line "— name base64"
//	                                                          │
//	           Policy.Open (any line) ◀── note ◀── Merge ◀────┘
//	           Policy.Verify (q lines) ──▶ Signed: what a reader may rely on
//
// The formats are public so that an auditor can check a ledger with other
// people's programs. Nothing here reads a clock: times are given and returned.
package note

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxNote bounds a note in bytes, before it is parsed.
const MaxNote = 16 << 10

// Refusals. Callers branch on them.
var (
	// ErrMalformed reports text that is not in the one form of its kind.
	ErrMalformed = errors.New("malformed note")
	// ErrOrigin reports a checkpoint of another ledger.
	ErrOrigin = errors.New("checkpoint of another ledger")
	// ErrSignature reports a line that claims a known verifier and does not
	// verify under its key.
	ErrSignature = errors.New("cosignature does not verify")
	// ErrQuorum reports too few valid cosignatures.
	ErrQuorum = errors.New("not enough cosignatures")
)

// Checkpoint is a statement about a whole ledger: its first Size leaves have
// this Root.
type Checkpoint struct {
	Origin string   // "ward.example/000102…", see record.Origin
	Size   uint64   // leaves, at least 1
	Root   [32]byte // RFC 6962 root
}

// Text is the signed text, three lines.
func (c Checkpoint) Text() []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ParseCheckpoint reads exactly what Text writes: no extension lines, no empty
// ledger. It does not check any signature.
func ParseCheckpoint(text []byte) (Checkpoint, error) {
	lines := strings.Split(string(text), "\n")
	if len(text) > MaxNote || len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, fmt.Errorf("checkpoint: not three lines: %w", ErrMalformed)
	}
	if !validName(lines[0]) {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin: %w", ErrMalformed)
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || size == 0 {
		return Checkpoint{}, fmt.Errorf("checkpoint: size: %w", ErrMalformed)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != 32 {
		return Checkpoint{}, fmt.Errorf("checkpoint: root: %w", ErrMalformed)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: [32]byte(root)}
	if !bytes.Equal(c.Text(), text) { // leading zeros, a plus sign
		return Checkpoint{}, fmt.Errorf("checkpoint: other encoding: %w", ErrMalformed)
	}
	return c, nil
}
