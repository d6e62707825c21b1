package chain

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"statnet/chain/fsm/fsmtest"
	"statnet/chain/merkle"
	"statnet/chain/record"
)

// ticketOf builds a ticket over the first size leaves of a test ledger.
func ticketOf(t testing.TB, l *fsmtest.Ledger, index, size uint64, by ...string) Ticket {
	t.Helper()
	p, err := merkle.ProveInclusion(index, size, &l.Tree)
	if err != nil {
		t.Fatal(err)
	}
	return Ticket{Leaf: l.Leaves[index], Index: index, Proof: p, Note: l.Note(size, by...)}
}

func TestCheckTicket(t *testing.T) {
	l, id := asking(t, 1)
	leaf := l.Query(id).Leaf
	size := l.State.Size()
	now := time.UnixMilli(int64(l.NowMS))
	good := ticketOf(t, l, leaf, size)
	with := func(f func(*Ticket)) Ticket {
		c := good
		f(&c)
		return c
	}
	other, otherID := asking(t, 2)
	elsewhere := fsmtest.New(t, fsmtest.Options{Gateways: 2})
	q := l.Query(id).Record
	late := time.UnixMilli(int64(q.NotAfter + q.TimeoutMS))
	tests := []struct {
		name   string
		ticket Ticket
		now    time.Time
		ok     bool
	}{
		{"good", good, now, true},
		{"four signatures", ticketOf(t, l, leaf, size, l.Verifiers...), now, true},
		{"two signatures", ticketOf(t, l, leaf, size, l.Verifiers[:2]...), now, false},
		{"one signature three times", ticketOf(t, l, leaf, size, "verifier/v1", "verifier/v1", "verifier/v1"), now, false},
		{"no note", with(func(t *Ticket) { t.Note = nil }), now, false},
		{"other index", with(func(t *Ticket) { t.Index-- }), now, false},
		{"short proof", with(func(t *Ticket) { t.Proof = t.Proof[1:] }), now, false},
		{"altered proof", with(func(t *Ticket) { t.Proof = append([]merkle.Hash{{1}}, t.Proof[1:]...) }), now, false},
		{"query of a fork under this note", with(func(t *Ticket) { t.Leaf = other.Leaves[other.Query(otherID).Leaf] }), now, false},
		{"a leaf that is no QUERY", ticketOf(t, l, leaf-1, size), now, false},
		{"another cluster", ticketOf(t, elsewhere, 0, 2), now, false},
		{"last moment", good, late.Add(-time.Millisecond), true},
		{"expired", good, late, false},
		{"clock 10 minutes behind", good, now.Add(-MaxClockSkew), true},
		{"clock 11 minutes behind", good, now.Add(-MaxClockSkew - time.Minute), false},
	}
	for _, tt := range tests {
		data, err := tt.ticket.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		q, index, err := CheckTicket(l.Leaves[0], l.Cluster, data, tt.now)
		if tt.ok && (err != nil || index != leaf || q.Cohort != "ward-a") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !tt.ok && !errors.Is(err, ErrTicket) {
			t.Errorf("%s: %v, want ErrTicket", tt.name, err)
		}
	}
	if _, _, err := CheckTicket(elsewhere.Leaves[0], l.Cluster, nil, now); !errors.Is(err, ErrTicket) {
		t.Errorf("no ticket: %v, want ErrTicket", err)
	}
	big := with(func(t *Ticket) { t.Leaf = make([]byte, MaxTicket) })
	if _, err := big.Marshal(); err == nil {
		t.Error("a ticket over the limit was made")
	}
}

// TestQueryOf: a quorum's word does not stand in for the querier's.
func TestQueryOf(t *testing.T) {
	l, id := asking(t, 1)
	good := l.Leaves[l.Query(id).Leaf]
	record1 := l.Query(id).Record
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	tests := []struct {
		name string
		leaf []byte
		ok   bool
	}{
		{"good", good, true},
		{"forged signature", forged, false},
		{"signed by a gateway", l.Seal("gateway/gw-1", record1), false},
		{"signed by a stranger", l.Seal("querier/dr-z", record1), false},
		{"not a QUERY", l.Leaves[1], false},
		{"garbage", []byte("hello"), false},
	}
	for _, tt := range tests {
		if _, err := queryOf(l.State.Origin(), l.Cluster, tt.leaf); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want ok %v", tt.name, err, tt.ok)
		}
	}
}

// TestTicketSkew: a querier may hold a ticket as long as its query runs, but not
// beside cosigners whose clocks are elsewhere.
func TestTicketSkew(t *testing.T) {
	l, id := asking(t, 1)
	ticket := ticketOf(t, l, l.Query(id).Leaf, l.State.Size())
	q, _, err := checkTicketTimes(l, ticket, time.UnixMilli(int64(l.NowMS)).Add(MaxClockSkew+time.Second))
	if err == nil {
		t.Errorf("clock 10 minutes ahead: accepted %v", q)
	}
}

func checkTicketTimes(l *fsmtest.Ledger, t Ticket, now time.Time) (*record.Query, uint64, error) {
	data, err := t.Marshal()
	if err != nil {
		return nil, 0, err
	}
	return CheckTicket(l.Leaves[0], l.Cluster, data, now)
}

// TestFollowerTicket adds what a ticket cannot say of itself: that its note
// belongs to the ledger this node has seen.
func TestFollowerTicket(t *testing.T) {
	a, id := asking(t, 1)
	b, idB := asking(t, 2)
	now := time.UnixMilli(int64(a.NowMS))
	size := a.State.Size()
	src := newScript(a)
	src.size = size - 2
	f := newTestFollower(t, a, filepath.Join(t.TempDir(), "ledger.db"), src)
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	if err := f.await(ctx, func() bool { return f.last.Size == size-2 }); err != nil {
		t.Fatal(err)
	}
	good, err := ticketOf(t, a, a.Query(id).Leaf, size).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	if _, _, err := f.CheckTicket(short, good, now); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ticket ahead of the copy: %v, want to wait for it", err)
	}
	stop()
	src.grow()
	if _, index, err := f.CheckTicket(ctx, good, now); err != nil || index != a.Query(id).Leaf {
		t.Errorf("ticket: leaf %d, %v", index, err)
	}
	forked, err := ticketOf(t, b, b.Query(idB).Leaf, size).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.CheckTicket(ctx, forked, now); !errors.Is(err, ErrFork) || !errors.Is(err, ErrTicket) {
		t.Errorf("ticket of another ledger: %v, want ErrFork", err)
	}
	cancel()
	<-done
}

func FuzzTicket(f *testing.F) {
	l, id := asking(f, 1)
	good, err := ticketOf(f, l, l.Query(id).Leaf, l.State.Size()).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	query := l.Leaves[l.Query(id).Leaf]
	now := time.UnixMilli(int64(l.NowMS))
	f.Fuzz(func(t *testing.T, data []byte) {
		tk, err := ParseTicket(data)
		if err == nil {
			if again, err := tk.Marshal(); err != nil || !bytes.Equal(again, data) {
				t.Errorf("accepted but encoded otherwise: %x", data)
			}
		}
		if _, _, err := CheckTicket(l.Leaves[0], l.Cluster, data, now); err == nil && !bytes.Equal(tk.Leaf, query) {
			t.Errorf("a query nobody registered was accepted")
		}
	})
}
