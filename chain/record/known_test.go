package record

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

const testOrigin = "ward.example/000102030405060708090a0b0c0d0e0f"

func testSigner(path string) KeySigner {
	seed := sha256.Sum256([]byte("statnet test key " + path))
	return NewKeySigner(path, ed25519.NewKeyFromSeed(seed[:]))
}

func knownVerdict() *Verdict {
	v := &Verdict{Phase: PhaseAnswers, Version: "zk/1", Items: []VerdictRun{
		{First: 17, Count: 3, Code: CodeValid}, {First: 20, Count: 1, Code: CodeInvalid}}}
	copy(v.QueryID[:], bytes.Repeat([]byte{0xaa}, 32))
	return v
}

// The record format's published known answers.
func TestKnownAnswers(t *testing.T) {
	s := testSigner("verifier/v1")
	payload, err := Encode(knownVerdict())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := Seal(testOrigin, s, knownVerdict())
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(testOrigin, leaf, s.Public())
	if err != nil {
		t.Fatal(err)
	}
	kid, lh, idem := s.KeyID(), LeafHash(leaf), e.IdemKey()
	claim, err := SignClaim(testOrigin, s, 41, 1795000000000)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"payload", hex.EncodeToString(payload), "a4005820" + strings.Repeat("aa", 32) + "01010282831103018314010203647a6b2f31"},
		{"public key", hex.EncodeToString(s.Public()), "70e042973f32aeb398359c5420753cc2e0014a98c13556b3d552fd0ad6c4dc93"},
		{"key id", hex.EncodeToString(kid[:]), "1ec07bd3ca8f386e"},
		{"leaf start", hex.EncodeToString(leaf[:8]), "8601055836a40058"},
		{"leaf hash", hex.EncodeToString(lh[:]), "14d3488c53c8eebfa2b18e5ffe209426b940ce84f8abf58f4c71ac649a437088"},
		{"signature start", hex.EncodeToString(e.Sig[:8]), "d06ccb9c264989e2"},
		{"signature end", hex.EncodeToString(e.Sig[59:]), "23dbb2590b"},
		{"idem key", hex.EncodeToString(idem[:]), "641cef697e90443d29d76c75d062604a0002e6b89b1e9fd9869790b82a054dec"},
		{"claim signature start", hex.EncodeToString(claim.Sig[:4]), "cd411121"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	if len(payload) != 54 || len(leaf) != 146 {
		t.Errorf("payload %d B, leaf %d B; want 54 and 146", len(payload), len(leaf))
	}
}
