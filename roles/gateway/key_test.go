package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/keys"
	"statnet/chain/record"
	"statnet/crypto/he"
)

// keyWorld is a ledger with a real collective key, its parts on one verifier.
type keyWorld struct {
	l    *fsmtest.Ledger
	he   *he.Context
	node *verifier
}

func newKeyWorld(t testing.TB) *keyWorld {
	t.Helper()
	ctx, err := he.New(he.Std4096())
	if err != nil {
		t.Fatal(err)
	}
	return &keyWorld{l: fsmtest.New(t, fsmtest.Options{}), he: ctx, node: &verifier{blobs: map[[32]byte][]byte{}}}
}

// keygen runs one key generation with real sub-keys.
func (w *keyWorld) keygen(t testing.TB) *fsm.KeyEpoch {
	t.Helper()
	epoch, _ := w.l.State.NextKeyEpoch()
	for _, round := range []uint8{record.RoundCommit, record.RoundNonce} {
		for _, r := range w.l.KeygenRound(epoch, round) {
			w.l.Must(r.Path, r.Record)
		}
	}
	k, _ := w.l.State.Key(epoch)
	crs, err := keys.CRS(w.he, w.l.Cluster, k)
	if err != nil {
		t.Fatal(err)
	}
	reveals := map[uint16][]byte{}
	commits := map[uint16]record.Hash{}
	for _, set := range crs.Committee.Sets() {
		c, err := w.he.Contribute(crs, set)
		if err != nil {
			t.Fatal(err)
		}
		reveals[uint16(set)], commits[uint16(set)] = c.Reveal().Bytes(), c.Commit()
	}
	for round := uint8(record.RoundKeyCommit); round <= record.RoundConfirm; round++ {
		for _, r := range w.l.KeygenRound(epoch, round) {
			rec := r.Record.(*record.KeyGen)
			if rec.Digest = he.DigestOf(reveals[rec.Set]); round == record.RoundKeyCommit {
				rec.Digest = commits[rec.Set]
			}
			w.l.Must(r.Path, rec)
		}
	}
	for _, b := range reveals {
		w.node.blobs[sha256.Sum256(b)] = b
	}
	w.l.Cut(20)
	k, _ = w.l.State.Key(epoch)
	return k
}

func (w *keyWorld) keys(t testing.TB, vs ...Verifier) Keys {
	t.Helper()
	k := NewKeys(w.he, w.l.Cluster, vs)
	t.Cleanup(k.Close)
	return k
}

func TestKeysEncryptUnderTheLedgersKey(t *testing.T) {
	w := newKeyWorld(t)
	k := w.keygen(t)
	silent := &verifier{blobs: map[[32]byte][]byte{}}
	c, err := w.keys(t, silent, w.node).Cipher(t.Context(), k)
	if err != nil {
		t.Fatalf("Cipher: %v", err)
	}
	m := make([]uint16, 256)
	a, err := c.Encrypt(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encrypt(m)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) == string(b) {
		t.Error("two encryptions have the same bytes")
	}
	if _, err := w.he.ParseCiphertext(k.Epoch, a); err != nil {
		t.Errorf("ParseCiphertext: %v", err)
	}
	if _, err := w.he.ParseCiphertext(k.Epoch+1, a); err == nil {
		t.Error("a ciphertext passes for another key epoch")
	}
}

func TestKeysRefuseOtherBytes(t *testing.T) {
	w := newKeyWorld(t)
	k := w.keygen(t)
	lies := &verifier{blobs: map[[32]byte][]byte{}}
	for d, b := range w.node.blobs {
		altered := append([]byte(nil), b...)
		altered[len(altered)-1] ^= 1
		lies.blobs[d] = altered
	}
	if _, err := w.keys(t, lies).Cipher(t.Context(), k); !errors.Is(err, he.ErrDigest) {
		t.Errorf("Cipher from altered blobs = %v, want %v", err, he.ErrDigest)
	}
	if _, err := w.keys(t, lies, w.node).Cipher(t.Context(), k); err != nil {
		t.Errorf("Cipher with one honest verifier = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.keys(t).Cipher(ctx, k); err == nil {
		t.Error("Cipher without verifiers = nil error")
	}
}

// TestNewEpochRetiresThePool: encryptions made ahead under an old key must not
// be used, but a question that names the old key is still answered.
func TestNewEpochRetiresThePool(t *testing.T) {
	w := newKeyWorld(t)
	first, second := w.keygen(t), w.keygen(t)
	ring := w.keys(t, w.node)
	old, err := ring.Cipher(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Cipher(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Encrypt(make([]uint16, 256)); !errors.Is(err, he.ErrClosed) {
		t.Errorf("Encrypt with a retired pool = %v, want %v", err, he.ErrClosed)
	}
	again, err := ring.Cipher(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.Encrypt(make([]uint16, 256))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.he.ParseCiphertext(first.Epoch, b); err != nil {
		t.Errorf("old epoch: %v", err)
	}
}
