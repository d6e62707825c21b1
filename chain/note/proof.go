package note

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// proofHeader opens a C2SP tlog-proof file.
const proofHeader = "c2sp.org/tlog-proof@v1"

// maxProof bounds the hashes of a proof file; a ledger of 2^40 leaves needs 40.
const maxProof = 64

// Proof is a C2SP tlog-proof: a record's place in a cosigned ledger, as one
// text file.
type Proof struct {
	Index  uint64
	Hashes [][32]byte
	Note   []byte // the cosigned checkpoint
}

// Marshal writes the file.
func (p Proof) Marshal() []byte {
	b := fmt.Appendf(nil, "%s\nindex %d\n", proofHeader, p.Index)
	for _, h := range p.Hashes {
		b = append(b, base64.StdEncoding.EncodeToString(h[:])...)
		b = append(b, '\n')
	}
	return append(append(b, '\n'), p.Note...)
}

// ParseProof reads exactly what Marshal writes. It checks neither the proof nor
// the signatures of the note.
func ParseProof(data []byte) (Proof, error) {
	if len(data) > 2*MaxNote {
		return Proof{}, fmt.Errorf("proof of %d bytes: %w", len(data), ErrMalformed)
	}
	head, note, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || len(lines) > 2+maxProof || lines[0] != proofHeader {
		return Proof{}, fmt.Errorf("proof header: %w", ErrMalformed)
	}
	index, err := strconv.ParseUint(strings.TrimPrefix(lines[1], "index "), 10, 63)
	if err != nil {
		return Proof{}, fmt.Errorf("proof index: %w", ErrMalformed)
	}
	p := Proof{Index: index, Note: []byte(note)}
	for _, l := range lines[2:] {
		h, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(h) != 32 {
			return Proof{}, fmt.Errorf("proof hash %d: %w", len(p.Hashes), ErrMalformed)
		}
		p.Hashes = append(p.Hashes, [32]byte(h))
	}
	if _, _, err := split(p.Note); err != nil {
		return Proof{}, err
	}
	if string(p.Marshal()) != string(data) {
		return Proof{}, fmt.Errorf("proof: other form: %w", ErrMalformed)
	}
	return p, nil
}
