package fsm_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
)

// rounds posts whole rounds up to and without the given one.
func rounds(l *fsmtest.Ledger, epoch uint64, until uint8) {
	for r := uint8(record.RoundCommit); r < until; r++ {
		for _, s := range l.KeygenRound(epoch, r) {
			l.Must(s.Path, s.Record)
		}
	}
}

// No round opens before all of the one before is in: who reveals last could
// choose its part.
func TestKeygenRoundsInOrder(t *testing.T) {
	for round := uint8(record.RoundNonce); round <= record.RoundConfirm; round++ {
		l := fsmtest.New(t, fsmtest.Options{})
		rounds(l, 1, round-1)
		before := l.KeygenRound(1, round-1)
		for _, s := range before[:len(before)-1] {
			l.Must(s.Path, s.Record)
		}
		s := l.KeygenRound(1, round)[0]
		refused(t, l, s.Path, s.Record, fsm.WrongPhase, "")
		if round == record.RoundConfirm {
			continue
		}
		last := before[len(before)-1]
		l.Must(last.Path, last.Record)
		l.Must(s.Path, s.Record)
	}
}

func TestKeygenRefusals(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{})
	kg := func(round uint8, set uint16, d record.Hash) *record.KeyGen {
		return &record.KeyGen{Epoch: 1, Round: round, Set: set, Digest: d}
	}
	refused(t, l, "server/s1", &record.KeyGen{Epoch: 2, Round: 1}, fsm.Stale, "")
	refused(t, l, "server/s1", kg(2, 0, record.Hash{}), fsm.WrongPhase, "")
	rounds(l, 1, 2)
	refused(t, l, "server/s1", &record.KeyGen{Epoch: 2, Round: 1}, fsm.WrongPhase, "")
	refused(t, l, "server/s1", kg(2, 0, fsmtest.Digest("another nonce")), fsm.Malformed, "")
	refused(t, l, "server/s2", kg(2, 0, fsmtest.Digest("nonce", uint64(1), "server/s1")), fsm.Malformed, "") // copied
	for _, s := range l.KeygenRound(1, 2) {
		l.Must(s.Path, s.Record)
	}
	refused(t, l, "server/s1", kg(3, 7, record.Hash{}), fsm.Malformed, "")  // all three share no sub-key
	refused(t, l, "server/s2", kg(3, 3, record.Hash{1}), fsm.WrongRole, "") // s1 deals for {1,2}
	refused(t, l, "server/s1", kg(6, 3, record.Hash{}), fsm.WrongPhase, "") // nothing to complain about yet
	rounds2 := l.KeygenRound(1, 3)
	for _, s := range rounds2 {
		l.Must(s.Path, s.Record)
	}
	l.Must("server/s1", kg(4, 3, fsmtest.Digest("key", uint64(1), uint16(3))))
	refused(t, l, "server/s1", kg(4, 5, fsmtest.Digest("key", uint64(1), uint16(3))), fsm.Malformed, "") // the same key twice
	withProof := kg(4, 5, record.Hash{1})
	withProof.ProofSize = 1
	refused(t, l, "server/s1", withProof, fsm.Unsupported, "")
	for _, s := range l.KeygenRound(1, 4)[1:] {
		l.Must(s.Path, s.Record)
	}
	refused(t, l, "server/s3", kg(5, 3, fsmtest.Digest("key", uint64(1), uint16(3))), fsm.WrongRole, "")
	refused(t, l, "server/s2", kg(5, 3, fsmtest.Digest("another key")), fsm.Malformed, "")
	if _, ok := l.State.CurrentKey(); ok {
		t.Error("key is active before any CONFIRM")
	}
}

func TestKeyIsActiveAfterAllConfirms(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{})
	rounds(l, 1, 5)
	all := l.KeygenRound(1, 5)
	var last uint64
	for _, s := range all {
		if k, ok := l.State.CurrentKey(); ok {
			t.Fatalf("key active at leaf %d before the last CONFIRM", k.ActiveLeaf)
		}
		last = l.Must(s.Path, s.Record)
	}
	k, ok := l.State.CurrentKey()
	if !ok || k.ActiveLeaf != last || len(all) != 6 || len(k.Leaves) != 18 {
		t.Errorf("active %v, %d confirms, %d leaves; want active, 6, 18", ok, len(all), len(k.Leaves))
	}
	s := l.KeygenRound(1, 5)[0]
	s.Record.(*record.KeyGen).Round = record.RoundComplaint
	refused(t, l, s.Path, s.Record, fsm.Late, "")
}

func TestComplaintAborts(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{})
	rounds(l, 1, 4)
	refused(t, l, "server/s3", &record.KeyGen{Epoch: 1, Round: 6, Set: 3}, fsm.WrongRole, "")
	l.Must("server/s2", &record.KeyGen{Epoch: 1, Round: 6, Set: 3})
	k, _ := l.State.LatestKey()
	if k.Status != fsm.KeyAborted || k.Reason != "server/s2 complains about set 0x3 (leaf 11)" {
		t.Errorf("status %d, reason %q; want aborted, naming server/s2", k.Status, k.Reason)
	}
	s := l.KeygenRound(1, 4)[0]
	refused(t, l, s.Path, s.Record, fsm.Late, "")
	if epoch := l.Keygen(); epoch != 2 {
		t.Errorf("next epoch = %d, want 2", epoch)
	}
}

// An unfinished epoch gives way only after its time.
func TestKeygenTimeout(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{})
	rounds(l, 1, 3)
	l.Cut(fsm.KeygenTimeoutMS - 1)
	refused(t, l, "server/s2", &record.KeyGen{Epoch: 2, Round: 1}, fsm.WrongPhase, "")
	l.Cut(1)
	if epoch := l.Keygen(); epoch != 2 {
		t.Errorf("next epoch = %d, want 2", epoch)
	}
	if k, _ := l.State.Key(1); k.Status != fsm.KeyAborted {
		t.Error("superseded epoch is not aborted")
	}
}

// The new key is for new questions; open ones keep theirs.
func TestNewKeyEpoch(t *testing.T) {
	l := newLedger(t)
	old := l.QueryRecord()
	id := l.Ask(l.QueryRecord())
	l.Keygen()
	refused(t, l, "querier/dr-a", old, fsm.Stale, "")
	l.Answer(id)
	if q := l.Query(id); q.KeyEpoch != 1 || q.Phase != fsm.Judge1 {
		t.Errorf("open query: key epoch %d, phase %s; want 1, JUDGE1", q.KeyEpoch, q.Phase)
	}
	l.Ask(l.QueryRecord())
}

func TestSubKeySets(t *testing.T) {
	for _, tt := range []struct {
		n, t int
		want string
	}{
		{3, 2, "[3 5 6]"}, {3, 3, "[1 2 4]"}, {1, 1, "[1]"}, {4, 3, "[3 5 9 6 10 12]"},
	} {
		l := fsmtest.New(t, fsmtest.Options{Servers: tt.n, Threshold: tt.t})
		if got := fmt.Sprint(l.State.SubKeySets()); got != tt.want {
			t.Errorf("sets of %d of %d = %s, want %s", tt.t, tt.n, got, tt.want)
		}
	}
}

// The labelled hash is that of crypto/he (published known answer).
func TestLabelledHash(t *testing.T) {
	h := fsm.Labelled("test", []byte("abc"), nil)
	if got := hex.EncodeToString(h[:16]); got != "1145d219b0357bdfe28ddf948b554621" {
		t.Errorf("H(test; abc, \"\") = %s", got)
	}
	if !slices.Equal([]byte{0, 0, 0, 0, 0, 0, 1, 2}, fsm.Be64(258)) {
		t.Error("be64(258)")
	}
}
