package chain

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"runtime"
	"strconv"
	"testing"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/merkle"
	"statnet/chain/record"
)

func TestMain(m *testing.M) {
	flag.Parse()
	fuzzing := flag.Lookup("test.fuzz").Value.String() != ""
	if f := flag.Lookup("test.parallel"); !fuzzing && f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("8") // these tests wait for elections, they do not compute
	}
	goleak.VerifyTestMain(m)
}

// TestCluster takes a question's first steps over four verifiers with the real
// rules: key generation, QUERY, checkpoint, ticket.
func TestCluster(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, realState)
	h.start()
	leader := h.leader()
	var follower string
	for _, id := range h.ids {
		if id != leader {
			follower = id
		}
	}
	q := h.keygenAndAsk(follower)

	t.Run("resending returns the old leaf", func(t *testing.T) {
		for _, id := range h.ids {
			if got := h.submit(id, q.leaf); got != q.index {
				t.Errorf("resend at %s = leaf %d, want %d", id, got, q.index)
			}
		}
	})
	t.Run("a refusal comes back as it is", func(t *testing.T) {
		bad := bytes.Clone(q.leaf)
		bad[len(bad)-1] ^= 1
		before := h.node(leader).running().LastIndex()
		_, err := h.node(follower).Submit(context.Background(), bad)
		if r, ok := fsm.AsRefusal(err); !ok || r.Code != fsm.BadSignature {
			t.Errorf("submit of a forged leaf at a follower: %v, want bad_signature", err)
		}
		stranger, err := record.Seal(h.node(leader).origin, fsmtest.Signer("gateway/gw-99"), &record.Audit{Day: 1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.node(leader).Submit(context.Background(), stranger)
		if r, ok := fsm.AsRefusal(err); !ok || r.Code != fsm.UnknownSigner {
			t.Errorf("submit by a stranger: %v, want unknown_signer", err)
		}
		for i := before + 1; i <= h.node(leader).running().LastIndex(); i++ {
			var l raft.Log
			if err := h.node(leader).store.GetLog(i, &l); err == nil && (bytes.HasSuffix(l.Data, bad) || bytes.HasSuffix(l.Data, stranger)) {
				t.Error("a leaf that nobody enrolled signed is in raft's log")
			}
		}
		_, err = h.node(leader).Submit(context.Background(), make([]byte, record.MaxLeaf+1))
		if r, ok := fsm.AsRefusal(err); !ok || r.Code != fsm.TooLarge {
			t.Errorf("submit of a long leaf: %v, want too_large", err)
		}
	})
	t.Run("every ticket verifies", func(t *testing.T) {
		h.cosigned(q.index + 1)
		for _, id := range h.ids {
			ticket, err := h.node(id).Ticket(q.id)
			if err != nil {
				t.Fatal(err)
			}
			got, index, err := CheckTicket(h.genesis, h.cluster, ticket, h.now())
			if err != nil || index != q.index || got.Statistic != "mean" {
				t.Errorf("ticket of %s: leaf %d, %v, want leaf %d", id, index, err, q.index)
			}
		}
		if _, err := h.node(leader).Ticket(record.Hash{1}); !errors.Is(err, ErrNotFound) {
			t.Errorf("ticket of an unknown query: %v, want ErrNotFound", err)
		}
	})
	t.Run("proofs verify under the checkpoint", func(t *testing.T) { h.checkProofs(t, follower) })
}

type asked struct {
	id    record.Hash
	leaf  []byte
	index uint64
}

// keygenAndAsk generates a key and registers a question, all submitted at id.
func (h *harness) keygenAndAsk(id string) asked {
	h.t.Helper()
	l := fsmtest.NewCluster(h.t, h.cluster)
	origin := record.Origin(h.cluster.Name, h.genesis)
	seal := func(path string, p record.Payload) []byte {
		leaf, err := record.Seal(origin, fsmtest.Signer(path), p)
		if err != nil {
			h.t.Fatal(err)
		}
		return leaf
	}
	for round := uint8(record.RoundCommit); round <= record.RoundConfirm; round++ {
		for _, r := range l.KeygenRound(1, round) {
			h.submit(id, seal(r.Path, r.Record))
		}
	}
	l.Keygen()
	q := l.QueryRecord()
	err := h.node(id).Until(context.Background(), func(s *fsm.State) bool {
		key, ok := s.CurrentKey()
		if ok {
			q.KeyLeaf = key.ActiveLeaf
		}
		return ok
	})
	if err != nil {
		h.t.Fatal(err)
	}
	leaf := seal("querier/dr-a", q)
	index := h.submit(id, leaf)
	e, err := record.Decode(leaf)
	if err != nil {
		h.t.Fatal(err)
	}
	return asked{id: e.QueryID(), leaf: leaf, index: index}
}

func (h *harness) checkProofs(t *testing.T, id string) {
	t.Helper()
	n := h.node(id)
	s, err := n.policy.Verify(n.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := n.Entries(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var edge merkle.Frontier
	for i := range s.Size {
		p, err := n.Proof(i, s.Size)
		if err != nil {
			t.Fatal(err)
		}
		hs, _ := hashesOf(p)
		if err := merkle.VerifyInclusion(i, s.Size, s.Root, merkle.LeafHash(leaves[i]), hs); err != nil {
			t.Error(err)
		}
		edge.Append(merkle.LeafHash(leaves[i]))
		c, err := n.Consistency(i+1, s.Size)
		if err != nil {
			t.Fatal(err)
		}
		hs, _ = hashesOf(c)
		if err := merkle.VerifyConsistency(i+1, s.Size, edge.Root(), s.Root, hs); err != nil {
			t.Error(err)
		}
	}
	if _, err := n.Proof(0, s.Size+1000); !errors.Is(err, ErrNotFound) {
		t.Errorf("proof beyond the ledger: %v, want ErrNotFound", err)
	}
}

// TestFailover stops leaders and checks that nothing acknowledged is lost or
// moved, and that a returning node catches up.
func TestFailover(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	h.start()
	acked := map[uint64]uint64{} // day -> leaf
	day := uint64(0)
	send := func(n int) {
		for range n {
			day++
			id := h.ids[day%4]
			if h.node(id) == nil {
				id = h.leader()
			}
			acked[day] = h.submit(id, h.audit("gateway/gw-1", day))
		}
	}
	send(20)
	for range 2 {
		old := h.leader()
		if err := h.stop(old); err != nil {
			t.Fatal(err)
		}
		send(10)
		h.start(old)
	}
	send(5)
	h.checkAcked(acked)
	h.cosigned(h.node("v1").Status().Size)
}

// checkAcked waits until all running nodes agree and hold every acknowledged
// leaf where it was.
func (h *harness) checkAcked(acked map[uint64]uint64) {
	h.t.Helper()
	var last uint64
	for _, index := range acked {
		last = max(last, index)
	}
	for _, id := range h.ids {
		n := h.node(id)
		if n == nil {
			continue
		}
		h.eventually("all leaves at "+id, func() bool { return n.Status().Size > last })
		for day, index := range acked {
			leaf, err := n.Leaf(index)
			if err != nil || !bytes.Equal(leaf, h.audit("gateway/gw-1", day)) {
				h.t.Errorf("%s: leaf %d is not what was acknowledged: %v", id, index, err)
			}
		}
	}
	h.eventually("equal roots", func() bool {
		var roots []Status
		for _, id := range h.ids {
			if n := h.node(id); n != nil {
				roots = append(roots, n.Status())
			}
		}
		for _, s := range roots {
			if s.Size != roots[0].Size || s.Root != roots[0].Root {
				return false
			}
		}
		return true
	})
}

// TestTwoOfFourAreNotEnough checks the quorum from the outside: half of the
// verifiers acknowledge nothing, and say that the outcome is unknown.
func TestTwoOfFourAreNotEnough(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	h.start()
	h.submit("v1", h.audit("gateway/gw-1", 1))
	for _, id := range []string{"v3", "v4"} {
		if err := h.stop(id); err != nil {
			t.Fatal(err)
		}
	}
	leaf := h.audit("gateway/gw-1", 2)
	if _, err := h.node("v1").Submit(context.Background(), leaf); !errors.Is(err, ErrUnavailable) {
		t.Errorf("submit with two of four: %v, want ErrUnavailable", err)
	}
	h.start("v3")
	h.submit("v1", leaf) // the same bytes, as the error says
}

func TestConflict(t *testing.T) {
	t.Parallel()
	h := newHarness(t, fsmtest.Options{}, looseState)
	h.start()
	h.submit("v1", h.audit("gateway/gw-1", 1, 1))
	_, err := h.node("v2").Submit(context.Background(), h.audit("gateway/gw-1", 1, 2))
	if r, ok := fsm.AsRefusal(err); !ok || r.Code != fsm.Conflict {
		t.Errorf("other bytes under the same key: %v, want conflict", err)
	}
}
