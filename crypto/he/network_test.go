package he

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// network is n servers of one epoch with their keys, made as the roles make
// them: through encoded bytes only.
type network struct {
	c       *Context
	crs     CRS
	sets    []Set
	commits []Digest
	reveals []*PublicSubKey
	seeds   map[Set][]byte // exported
	pk      *PublicKey
	keys    []*ServerKey // server j at j-1
}

func newNetwork(t testing.TB, c *Context, epoch uint64, n, th int) *network {
	t.Helper()
	net := &network{c: c, crs: newCRS(t, c, epoch, n, th), seeds: map[Set][]byte{}}
	net.sets = net.crs.Committee.Sets()
	for _, s := range net.sets {
		k, err := c.Contribute(net.crs, s)
		if err != nil {
			t.Fatal(err)
		}
		net.commits = append(net.commits, k.Commit())
		r, err := c.ParseContribution(net.crs, s, k.Reveal().Bytes())
		if err != nil {
			t.Fatal(err)
		}
		net.reveals = append(net.reveals, r)
		if net.seeds[s], err = c.ExportSeed(k.Seed()); err != nil {
			t.Fatal(err)
		}
		k.Destroy()
	}
	pk, err := c.NewPublicKey(net.crs, net.commits, net.reveals)
	if err != nil {
		t.Fatal(err)
	}
	if net.pk, err = c.ParsePublicKey(epoch, pk.ID(), pk.Bytes()); err != nil {
		t.Fatal(err)
	}
	for j := 1; j <= n; j++ {
		net.keys = append(net.keys, net.serverKey(t, j))
	}
	return net
}

func newCRS(t testing.TB, c *Context, epoch uint64, n, th int) CRS {
	t.Helper()
	var members []Member
	for i := 1; i <= n; i++ {
		nonce := sha256.Sum256([]byte{byte(i)})
		members = append(members, Member{
			ID: fmt.Sprintf("s%d", i), Key: make([]byte, 32), Nonce: nonce,
			Commit: c.NonceCommit(epoch, i, nonce),
		})
	}
	crs, err := c.NewCRS(epoch, th, members)
	if err != nil {
		t.Fatal(err)
	}
	return crs
}

// seedsOf returns the seeds that server j holds.
func (n *network) seedsOf(t testing.TB, j int) []*Seed {
	t.Helper()
	var out []*Seed
	for _, s := range n.sets {
		if s.Has(j) {
			seed, err := n.c.ParseSeed(n.crs, n.seeds[s])
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, seed)
		}
	}
	return out
}

func (n *network) serverKey(t testing.TB, j int) *ServerKey {
	t.Helper()
	k, err := n.c.NewServerKey(j, n.crs, n.seedsOf(t, j), n.reveals)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// secret returns the collective secret in key form, which nobody has outside
// of tests.
func (n *network) secret(t testing.TB) *poly {
	t.Helper()
	sum := n.c.newPoly()
	for _, set := range n.sets {
		n.c.f.add(sum, n.keys[set.Dealer()-1].subs[set], sum)
	}
	return sum
}

func (n *network) encrypt(t testing.TB, m ...uint16) []byte {
	t.Helper()
	e, err := n.c.NewEncryptor(n.pk, 0)
	if err != nil {
		t.Fatal(err)
	}
	ct, w, err := e.Encrypt(m)
	if err != nil {
		t.Fatal(err)
	}
	w.Destroy()
	return ct.Bytes()
}

// query is one question with everything that the ledger would fix about it.
type query struct {
	net    *network
	key    *QuerierKey
	cts    [][]byte
	o      Opening
	prefix []byte
}

func (n *network) ask(t testing.TB, id string, k int, active []int, cts ...[]byte) *query {
	t.Helper()
	qk, err := n.c.NewQuerierKey(n.crs.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	q := &query{net: n, key: qk}
	q.o = Opening{
		Epoch: n.crs.Epoch, Query: sha256.Sum256([]byte(id)), Attempt: FirstAttempt,
		K: k, QuerierKey: qk.Public().Digest(), Active: active,
	}
	q.list(t, cts...)
	return q
}

// list sets the accepted ciphertexts and their sum.
func (q *query) list(t testing.TB, cts ...[]byte) {
	t.Helper()
	c := q.net.c
	sum, err := c.NewSum(q.o.Epoch, q.o.K)
	if err != nil {
		t.Fatal(err)
	}
	q.cts, q.o.Ciphertexts = cts, nil
	for _, b := range cts {
		ct, err := c.ParseCiphertext(q.o.Epoch, b)
		if err != nil {
			t.Fatal(err)
		}
		if err := sum.Add(ct); err != nil {
			t.Fatal(err)
		}
		q.o.Ciphertexts = append(q.o.Ciphertexts, DigestOf(b))
	}
	q.o.C0, q.o.C1 = sum.Hashes()
	q.prefix = sum.C0()
}

// public returns the querier's public key as a server gets it.
func (q *query) public(t testing.TB) *QuerierPublicKey {
	t.Helper()
	p, err := q.net.c.ParseQuerierKey(q.net.crs.Epoch, q.key.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fetch returns the next function of a server that fetched every ciphertext.
func fetch(cts [][]byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(cts) == 0 {
			return nil, errors.New("no more ciphertexts")
		}
		b := cts[0]
		cts = cts[1:]
		return b, nil
	}
}

// gateFunc is a Gate for tests.
type gateFunc func(Opening, Digest) error

func (f gateFunc) Admit(_ context.Context, o Opening, octx Digest) error { return f(o, octx) }

// admitAll is a gate that trusts its caller: what section "attacks" shows the
// cost of.
var admitAll = gateFunc(func(Opening, Digest) error { return nil })

func newOpener(t testing.TB, key *ServerKey, gate Gate, log ShareLog) *Opener {
	t.Helper()
	p, err := key.ctx.NewOpener(key, gate, log)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shares asks every active server, each with a fresh log.
func (q *query) shares(t testing.TB) []Share {
	t.Helper()
	var out []Share
	for _, j := range q.o.Active {
		p := newOpener(t, q.net.keys[j-1], admitAll, new(MemoryLog))
		s, err := p.Share(t.Context(), q.o, q.public(t), fetch(q.cts))
		if err != nil {
			t.Fatal(err)
		}
		if err := q.net.c.CheckShare(q.o.Epoch, q.o.K, s.Data); err != nil {
			t.Fatal(err)
		}
		out = append(out, *s)
	}
	return out
}

func (q *query) wantOpen(t testing.TB, shares []Share, want ...uint32) {
	t.Helper()
	got, err := q.key.Open(q.net.crs.Committee, q.o, q.prefix, shares)
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, make([]uint32, q.o.K-len(want))...)
	if !slices.Equal(got, want) {
		t.Errorf("active %v: opened %v, want %v", q.o.Active, got[:min(8, len(got))], want[:min(8, len(want))])
	}
}

// subsets returns every ascending choice of t out of 1..n.
func subsets(n, t int) [][]int {
	var out [][]int
	var extend func(s []int, from int)
	extend = func(s []int, from int) {
		if len(s) == t {
			out = append(out, slices.Clone(s))
			return
		}
		for j := from; j <= n; j++ {
			extend(append(s, j), j+1)
		}
	}
	extend(nil, 1)
	return out
}
