package signer

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/internal/disk"
)

const origin = "ward.example/000102030405060708090a0b0c0d0e0f"

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("statnet test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func identity() (Identity, ed25519.PrivateKey) {
	k := testKey("verifier/v1 cosign")
	return Identity{Origin: origin, Cosigner: note.NewCosigner(origin, "v1", k.Public().(ed25519.PublicKey)),
		Instance: [16]byte(bytes.Repeat([]byte{0xbb}, 16))}, k
}

// tree has the leaves of the known answers, or others of the same kind.
func tree(n int, prefix string) *merkle.Memory {
	var m merkle.Memory
	for i := range n {
		m.Append(merkle.LeafHash(fmt.Appendf(nil, "%s%d", prefix, i)))
	}
	return &m
}

func roots(m *merkle.Memory) func(uint64) (merkle.Hash, error) {
	return func(size uint64) (merkle.Hash, error) { return merkle.Root(size, m) }
}

func checkpoint(m *merkle.Memory, size uint64) note.Checkpoint {
	root, err := merkle.Root(size, m)
	if err != nil {
		panic(err) // a mistake of the test
	}
	return note.Checkpoint{Origin: origin, Size: size, Root: root}
}

func create(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signer.journal")
	id, _ := identity()
	if err := Create(path, id); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string, m *merkle.Memory) *Signer {
	t.Helper()
	id, k := identity()
	s, err := Open(path, id, k, roots(m))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKnownJournal(t *testing.T) {
	path, m := create(t), tree(7, "leaf-")
	s := open(t, path, m)
	if _, err := s.Sign(checkpoint(m, 7), nil, 1795000000); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) != headerSize+entrySize {
		t.Fatalf("journal has %d bytes, %v, want 216", len(data), err)
	}
	if got := hex.EncodeToString(data[96:100]); got != "ac0744ab" {
		t.Errorf("header crc = %s, want ac0744ab", got)
	}
	if got := hex.EncodeToString(data[100:104]); got != "ca223b8e" {
		t.Errorf("entry crc = %s, want ca223b8e", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRules(t *testing.T) {
	path, m, fork := create(t), tree(20, "leaf-"), tree(20, "fork-")
	s := open(t, path, m)
	first, err := s.Sign(checkpoint(m, 7), nil, 1795000000)
	if err != nil {
		t.Fatal(err)
	}
	proof := func(m *merkle.Memory, from, to uint64) []merkle.Hash {
		p, err := merkle.ProveConsistency(from, to, m)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	foreign := checkpoint(m, 8)
	foreign.Origin = "ward.example/ffff"
	refused := []struct {
		name  string
		cp    note.Checkpoint
		proof []merkle.Hash
	}{
		{"smaller size", checkpoint(m, 6), nil},
		{"size zero", note.Checkpoint{Origin: origin, Root: merkle.Empty()}, nil},
		{"same size, other root", checkpoint(fork, 7), nil},
		{"larger, without a proof", checkpoint(m, 9), nil},
		{"larger, of a fork with the fork's proof", checkpoint(fork, 9), proof(fork, 7, 9)},
		{"larger, proof of another size", checkpoint(m, 9), proof(m, 7, 10)},
		{"another ledger", foreign, proof(m, 7, 8)},
	}
	for _, tt := range refused {
		if _, err := s.Sign(tt.cp, tt.proof, 1795000001); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", tt.name, err)
		}
	}
	again, err := s.Sign(checkpoint(m, 7), nil, 1795000099)
	if err != nil || again != first {
		t.Errorf("resend = %v, %v, want the stored line with its old time", again, err)
	}
	if _, err := s.Sign(checkpoint(m, 9), proof(m, 7, 9), 1795000002); err != nil {
		t.Errorf("extension: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, m)
	defer s.Close()
	if _, err := s.Sign(checkpoint(m, 8), nil, 1795000003); !errors.Is(err, ErrRefused) {
		t.Errorf("smaller size after a restart: %v, want ErrRefused", err)
	}
	if got := s.Last(); got.Size != 9 || got.Time != 1795000002 {
		t.Errorf("last = %+v, want size 9 at 1795000002", got)
	}
}

// journal is a journal of two entries, sizes 7 and 9.
func journal(t *testing.T) []byte {
	t.Helper()
	path, m := create(t), tree(20, "leaf-")
	s := open(t, path, m)
	p, err := merkle.ProveConsistency(7, 9, m)
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := s.Sign(checkpoint(m, 7), nil, 1795000000)
	_, err2 := s.Sign(checkpoint(m, 9), p, 1795000001)
	data, err3 := os.ReadFile(path)
	if err := errors.Join(err1, err2, err3, s.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTornTail(t *testing.T) {
	data := journal(t)
	path := filepath.Join(t.TempDir(), "signer.journal")
	for n := headerSize; n <= len(data); n += 4 {
		if n < len(data) && data[n] == 0 {
			continue // zeros would complete what is there
		}
		for _, zeros := range []int{0, 7, 300} {
			if err := os.WriteFile(path, append(bytes.Clone(data[:n]), make([]byte, zeros)...), 0o600); err != nil {
				t.Fatal(err)
			}
			torn := (n - headerSize) % entrySize
			id, k := identity()
			s, err := Open(path, id, k, roots(tree(20, "leaf-")))
			if torn != 0 && zeros == 300 { // half an entry, then zeros: not a torn write
				if damage := (*disk.DamageError)(nil); !errors.As(err, &damage) {
					t.Errorf("%d bytes and zeros: %v, want damage", n, err)
				}
				continue
			}
			if torn != 0 && torn+zeros >= entrySize { // the same, shorter
				continue
			}
			if err != nil {
				t.Fatalf("%d bytes and %d zeros: %v", n, zeros, err)
			}
			want := []uint64{0, 7, 9}[(n-headerSize)/entrySize]
			if got := s.Last().Size; got != want {
				t.Errorf("%d bytes: last size = %d, want %d", n, got, want)
			}
			info, err := os.Stat(path)
			if err := errors.Join(err, s.Close()); err != nil || info.Size() != int64(n-torn) {
				t.Errorf("%d bytes: file has %d after opening, want %d", n, info.Size(), n-torn)
			}
		}
	}
}

// TestEveryByte flips each byte: the journal is refused, or, in a torn-looking
// tail, never.
func TestEveryByte(t *testing.T) {
	data := journal(t)
	path := filepath.Join(t.TempDir(), "signer.journal")
	id, k := identity()
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 0x40
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var damage *disk.DamageError
		if _, err := Open(path, id, k, roots(tree(20, "leaf-"))); !errors.As(err, &damage) || damage.File != path {
			t.Fatalf("byte %d: %v, want a damage error of %s", i, err, path)
		}
	}
}

func TestForeignJournal(t *testing.T) {
	data, m := journal(t), tree(20, "leaf-")
	path := filepath.Join(t.TempDir(), "signer.journal")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	id, k := identity()
	other := id
	other.Instance[0] ^= 1
	otherKey := testKey("verifier/v2 cosign")
	foreign := id
	foreign.Cosigner = note.NewCosigner(origin, "v2", otherKey.Public().(ed25519.PublicKey))
	renamed := id
	renamed.Origin = "ward.example/ffff"
	tests := []struct {
		name string
		id   Identity
		key  ed25519.PrivateKey
		root func(uint64) (merkle.Hash, error)
	}{
		{"another instance", other, k, roots(m)},
		{"another key", foreign, otherKey, roots(m)},
		{"another origin", renamed, k, roots(m)},
		{"key and roster differ", id, otherKey, roots(m)},
		{"ledger shorter than signed", id, k, roots(tree(8, "leaf-"))},
		{"ledger of other leaves", id, k, roots(tree(20, "fork-"))},
	}
	for _, tt := range tests {
		if s, err := Open(path, tt.id, tt.key, tt.root); err == nil {
			t.Errorf("%s: opened, last size %d", tt.name, s.Last().Size)
		}
	}
	if err := Create(path, id); err == nil {
		t.Error("an existing journal was created again")
	}
}

// TestForgedEntry: whoever can write the file can make a checksum, but not a
// signature.
func TestForgedEntry(t *testing.T) {
	id, k := identity()
	m := tree(20, "leaf-")
	e := Entry{Size: 12, Root: checkpoint(m, 12).Root, Time: 1795000002}
	path := filepath.Join(t.TempDir(), "signer.journal")
	if err := os.WriteFile(path, append(journal(t), e.marshal()...), 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *disk.DamageError
	if _, err := Open(path, id, k, roots(m)); !errors.As(err, &damage) {
		t.Errorf("entry nobody signed: %v, want a damage error", err)
	}
}

// TestBrokenDisk: after a failed write nothing more is signed.
func TestBrokenDisk(t *testing.T) {
	path, m := create(t), tree(20, "leaf-")
	s := open(t, path, m)
	if err := s.file.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err := s.Sign(checkpoint(m, 7), nil, 1); !errors.Is(err, ErrBroken) || l.Sig != [64]byte{} {
		t.Errorf("sign on a closed file: %v, want ErrBroken and no line", err)
	}
	if _, err := s.Sign(checkpoint(m, 7), nil, 1); !errors.Is(err, ErrBroken) {
		t.Errorf("second try: %v, want ErrBroken", err)
	}
}

func FuzzJournal(f *testing.F) {
	id, k := identity()
	m := tree(20, "leaf-")
	data := header(id)
	f.Add(bytes.Clone(data))
	l := note.Cosign(id.Cosigner, k, checkpoint(m, 7), 1795000000)
	e := Entry{Size: 7, Root: checkpoint(m, 7).Root, Time: 1795000000, Sig: l.Sig}
	data = append(data, e.marshal()...)
	f.Add(data)
	f.Add(data[:150])
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parse("journal", id, data)
		if err != nil {
			return
		}
		if p.good > len(data) || (p.good-headerSize)%entrySize != 0 {
			t.Errorf("good = %d of %d bytes", p.good, len(data))
		}
		if p.last.Size != 0 && p.last != e {
			t.Errorf("an entry nobody signed was accepted: %+v", p.last)
		}
	})
}
