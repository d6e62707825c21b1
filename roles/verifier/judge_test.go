package verifier

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"statnet/chain/blob"
	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/keys"
	"statnet/chain/record"
	"statnet/crypto/he"
)

// bench is verifier v1 with a blob store, one peer, and a key of its own making.
type bench struct {
	*Verifier
	ledgerDouble
	peer map[record.Hash][]byte // what the peer gives, whatever it is
	pk   *he.PublicKey
	keys []*he.ServerKey
}

// ledgerDouble is a Ledger that is a blob store only.
type ledgerDouble struct {
	Ledger
	blobs *blob.Store
}

// Blobs implements Ledger.
func (l ledgerDouble) Blobs() *blob.Store { return l.blobs }

func newBench(t *testing.T) *bench {
	t.Helper()
	hctx, err := he.New(he.Std4096())
	if err != nil {
		t.Fatal(err)
	}
	store, err := blob.Open(t.TempDir(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{ledgerDouble: ledgerDouble{blobs: store}, peer: map[record.Hash][]byte{}}
	l := fsmtest.New(t, fsmtest.Options{})
	b.Verifier = &Verifier{ID: "v1", Cluster: l.Cluster, Signer: fsmtest.Signer("verifier/v1"), Ledger: b.ledgerDouble,
		Peers: b, HE: hctx, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if err := b.init(); err != nil {
		t.Fatal(err)
	}
	b.peerIDs = b.peerIDs[:1]
	b.makeKeys(t)
	return b
}

// makeKeys generates key epoch 1 of 2 of 3 servers in memory.
func (b *bench) makeKeys(t *testing.T) {
	t.Helper()
	var members []he.Member
	for i, s := range b.Cluster.Servers {
		nonce := [32]byte{byte(i)}
		members = append(members, he.Member{ID: s.ID, Key: s.RecordKey, Commit: b.HE.NonceCommit(1, i+1, nonce), Nonce: nonce})
	}
	crs, err := b.HE.NewCRS(1, 2, members)
	if err != nil {
		t.Fatal(err)
	}
	var commits []he.Digest
	var subs []*he.PublicSubKey
	seeds := map[he.Set]*he.Seed{}
	for _, set := range crs.Committee.Sets() {
		c, err := b.HE.Contribute(crs, set)
		if err != nil {
			t.Fatal(err)
		}
		commits, subs, seeds[set] = append(commits, c.Commit()), append(subs, c.Reveal()), c.Seed()
	}
	if b.pk, err = b.HE.NewPublicKey(crs, commits, subs); err != nil {
		t.Fatal(err)
	}
	for j := 1; j <= 3; j++ {
		var own []*he.Seed
		for _, set := range crs.Committee.Sets() {
			if set.Has(j) {
				own = append(own, seeds[set])
			}
		}
		key, err := b.HE.NewServerKey(j, crs, own, subs)
		if err != nil {
			t.Fatal(err)
		}
		b.keys = append(b.keys, key)
	}
}

// Blob implements Peers.
func (b *bench) Blob(_ context.Context, _ string, digest []byte, _ int64) ([]byte, error) {
	if data, ok := b.peer[record.Hash(digest)]; ok {
		return data, nil
	}
	return nil, errors.New("not here")
}

// ciphertext encrypts one coefficient and stores it.
func (b *bench) ciphertext(t *testing.T, m uint16) []byte {
	t.Helper()
	e, err := b.HE.NewEncryptor(b.pk, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ct, w, err := e.Encrypt([]uint16{m})
	if err != nil {
		t.Fatal(err)
	}
	w.Destroy()
	return ct.Bytes()
}

func (b *bench) put(t *testing.T, data []byte) record.Hash {
	t.Helper()
	d := he.DigestOf(data)
	if err := b.blobs.Put(d, data); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestJudgeAnswer(t *testing.T) {
	b := newBench(t)
	good := b.ciphertext(t, 7)
	for _, tt := range []struct {
		name  string
		parts func() []record.Hash
		proof string
		epoch uint64
		want  record.Code // 0: bytes are missing, so no verdict yet
		says  string
	}{
		{"canonical ciphertext", func() []record.Hash { return []record.Hash{b.put(t, good)} }, record.ProofNone, 1, record.CodeValid, ""},
		{"a peer has it", func() []record.Hash {
			other := b.ciphertext(t, 8)
			b.peer[he.DigestOf(other)] = other
			return []record.Hash{he.DigestOf(other)}
		}, record.ProofNone, 1, record.CodeValid, ""},
		{"nobody has it", func() []record.Hash { return []record.Hash{{1}} }, record.ProofNone, 1, 0, ""},
		{"a peer gives other bytes", func() []record.Hash {
			b.peer[record.Hash{2}] = good
			return []record.Hash{{2}}
		}, record.ProofNone, 1, 0, ""},
		{"another proof system", func() []record.Hash { return []record.Hash{b.put(t, good)} }, "zk/9", 1, record.CodeInvalid, "zk/9"},
		{"one byte short", func() []record.Hash { return []record.Hash{b.put(t, good[:len(good)-1])} }, record.ProofNone, 1, record.CodeMalformed, "size"},
		{"one byte long", func() []record.Hash { return []record.Hash{b.put(t, append(bytes.Clone(good), 0))} }, record.ProofNone, 1, record.CodeMalformed, "size"},
		{"residue above its modulus", func() []record.Hash {
			bad := bytes.Clone(good)
			copy(bad[len(bad)/2:], bytes.Repeat([]byte{0xff}, 16))
			return []record.Hash{b.put(t, bad)}
		}, record.ProofNone, 1, record.CodeMalformed, "part 0"},
		{"ciphertext of another key epoch", func() []record.Hash { return []record.Hash{b.put(t, good)} }, record.ProofNone, 2, record.CodeMalformed, "part 0"},
		{"second part is bad", func() []record.Hash {
			return []record.Hash{b.put(t, good), b.put(t, []byte("short"))}
		}, record.ProofNone, 1, record.CodeMalformed, "part 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &record.Answer{ProofSystem: tt.proof}
			for _, d := range tt.parts() {
				a.Parts = append(a.Parts, record.Part{Ciphertext: d})
			}
			w := &work{verifier: b.Verifier, judged: map[uint64]judgement{}}
			j, err := w.judgeAnswer(t.Context(), &fsm.Query{KeyEpoch: tt.epoch}, a)
			if (err != nil) != (tt.want == 0) || j.code != tt.want || !strings.Contains(j.text, tt.says) {
				t.Errorf("judgement = %s %q, %v, want %s %q", j.code, j.text, err, tt.want, tt.says)
			}
		})
	}
}

// summed is a query with three answers; the third was not accepted.
func (b *bench) summed(t *testing.T) (*fsm.Query, [][]byte) {
	t.Helper()
	q := &fsm.Query{KeyEpoch: 1, Answers: map[string]*fsm.Answer{}}
	var cts [][]byte
	for i, gw := range []string{"gateway/gw-1", "gateway/gw-2", "gateway/gw-3"} {
		ct := b.ciphertext(t, uint16(i+1))
		cts = append(cts, ct)
		d := fsm.Accepted
		if i == 2 {
			d = fsm.Undecided
		}
		q.Answers[gw] = &fsm.Answer{Item: fsm.Item{Leaf: uint64(10 + i), Decision: d},
			Record: &record.Answer{Parts: []record.Part{{Ciphertext: b.put(t, ct)}}}}
	}
	return q, cts
}

func (b *bench) add(t *testing.T, cts ...[]byte) (c0, c1 record.Hash) {
	t.Helper()
	sum, err := b.HE.NewSum(1, fsm.K)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range cts {
		ct, err := b.HE.ParseCiphertext(1, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := sum.Add(ct); err != nil {
			t.Fatal(err)
		}
	}
	return sum.Hashes()
}

func TestJudgeSum(t *testing.T) {
	b := newBench(t)
	q, cts := b.summed(t)
	for _, tt := range []struct {
		name   string
		list   []uint64
		added  [][]byte
		change func(*record.Aggregate)
		want   record.Code
	}{
		{"right", []uint64{10, 11}, cts[:2], nil, record.CodeValid},
		{"one left out", []uint64{10, 11}, cts[:1], nil, record.CodeInvalid},
		{"one twice", []uint64{10, 11}, [][]byte{cts[0], cts[1], cts[1]}, nil, record.CodeInvalid},
		{"one too many", []uint64{10, 11}, cts, nil, record.CodeInvalid},
		{"another c0", []uint64{10, 11}, cts[:2], func(a *record.Aggregate) { a.C0[3] ^= 1 }, record.CodeInvalid},
		{"another c1", []uint64{10, 11}, cts[:2], func(a *record.Aggregate) { a.C1[3] ^= 1 }, record.CodeInvalid},
		{"an answer that is not accepted", []uint64{10, 11, 12}, cts, nil, record.CodeInvalid},
		{"a leaf that is no answer", []uint64{10, 11, 13}, cts[:2], nil, record.CodeInvalid},
		{"too many coefficients", []uint64{10, 11}, cts[:2], func(a *record.Aggregate) { a.K = 1 << 20 }, record.CodeMalformed},
		{"missing ciphertext", []uint64{10, 11}, cts[:2], func(*record.Aggregate) {
			if err := b.blobs.Delete(he.DigestOf(cts[0])); err != nil {
				t.Fatal(err)
			}
		}, record.CodeUnavailable}, // last: it takes a blob away
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &record.Aggregate{Answers: record.Runs(slices.Clone(tt.list)), K: fsm.K}
			a.C0, a.C1 = b.add(t, tt.added...)
			if tt.change != nil {
				tt.change(a)
			}
			w := &work{verifier: b.Verifier}
			if j := w.judgeSum(t.Context(), q, a); j.code != tt.want {
				t.Errorf("judgement = %s %q, want %s", j.code, j.text, tt.want)
			}
		})
	}
}

// admit lets an Opener open anything: gates are the servers' business.
type admit struct{}

// Admit implements he.Gate.
func (admit) Admit(context.Context, he.Opening, he.Digest) error { return nil }

// share is server 1's share of the sum of q's accepted answers.
func (b *bench) share(t *testing.T, q *fsm.Query, cts ...[]byte) []byte {
	t.Helper()
	key, err := b.HE.NewQuerierKey(1)
	if err != nil {
		t.Fatal(err)
	}
	q.Record = &record.Query{QuerierKey: key.Public().Digest()}
	agg := &record.Aggregate{Attempt: record.AttemptTotal, K: fsm.K, Active: []byte{1, 2}}
	agg.C0, agg.C1 = b.add(t, cts...)
	q.Totals = []*fsm.Aggregate{{Record: agg}}
	opener, err := b.HE.NewOpener(b.keys[0], admit{}, &he.MemoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := opener.Share(t.Context(), keys.OpeningOf(q), key.Public(), func() ([]byte, error) {
		next := cts[0]
		cts = cts[1:]
		return next, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Data
}

func TestJudgeShare(t *testing.T) {
	b := newBench(t)
	q, cts := b.summed(t)
	good := b.share(t, q, cts[:2]...)
	bad := bytes.Clone(good)
	copy(bad[len(bad)/2:], bytes.Repeat([]byte{0xff}, 16))
	for _, tt := range []struct {
		name  string
		data  []byte
		size  uint64
		store bool
		want  record.Code
	}{
		{"right", good, uint64(len(good)), true, record.CodeValid},
		{"another size in the record", good, uint64(len(good)) - 1, true, record.CodeMalformed},
		{"one byte short", good[:len(good)-1], uint64(len(good)), true, record.CodeMalformed},
		{"residue above its modulus", bad, uint64(len(good)), true, record.CodeMalformed},
		{"a ciphertext", cts[0], uint64(len(good)), true, record.CodeMalformed},
		{"nobody has it", []byte("x"), uint64(len(good)), false, record.CodeUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := he.DigestOf(tt.data)
			if tt.store {
				d = b.put(t, tt.data)
			}
			w := &work{verifier: b.Verifier}
			if j := w.judgeShare(t.Context(), q, &record.KeySwitch{Share: d, ShareSize: tt.size}); j.code != tt.want {
				t.Errorf("judgement = %s %q, want %s", j.code, j.text, tt.want)
			}
		})
	}
}

func TestShortenKeepsCharactersWhole(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("a", record.MaxText), strings.Repeat("a", record.MaxText+1), strings.Repeat("é", record.MaxText), strings.Repeat("€", record.MaxText)} {
		got := shorten(s)
		if len(got) > record.MaxText || !strings.HasPrefix(s, got) || strings.ToValidUTF8(got, "?") != got {
			t.Errorf("shorten of %d bytes = %q", len(s), got)
		}
		if len(s) <= record.MaxText && got != s {
			t.Errorf("shorten changed %q", s)
		}
	}
}
