package server

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/crypto/he"
)

// asked registers a question with a querier's key.
func asked(t *testing.T, w *world) (record.Hash, []byte) {
	t.Helper()
	key, err := w.HE.NewQuerierKey(1)
	if err != nil {
		t.Fatal(err)
	}
	rec := w.ledger.QueryRecord()
	rec.QuerierKey = key.Public().Digest()
	id := w.ledger.Ask(rec)
	w.leaf = w.ledger.Query(id).Leaf
	return id, key.Public().Bytes()
}

func TestAdmit(t *testing.T) {
	bad := errors.New("two signatures")
	for _, tt := range []struct {
		name   string
		change func(w *world, key *[]byte)
		want   string
	}{
		{"right", func(*world, *[]byte) {}, ""},
		{"refused ticket", func(w *world, _ *[]byte) { w.ticket = bad }, "two signatures"},
		{"ticket of another leaf", func(w *world, _ *[]byte) { w.leaf = 1 }, "not open"},
		{"ticket of a leaf to come", func(w *world, _ *[]byte) { w.leaf = 1 << 40 }, "never"},
		{"own policy forbids it", func(w *world, _ *[]byte) {
			c := *w.Cluster
			c.Policy = nil
			w.Cluster = &c
		}, "may ask nothing"},
		{"key of somebody else", func(w *world, key *[]byte) {
			other, _ := w.HE.NewQuerierKey(1)
			*key = other.Public().Bytes()
		}, "not the one in the signed query"},
		{"no key", func(_ *world, key *[]byte) { *key = []byte{1} }, "querier's key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, fsmtest.Options{})
			id, key := asked(t, w)
			tt.change(w, &key)
			err := w.Distribute(t.Context(), []byte("ticket"), key)
			if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Distribute = %v, want %q", err, tt.want)
			}
			_, kept := w.Vault.QuerierKey(id)
			if (kept == nil) != (tt.want == "") || (len(w.sent) > 0) != (tt.want == "") {
				t.Errorf("key kept: %v, gateways told: %v", kept == nil, w.sent)
			}
		})
	}
}

// TestOwnGatewaysAreToldOnce: those that the query asks and that are at home
// here.
func TestOwnGatewaysAreToldOnce(t *testing.T) {
	w := newWorld(t, fsmtest.Options{})
	_, key := asked(t, w)
	for range 2 {
		if err := w.Distribute(t.Context(), []byte("ticket"), key); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(w.sent, []string{"gw-2"}) {
		t.Errorf("told %v, want gw-2 once", w.sent)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	w := newWorld(t, fsmtest.Options{})
	id, _ := asked(t, w)
	if got, want := w.mayUpload("gw-2", id[:]), int64(w.ciphertextSize)*maxParts; got != want {
		t.Errorf("an asked gateway may upload %d bytes, want %d", got, want)
	}
	unknown := record.Hash{9}
	if w.mayUpload("gw-9", id[:]) != 0 || w.mayUpload("gw-2", unknown[:]) != 0 {
		t.Error("a gateway that is not asked, or for no query, may upload")
	}
	w.Uploaded("gw-2", id[:], make([]byte, w.ciphertextSize))
	if len(w.received) != 0 {
		t.Error("kept a ciphertext of a query that nobody works on")
	}
	w.begin(id)
	w.Uploaded("gw-2", id[:], make([]byte, 3*w.ciphertextSize+5))
	if len(w.received) != 1 { // three equal ones, and a rest that is none
		t.Errorf("kept %d ciphertexts, want 1", len(w.received))
	}
	for i := range maxCached + 3 {
		w.Uploaded("gw-2", id[:], bytes.Repeat([]byte{byte(i), byte(i >> 8)}, w.ciphertextSize/2+1)[:w.ciphertextSize])
	}
	if len(w.received) > maxCached {
		t.Errorf("kept %d ciphertexts, at most %d", len(w.received), maxCached)
	}
	w.end(id)
	if len(w.received) != 0 {
		t.Error("ciphertexts outlive their query")
	}
}

// TestDealt: a seed comes from the dealer of a set to its members, once.
func TestDealt(t *testing.T) {
	w := newWorld(t, fsmtest.Options{}) // server s2, key epoch 1
	size, err := w.HE.Size(he.KindSeed, 0)
	if err != nil {
		t.Fatal(err)
	}
	set12, set13, set23 := uint16(0b011), uint16(0b101), uint16(0b110)
	for _, tt := range []struct {
		name  string
		from  string
		epoch uint64
		set   uint16
		size  int
		want  string
	}{
		{"dealer of a set of ours", "s1", 2, set12, size, ""},
		{"the epoch that is running", "s1", 1, set12, size, ""},
		{"member that is not the dealer", "s3", 2, set23, size, "not its dealer"},
		{"set without us", "s1", 2, set13, size, "not a member"},
		{"empty set", "s1", 2, 0, size, "not its dealer"},
		{"set of servers that do not exist", "s1", 2, 1 << 9, size, "not its dealer"},
		{"one byte short", "s1", 2, set12, size - 1, "bytes, want"},
		{"old epoch", "s1", 0, set12, size, "the ledger is at 1"},
		{"epoch far ahead", "s1", 3, set12, size, "the ledger is at 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := w.Dealt(tt.from, tt.epoch, tt.set, make([]byte, tt.size))
			if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Dealt = %v, want %q", err, tt.want)
			}
		})
	}
	other := bytes.Repeat([]byte{1}, size)
	if err := w.Dealt("s1", 2, set12, other); err != nil {
		t.Fatal(err)
	}
	if kept, _ := w.Vault.get(bucketSeed, setKey(2, he.Set(set12))); bytes.Equal(kept, other) {
		t.Error("the second seed of a set replaced the first")
	}
}
