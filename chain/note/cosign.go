package note

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// algCosign is the C2SP signature type of Ed25519 timestamped cosignatures.
const algCosign = 0x04

// sigBytes is timestamp(8) || Ed25519(64).
const sigBytes = 8 + ed25519.SignatureSize

// Cosigner is a verifier as a signer of checkpoints.
type Cosigner struct {
	ID   string            // "v1"
	Name string            // "<origin>/vn/v1"
	Key  ed25519.PublicKey // signs checkpoints and nothing else
}

// NewCosigner names verifier id of the ledger called origin.
func NewCosigner(origin, id string, key ed25519.PublicKey) Cosigner {
	return Cosigner{ID: id, Name: origin + "/vn/" + id, Key: key}
}

// KeyID is SHA-256(name || "\n" || 0x04 || key)[:4].
func (c Cosigner) KeyID() uint32 {
	h := sha256.New()
	h.Write([]byte(c.Name))
	h.Write([]byte{'\n', algCosign})
	h.Write(c.Key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// VerifierKey is the C2SP verifier key, as `statnet ledger export` prints it.
func (c Cosigner) VerifierKey() string {
	return fmt.Sprintf("%s+%08x+%s", c.Name, c.KeyID(),
		base64.StdEncoding.EncodeToString(append([]byte{algCosign}, c.Key...)))
}

// Line is one signature line of a note.
type Line struct {
	Name  string
	KeyID uint32
	Time  uint64 // Unix seconds, as claimed by the cosigner
	Sig   [64]byte
}

// Message is what a cosigner signs for a checkpoint text at a time.
func Message(text []byte, unix uint64) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", unix), text...)
}

// Cosign signs a checkpoint. It does not check that the ledger extends what the
// key signed before: only chain/signer may call it with a real key.
func Cosign(c Cosigner, key ed25519.PrivateKey, cp Checkpoint, unix uint64) Line {
	l := Line{Name: c.Name, KeyID: c.KeyID(), Time: unix}
	copy(l.Sig[:], ed25519.Sign(key, Message(cp.Text(), unix)))
	return l
}

// verify checks the line against text under c's key.
func (l Line) verify(c Cosigner, text []byte) bool {
	return len(c.Key) == ed25519.PublicKeySize && ed25519.Verify(c.Key, Message(text, l.Time), l.Sig[:])
}

// String is the line as it stands in a note, with its newline.
func (l Line) String() string {
	raw := make([]byte, 0, 4+sigBytes)
	raw = binary.BigEndian.AppendUint32(raw, l.KeyID)
	raw = binary.BigEndian.AppendUint64(raw, l.Time)
	raw = append(raw, l.Sig[:]...)
	return "— " + l.Name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

func parseLine(s string) (Line, error) {
	rest, ok := strings.CutPrefix(s, "— ")
	name, b64, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || !validName(name) {
		return Line{}, fmt.Errorf("signature line: %w", ErrMalformed)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || len(raw) != 4+sigBytes {
		return Line{}, fmt.Errorf("signature line of %s: %w", name, ErrMalformed)
	}
	l := Line{Name: name, KeyID: binary.BigEndian.Uint32(raw), Time: binary.BigEndian.Uint64(raw[4:])}
	copy(l.Sig[:], raw[12:])
	if l.String() != s+"\n" {
		return Line{}, fmt.Errorf("signature line of %s: %w", name, ErrMalformed)
	}
	return l, nil
}

// Format puts a checkpoint and lines together into a note.
func Format(cp Checkpoint, lines []Line) []byte {
	var b bytes.Buffer
	b.Write(cp.Text())
	b.WriteByte('\n')
	for _, l := range lines {
		b.WriteString(l.String())
	}
	return b.Bytes()
}

// split takes a note apart without checking a signature.
func split(note []byte) (Checkpoint, []Line, error) {
	if len(note) > MaxNote || !utf8.Valid(note) {
		return Checkpoint{}, nil, fmt.Errorf("note of %d bytes: %w", len(note), ErrMalformed)
	}
	text, sigs, ok := strings.Cut(string(note), "\n\n")
	if !ok || !strings.HasSuffix(sigs, "\n") {
		return Checkpoint{}, nil, fmt.Errorf("note without signatures: %w", ErrMalformed)
	}
	cp, err := ParseCheckpoint([]byte(text + "\n"))
	if err != nil {
		return Checkpoint{}, nil, err
	}
	var lines []Line
	for s := range strings.SplitSeq(strings.TrimSuffix(sigs, "\n"), "\n") {
		l, err := parseLine(s)
		if err != nil {
			return Checkpoint{}, nil, err
		}
		lines = append(lines, l)
	}
	return cp, lines, nil
}

// validName is the C2SP rule for key names and, here, for origins.
func validName(s string) bool {
	return s != "" && len(s) <= 255 && utf8.ValidString(s) && !strings.Contains(s, "+") &&
		strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) < 0
}
