package note_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	sumdb "golang.org/x/mod/sumdb/note"

	"statnet/chain/merkle"
	"statnet/chain/note"
)

const origin = "ward.example/000102030405060708090a0b0c0d0e0f"

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("statnet test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func cosigner(id string) (note.Cosigner, ed25519.PrivateKey) {
	k := key("verifier/" + id + " cosign")
	return note.NewCosigner(origin, id, k.Public().(ed25519.PublicKey)), k
}

func testTree() *merkle.Memory {
	var m merkle.Memory
	for i := range 7 {
		m.Append(merkle.LeafHash(fmt.Appendf(nil, "leaf-%d", i)))
	}
	return &m
}

func checkpoint() note.Checkpoint {
	return note.Checkpoint{Origin: origin, Size: 7, Root: testTree().Root()}
}

func signed(cp note.Checkpoint, ids ...string) []byte {
	var lines []note.Line
	for _, id := range ids {
		c, k := cosigner(id)
		lines = append(lines, note.Cosign(c, k, cp, 1795000000))
	}
	return note.Format(cp, lines)
}

func policy(q int, ids ...string) note.Policy {
	p := note.Policy{Origin: origin, Quorum: q}
	for _, id := range ids {
		c, _ := cosigner(id)
		p.Cosigners = append(p.Cosigners, c)
	}
	return p
}

func TestKnownAnswers(t *testing.T) {
	for id, want := range map[string]uint32{"v1": 0x57b68e97, "v2": 0x54c3fa51, "v3": 0x84e1aaa9} {
		if c, _ := cosigner(id); c.KeyID() != want {
			t.Errorf("key id of %s = %08x, want %08x", id, c.KeyID(), want)
		}
	}
	n := signed(checkpoint(), "v1", "v2", "v3")
	sum := sha256.Sum256(n)
	if got := hex.EncodeToString(sum[:16]); len(n) != 577 || got != "43d574c3cb9060497140e7475c52666f" {
		t.Errorf("cosigned checkpoint = %d B, %s, want 577 B, 43d574c3cb9060497140e7475c52666f", len(n), got)
	}
	hs, err := merkle.ProveInclusion(3, 7, testTree())
	if err != nil {
		t.Fatal(err)
	}
	p := note.Proof{Index: 3, Note: n}
	for _, h := range hs {
		p.Hashes = append(p.Hashes, h)
	}
	file := p.Marshal()
	sum = sha256.Sum256(file)
	if got := hex.EncodeToString(sum[:16]); len(file) != 744 || got != "47c6e7c944fa7dca47f8356371512589" {
		t.Errorf("tlog-proof = %d B, %s, want 744 B, 47c6e7c944fa7dca47f8356371512589", len(file), got)
	}
	if back, err := note.ParseProof(file); err != nil || string(back.Marshal()) != string(file) {
		t.Errorf("proof does not survive a round trip: %v", err)
	}
}

func TestQuorum(t *testing.T) {
	cp := checkpoint()
	other := cp
	other.Root[0] ^= 1
	all := signed(cp, "v1", "v2", "v3")
	twice := signed(cp, "v1", "v1", "v2")
	// v3's line is moved from a checkpoint with another root.
	moved := append(signed(cp, "v1", "v2"), lastLine(signed(other, "v3"))...)
	foreign := cp
	foreign.Origin = "ward.example/ffff"
	tests := []struct {
		name string
		pol  note.Policy
		note []byte
		want error
	}{
		{"three of four", policy(3, "v1", "v2", "v3", "v4"), all, nil},
		{"exactly the quorum", policy(2, "v1", "v2", "v3", "v4"), signed(cp, "v1", "v4"), nil},
		{"one short", policy(3, "v1", "v2", "v3", "v4"), signed(cp, "v1", "v4"), note.ErrQuorum},
		{"one signer counted twice", policy(3, "v1", "v2", "v3", "v4"), twice, note.ErrQuorum},
		{"outsiders", policy(3, "v1", "v2", "v4", "v5"), all, note.ErrQuorum},
		{"quorum of zero", policy(0, "v1"), all, note.ErrQuorum},
		{"line of another root", policy(2, "v1", "v2", "v3"), moved, note.ErrSignature},
		{"another ledger", policy(2, "v1", "v2"), signed(foreign, "v1", "v2"), note.ErrOrigin},
		{"empty", policy(1, "v1"), nil, note.ErrMalformed},
		{"too long", policy(1, "v1"), make([]byte, note.MaxNote+1), note.ErrMalformed},
	}
	for _, tt := range tests {
		if _, err := tt.pol.Verify(tt.note); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func lastLine(n []byte) []byte {
	s := strings.TrimSuffix(string(n), "\n")
	return []byte(s[strings.LastIndex(s, "\n")+1:] + "\n")
}

func TestMerge(t *testing.T) {
	p, cp := policy(3, "v1", "v2", "v3"), checkpoint()
	a, err := p.Open(signed(cp, "v3"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Open(signed(cp, "v2", "v1"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Merge(a, b)
	if err != nil || string(m.Note) != string(signed(cp, "v1", "v2", "v3")) {
		t.Errorf("merged note = %q, %v", m.Note, err)
	}
	if got := m.MedianTime(); got != 1795000000 {
		t.Errorf("median time = %d, want 1795000000", got)
	}
	cp.Size++
	c, err := p.Open(signed(cp, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Merge(a, c); err == nil {
		t.Error("notes of different sizes were merged")
	}
}

// TestOpenEdits checks that no byte of a note can be changed unnoticed: the
// result is refused or has fewer signatures.
func TestOpenEdits(t *testing.T) {
	p, n := policy(3, "v1", "v2", "v3"), signed(checkpoint(), "v1", "v2", "v3")
	for i := range n {
		for _, bit := range []byte{1, 0x20, 0x80} {
			bad := append([]byte(nil), n...)
			bad[i] ^= bit
			if s, err := p.Verify(bad); err == nil {
				t.Fatalf("byte %d ^ %#x: accepted as size %d", i, bit, s.Size)
			}
		}
	}
}

func TestParseCheckpoint(t *testing.T) {
	good := string(checkpoint().Text())
	root := strings.Split(good, "\n")[2]
	tests := []struct{ name, text string }{
		{"size zero", origin + "\n0\n" + root + "\n"},
		{"leading zero", origin + "\n07\n" + root + "\n"},
		{"negative", origin + "\n-7\n" + root + "\n"},
		{"size 2^63", origin + "\n9223372036854775808\n" + root + "\n"},
		{"extension line", good + "extra\n"},
		{"no final newline", strings.TrimSuffix(good, "\n")},
		{"no origin", "\n7\n" + root + "\n"},
		{"origin with a space", "a b\n7\n" + root + "\n"},
		{"short root", origin + "\n7\nAAAA\n"},
		{"loose base64", origin + "\n7\n" + root[:42] + "B=\n"},
		{"carriage return", strings.ReplaceAll(good, "\n", "\r\n")},
	}
	for _, tt := range tests {
		if _, err := note.ParseCheckpoint([]byte(tt.text)); !errors.Is(err, note.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", tt.name, err)
		}
	}
	if got, err := note.ParseCheckpoint([]byte(good)); err != nil || got != checkpoint() {
		t.Errorf("good checkpoint = %v, %v", got, err)
	}
}

func TestPolicyText(t *testing.T) {
	p := policy(3, "v1", "v2", "v3", "v4")
	text := p.Text()
	back, err := note.ParsePolicy(text)
	if err != nil || string(back.Text()) != string(text) {
		t.Fatalf("policy does not survive a round trip: %v\n%s", err, text)
	}
	if !strings.Contains(string(text), "group vns 3 v1 v2 v3 v4\nquorum vns\n") {
		t.Errorf("policy text:\n%s", text)
	}
	for name, bad := range map[string]string{
		"quorum over n":  strings.Replace(string(text), "vns 3", "vns 5", 1),
		"quorum zero":    strings.Replace(string(text), "vns 3", "vns 0", 1),
		"doubled":        strings.Replace(string(text), "v1 v2 v3", "v1 v1 v3", 1),
		"other origin":   strings.Replace(string(text), "ward.example", "w.example", 1),
		"unknown line":   string(text) + "log x\n",
		"no witness":     "# statnet-origin x\ngroup vns 1 \nquorum vns\n",
		"nothing at all": "",
	} {
		if _, err := note.ParsePolicy([]byte(bad)); !errors.Is(err, note.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

// oracle lets golang.org/x/mod/sumdb/note check our notes its own way.
type oracle struct{ c note.Cosigner }

func (o oracle) Name() string    { return o.c.Name }
func (o oracle) KeyHash() uint32 { return o.c.KeyID() }
func (o oracle) Verify(msg, sig []byte) bool {
	var unix uint64
	for _, b := range sig[:8] {
		unix = unix<<8 | uint64(b)
	}
	return ed25519.Verify(o.c.Key, note.Message(msg, unix), sig[8:])
}

func TestAgainstSumdb(t *testing.T) {
	c1, _ := cosigner("v1")
	c3, _ := cosigner("v3")
	n, err := sumdb.Open(signed(checkpoint(), "v1", "v2", "v3"), sumdb.VerifierList(oracle{c1}, oracle{c3}))
	if err != nil || len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 1 {
		t.Errorf("sumdb/note reads %v, %v, want 2 verified and 1 unverified line", n, err)
	}
}

func FuzzOpen(f *testing.F) {
	n := signed(checkpoint(), "v1", "v2", "v3")
	f.Add(n)
	f.Add(note.Proof{Index: 3, Hashes: make([][32]byte, 3), Note: n}.Marshal())
	f.Add(policy(3, "v1", "v2", "v3").Text())
	p := policy(1, "v1", "v2", "v3")
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := p.Verify(data); err == nil && s.Checkpoint != checkpoint() {
			t.Errorf("a checkpoint nobody signed was accepted: %q", data)
		}
		if pr, err := note.ParseProof(data); err == nil && string(pr.Marshal()) != string(data) {
			t.Errorf("proof accepted but encoded otherwise: %q", data)
		}
		if pol, err := note.ParsePolicy(data); err == nil && string(pol.Text()) != string(data) {
			t.Errorf("policy accepted but encoded otherwise: %q", data)
		}
	})
}
