package he

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

var errNo = errors.New("not certified")

// gatedServer is server 1 of a 2-of-3 network with its log.
type gatedServer struct {
	net    *network
	log    *MemoryLog
	opener *Opener
	refuse error // what the gate says
	asked  int   // how often the gate was asked
}

func newGatedServer(t *testing.T) *gatedServer {
	g := &gatedServer{net: newNetwork(t, tiny(t, 16), 1, 3, 2), log: new(MemoryLog)}
	g.opener = newOpener(t, g.net.keys[0], gateFunc(func(Opening, Digest) error {
		g.asked++
		return g.refuse
	}), g.log)
	return g
}

func (g *gatedServer) share(t *testing.T, q *query) (*Share, error) {
	t.Helper()
	return g.opener.Share(t.Context(), q.o, q.public(t), fetch(q.cts))
}

func (g *gatedServer) wantRefused(t *testing.T, q *query, want error) {
	t.Helper()
	before, _ := g.log.Openings(1)
	s, err := g.share(t, q)
	if !errors.Is(err, want) || s != nil {
		t.Errorf("Share = %v, %v, want %v", s, err, want)
	}
	if after, _ := g.log.Openings(1); after != before {
		t.Errorf("a refused opening was counted: %d, want %d", after, before)
	}
}

func TestOpenerNeedsAllItsParts(t *testing.T) {
	net := newNetwork(t, tiny(t, 16), 1, 1, 1)
	for name, err := range map[string]error{
		"gate": second(net.c.NewOpener(net.keys[0], nil, new(MemoryLog))),
		"log":  second(net.c.NewOpener(net.keys[0], admitAll, nil)),
		"key":  second(net.c.NewOpener(nil, admitAll, new(MemoryLog))),
	} {
		if err == nil {
			t.Errorf("NewOpener accepted a nil %s", name)
		}
	}
	q := net.ask(t, "q", 1, []int{1}, net.encrypt(t, 1))
	p := newOpener(t, net.keys[0], admitAll, new(MemoryLog))
	if _, err := p.Share(t.Context(), q.o, nil, fetch(q.cts)); err == nil {
		t.Error("Share accepted a nil querier key")
	}
	if _, err := p.Share(t.Context(), q.o, q.public(t), nil); err == nil {
		t.Error("Share accepted a nil next")
	}
	if _, err := tiny(t, 32).NewOpener(net.keys[0], admitAll, new(MemoryLog)); !errors.Is(err, ErrParams) {
		t.Errorf("key of other parameters: error %v, want %v", err, ErrParams)
	}
}

func second[T any](_ T, err error) error { return err }

func TestGateRefusal(t *testing.T) {
	g := newGatedServer(t)
	q := g.net.ask(t, "q", 4, []int{1, 2}, g.net.encrypt(t, 1))
	g.refuse = errNo
	g.wantRefused(t, q, ErrGate)
	g.wantRefused(t, q, errNo)
	g.refuse = nil
	if _, err := g.share(t, q); err != nil {
		t.Errorf("admitted afterwards: %v", err)
	}
}

func TestActiveSetIsChecked(t *testing.T) {
	g := newGatedServer(t)
	ct := g.net.encrypt(t, 1)
	for _, active := range [][]int{
		nil, {1}, {1, 1}, {0, 1}, {1, 4}, {2, 1}, {1, 2, 3}, {-1, 1}, {2, 3},
	} {
		q := g.net.ask(t, "q", 4, active, ct)
		g.wantRefused(t, q, ErrActiveSet)
		if len(active) == 2 && active[0] == 2 && active[1] == 3 {
			continue // a valid set, only not one with server 1
		}
		if _, err := q.key.Open(g.net.crs.Committee, q.o, q.prefix, nil); !errors.Is(err, ErrActiveSet) {
			t.Errorf("Open with active %v: error %v, want %v", active, err, ErrActiveSet)
		}
	}
	if g.asked != 0 {
		t.Errorf("the gate was asked %d times about impossible sets", g.asked)
	}
}

func TestOpeningIsChecked(t *testing.T) {
	g := newGatedServer(t)
	a, b := g.net.encrypt(t, 1), g.net.encrypt(t, 2)
	other := g.net.ask(t, "other", 4, []int{1, 2}, a)
	for _, tt := range []struct {
		name   string
		change func(q *query)
		want   error
	}{
		{"epoch", func(q *query) { q.o.Epoch = 2 }, ErrEpoch},
		{"K = 0", func(q *query) { q.o.K = 0 }, ErrCount},
		{"K > N", func(q *query) { q.o.K = 17 }, ErrCount},
		{"attempt 0", func(q *query) { q.o.Attempt = 0 }, ErrGate},
		{"attempt 3", func(q *query) { q.o.Attempt = 3 }, ErrGate},
		{"empty list", func(q *query) { q.o.Ciphertexts = nil }, ErrTooMany},
		{"list of 65,536", func(q *query) {
			q.o.Ciphertexts = make([]Digest, MaxSummands+1)
			for i := range q.o.Ciphertexts {
				q.o.Ciphertexts[i] = Digest{byte(i), byte(i >> 8), byte(i >> 16)}
			}
		}, ErrTooMany},
		{"a ciphertext twice", func(q *query) { q.list(t, a, a) }, ErrOpened},
		{"coordinator swaps the querier key", func(q *query) { q.key = other.key }, ErrDigest},
		{"coordinator drops a provider from the sum", func(q *query) {
			listed := q.o.Ciphertexts
			q.list(t, a)
			q.o.Ciphertexts, q.cts = listed, [][]byte{a, b}
		}, ErrDigest},
		{"coordinator drops a provider from the list", func(q *query) {
			c0, c1 := q.o.C0, q.o.C1
			q.list(t, a)
			q.o.C0, q.o.C1 = c0, c1
		}, ErrDigest},
		{"another ciphertext than listed", func(q *query) { q.cts = [][]byte{b, a} }, ErrDigest},
		{"altered ciphertext", func(q *query) { q.cts = [][]byte{a, flip(b, 1000)} }, ErrDigest},
		{"ciphertext missing", func(q *query) { q.cts = q.cts[:1] }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := g.net.ask(t, "q", 4, []int{1, 2}, a, b)
			tt.change(q)
			if tt.want != nil {
				g.wantRefused(t, q, tt.want)
			} else if s, err := g.share(t, q); err == nil {
				t.Errorf("Share = %v, want an error", s)
			}
		})
	}
	// A listed ciphertext that is not one: the digest is right, the bytes are not.
	q := g.net.ask(t, "q", 4, []int{1, 2}, a, b)
	bad := bytes.Clone(b)
	for i := range 16 {
		bad[headerSize+i] = 0xff // a residue of 2^53-1
	}
	q.cts = [][]byte{a, bad}
	q.o.Ciphertexts = []Digest{DigestOf(a), DigestOf(bad)}
	g.wantRefused(t, q, ErrEncoding)
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i%len(b)] ^= 1
	return b
}

// TestCiphertextIsOpenedOnce: differencing. The same ciphertext in a second
// query would reveal the difference of two sums.
func TestCiphertextIsOpenedOnce(t *testing.T) {
	g := newGatedServer(t)
	a, b, c := g.net.encrypt(t, 1), g.net.encrypt(t, 2), g.net.encrypt(t, 3)
	if _, err := g.share(t, g.net.ask(t, "first", 4, []int{1, 2}, a, b)); err != nil {
		t.Fatal(err)
	}
	g.wantRefused(t, g.net.ask(t, "second", 4, []int{1, 2}, a), ErrOpened)
	g.wantRefused(t, g.net.ask(t, "second", 4, []int{1, 2}, c, b), ErrOpened)
	if _, err := g.share(t, g.net.ask(t, "second", 4, []int{1, 2}, c)); err != nil {
		t.Errorf("a fresh ciphertext: %v", err)
	}
}

func TestReissue(t *testing.T) {
	g := newGatedServer(t)
	q := g.net.ask(t, "q", 4, []int{1, 2}, g.net.encrypt(t, 5))
	if _, err := g.share(t, q); err != nil {
		t.Fatal(err)
	}
	again := *q
	again.o.Attempt = LastAttempt
	g.wantRefused(t, &again, ErrOpened) // the same active set

	other := *q
	other.o.Active = []int{1, 3}
	g.wantRefused(t, &other, ErrOpened) // the same attempt

	changed := *q
	changed.o.Attempt, changed.o.Active, changed.o.K = LastAttempt, []int{1, 3}, 5
	changed.list(t, q.cts...)
	g.wantRefused(t, &changed, ErrOpened) // another K

	again.o.Active = []int{1, 3}
	s1, err := g.share(t, &again)
	if err != nil {
		t.Fatalf("re-issue: %v", err)
	}
	if n, _ := g.log.Openings(1); n != 2 {
		t.Errorf("openings after a re-issue = %d, want 2", n)
	}
	s3, err := newOpener(t, g.net.keys[2], admitAll, new(MemoryLog)).Share(t.Context(), again.o, q.public(t), fetch(q.cts))
	if err != nil {
		t.Fatal(err)
	}
	again.wantOpen(t, []Share{*s3, *s1}, 5)

	back := *q
	back.o.Active = []int{1, 3}
	g.wantRefused(t, &back, ErrOpened) // back to the first attempt
}

// TestShareIsStoredAndResent: the same share asked for 1,000 times is the same
// bytes, the counter does not move, and neither gate nor fetch is needed.
func TestShareIsStoredAndResent(t *testing.T) {
	g := newGatedServer(t)
	q := g.net.ask(t, "q", 4, []int{1, 2}, g.net.encrypt(t, 1))
	first, err := g.share(t, q)
	if err != nil {
		t.Fatal(err)
	}
	g.refuse = errNo
	for range 1000 {
		s, err := g.opener.Share(t.Context(), q.o, q.public(t), fetch(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Data, first.Data) || s.Digest != first.Digest || s.Context != first.Context || s.Server != 1 {
			t.Fatal("the share was made again")
		}
	}
	if n, _ := g.log.Openings(1); n != 1 || g.asked != 1 {
		t.Errorf("openings = %d, gate asked %d times, want 1 and 1", n, g.asked)
	}
	// A new process with the same log sends the same bytes, even after the
	// epoch's key was destroyed.
	g.net.keys[0].Destroy()
	s, err := newOpener(t, g.net.keys[0], g.opener.gate, g.log).Share(t.Context(), q.o, q.public(t), fetch(q.cts))
	if err != nil || !bytes.Equal(s.Data, first.Data) {
		t.Errorf("after a restart: error %v, same bytes = %v", err, s != nil && bytes.Equal(s.Data, first.Data))
	}
}

func TestOpeningsAreCounted(t *testing.T) {
	g := newGatedServer(t)
	for i := range MaxOpenings {
		q := g.net.ask(t, string(rune('a'+i)), 1, []int{1, 2}, g.net.encrypt(t, 1))
		if _, err := g.share(t, q); err != nil {
			t.Fatalf("opening %d: %v", i+1, err)
		}
	}
	g.wantRefused(t, g.net.ask(t, "257th", 1, []int{1, 2}, g.net.encrypt(t, 1)), ErrExhausted)
	if n, _ := g.log.Openings(1); n != MaxOpenings {
		t.Errorf("openings = %d, want %d", n, MaxOpenings)
	}
}

// brokenLog fails one of its methods.
type brokenLog struct {
	MemoryLog
	fail string
}

var errDisk = errors.New("disk full")

func (l *brokenLog) err(method string) error {
	if l.fail == method {
		return errDisk
	}
	return nil
}

func (l *brokenLog) Share(d Digest) ([]byte, bool, error) {
	b, ok, err := l.MemoryLog.Share(d)
	return b, ok, errors.Join(err, l.err("Share"))
}

func (l *brokenLog) Last(d Digest) (Opened, bool, error) {
	o, ok, err := l.MemoryLog.Last(d)
	return o, ok, errors.Join(err, l.err("Last"))
}

func (l *brokenLog) Openings(e uint64) (int, error) {
	n, err := l.MemoryLog.Openings(e)
	return n, errors.Join(err, l.err("Openings"))
}

func (l *brokenLog) Store(r ShareRecord) error {
	if err := l.err("Store"); err != nil {
		return err
	}
	return l.MemoryLog.Store(r)
}

// TestNoShareWithoutTheLog: what is not stored is not sent.
func TestNoShareWithoutTheLog(t *testing.T) {
	net := newNetwork(t, tiny(t, 16), 1, 3, 2)
	q := net.ask(t, "q", 4, []int{1, 2}, net.encrypt(t, 1))
	for _, method := range []string{"Share", "Last", "Openings", "Store"} {
		p := newOpener(t, net.keys[0], admitAll, &brokenLog{fail: method})
		if s, err := p.Share(t.Context(), q.o, q.public(t), fetch(q.cts)); !errors.Is(err, errDisk) || s != nil {
			t.Errorf("log without %s: Share = %v, %v, want %v", method, s, err, errDisk)
		}
	}
}

// TestGateJudgesACopy: what the gate saw is what is opened, even if the caller
// changes its slices meanwhile.
func TestGateJudgesACopy(t *testing.T) {
	net := newNetwork(t, tiny(t, 16), 1, 3, 2)
	a, b := net.encrypt(t, 1), net.encrypt(t, 2)
	q := net.ask(t, "q", 4, []int{1, 2}, a, b)
	want := slices.Clone(q.o.Ciphertexts)
	var seen []Digest
	p := newOpener(t, net.keys[0], gateFunc(func(o Opening, _ Digest) error {
		seen = slices.Clone(o.Ciphertexts)
		q.o.Ciphertexts[0], o.Ciphertexts[1] = Digest{}, Digest{}
		return nil
	}), new(MemoryLog))
	if _, err := p.Share(t.Context(), q.o, q.public(t), fetch(q.cts)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, want) {
		t.Error("the gate saw another list")
	}
}

func TestClosedOpenerMakesNoShare(t *testing.T) {
	g := newGatedServer(t)
	g.opener.Close()
	g.opener.Close()
	g.wantRefused(t, g.net.ask(t, "q", 4, []int{1, 2}, g.net.encrypt(t, 1)), ErrClosed)
}

// TestConcurrentShares: many callers ask for few openings; each opening gets one
// share, and a ciphertext that two openings want goes to one of them.
func TestConcurrentShares(t *testing.T) {
	net := newNetwork(t, tiny(t, 16), 1, 3, 2)
	log := new(MemoryLog)
	p := newOpener(t, net.keys[0], admitAll, log)
	common := net.encrypt(t, 1)
	var queries []*query
	for _, id := range []string{"a", "b", "c"} {
		queries = append(queries, net.ask(t, id, 4, []int{1, 2}, net.encrypt(t, 1)))
	}
	contested := []*query{
		net.ask(t, "x", 4, []int{1, 2}, common),
		net.ask(t, "y", 4, []int{1, 2}, common, net.encrypt(t, 2)),
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	digests := map[Digest]map[Digest]bool{} // octx -> share digests
	for _, q := range slices.Concat(queries, contested) {
		to := q.public(t)
		for range 4 {
			wg.Go(func() {
				s, err := p.Share(context.Background(), q.o, to, fetch(q.cts))
				if err != nil {
					if !errors.Is(err, ErrOpened) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if digests[s.Context] == nil {
					digests[s.Context] = map[Digest]bool{}
				}
				digests[s.Context][s.Digest] = true
			})
		}
	}
	wg.Wait()
	if len(digests) != 4 {
		t.Errorf("%d openings have a share, want 4: three of their own and one of two contested", len(digests))
	}
	for octx, d := range digests {
		if len(d) != 1 {
			t.Errorf("opening %x has %d different shares, want 1", octx[:4], len(d))
		}
	}
	if n, _ := log.Openings(1); n != 4 {
		t.Errorf("openings = %d, want 4", n)
	}
}
