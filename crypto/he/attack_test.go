package he

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
)

// Each test shows an attack at work where a check is left out, so that one sees
// what the check is for, and then that the check refuses it.

// TestRogueKeyAttack: the last server publishes b' minus the sum of the others,
// so that the collective key is its own.
func TestRogueKeyAttack(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 3)
	a := c.commonPoly(net.crs.Value)
	c.f.toKey(a)
	w, err := c.drawKey(katReader("rogue"))
	if err != nil {
		t.Fatal(err)
	}
	own, b := c.keyPair(w, a)
	rogue := &PublicSubKey{ctx: c, epoch: 1, set: net.sets[2], b: b.clone()}
	for _, r := range net.reveals[:2] {
		c.f.sub(rogue.b, r.b, rogue.b)
	}
	reveals := []*PublicSubKey{net.reveals[0], net.reveals[1], rogue}

	// If it could commit after it saw the others, it alone would decrypt.
	late := []Digest{net.commits[0], net.commits[1], rogue.Commit()}
	pk, err := c.NewPublicKey(net.crs, late, reveals)
	if err != nil {
		t.Fatal(err)
	}
	net.pk = pk
	ct, err := c.ParseCiphertext(1, net.encrypt(t, 1234, 99))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.decode(c.phase(ct.c0, ct.c1, own), 2); !slices.Equal(got, []uint32{1234, 99}) {
		t.Errorf("the attack does not work any more: decrypts to %v", got)
	}
	// It committed before, to something else.
	if _, err := c.NewPublicKey(net.crs, net.commits, reveals); !errors.Is(err, ErrCommitment) {
		t.Errorf("rogue sub-key: error %v, want %v", err, ErrCommitment)
	}
}

// TestLargeErrorAttack: a provider adds 2^75 to c1. The result stays right, and
// its author and the querier together read the whole key out of the noise. Only
// a certificate that every summand has small u, e0, e1 stops it: the gate.
func TestLargeErrorAttack(t *testing.T) {
	c := std(t)
	net := newNetwork(t, c, 1, 3, 2)
	honest, bad := net.encrypt(t, 10, 20), net.encrypt(t, 1, 2)
	ct, err := c.ParseCiphertext(1, bad)
	if err != nil {
		t.Fatal(err)
	}
	v := c.value(ct.c1, 0)
	c.setValue(ct.c1, 0, v.Add(v, new(big.Int).Lsh(bigInt(1), 75)))
	q := net.ask(t, "q", 4096, []int{1, 3}, honest, ct.Bytes())

	refuse := gateFunc(func(Opening, Digest) error { return errNo })
	log := new(MemoryLog)
	if _, err := newOpener(t, net.keys[0], refuse, log).Share(t.Context(), q.o, q.public(t), fetch(q.cts)); !errors.Is(err, ErrGate) {
		t.Errorf("uncertified ciphertext: error %v, want %v", err, ErrGate)
	}
	if n, _ := log.Openings(1); n != 0 {
		t.Errorf("openings after a refusal = %d, want 0", n)
	}

	shares := q.shares(t) // a gate that admits everything
	q.wantOpen(t, shares, 11, 22)
	noise := c.noise(openedPhase(t, q, shares), []uint16{11, 22})
	secret := net.secret(t)
	c.f.r.InvMForm(lib(secret), lib(secret))
	c.f.invNTT(secret)
	found := 0
	half := new(big.Int).Lsh(bigInt(1), 74)
	for i, e := range noise {
		guess := new(big.Int).Add(e, half)
		guess.Rsh(guess, 75) // floor: round to nearest
		if guess.Cmp(c.signed(secret, i)) == 0 {
			found++
		}
	}
	if found != 4096 {
		t.Errorf("the attack finds %d of 4096 key coefficients, the documented cost is 4096", found)
	}
}

// openedPhase is c0 + sum h0 + (sum h1)·s_q: what a malicious querier sees
// before it rounds.
func openedPhase(t testing.TB, q *query, shares []Share) *poly {
	t.Helper()
	c := q.net.c
	x, h0, h1, sum := c.newPoly(), c.newPoly(), c.newPoly(), c.newPoly()
	p, err := c.parseC0(q.o.K, q.o.C0, q.prefix)
	if err != nil {
		t.Fatal(err)
	}
	x.copyFrom(p)
	for _, s := range shares {
		if err := c.parseShare(q.o.Epoch, q.o.K, s.Data, h0, h1); err != nil {
			t.Fatal(err)
		}
		for l, ql := range c.params.Q {
			addInto(x[l][:q.o.K], h0[l], ql)
		}
		c.f.add(sum, h1, sum)
	}
	return c.phase(x, sum, q.key.s)
}

// TestAveragingAttack: with fresh smudging for every request, the mean of many
// shares has little of it left. The stored share is the same every time.
func TestAveragingAttack(t *testing.T) {
	c := tiny(t, 64)
	net := newNetwork(t, c, 1, 3, 2)
	q := net.ask(t, "q", 64, []int{1, 2}, net.encrypt(t, 7))
	ct, err := c.ParseCiphertext(1, q.cts[0])
	if err != nil {
		t.Fatal(err)
	}
	sum, _ := c.NewSum(1, 64)
	if err := sum.Add(ct); err != nil {
		t.Fatal(err)
	}
	const times = 400
	one, mean := 0.0, make([]float64, 64)
	for range times {
		var shares []Share
		for _, j := range q.o.Active {
			b, err := net.keys[j-1].makeShare(q.o, sum, q.public(t))
			if err != nil {
				t.Fatal(err)
			}
			shares = append(shares, Share{Data: b})
		}
		for i, e := range c.noise(openedPhase(t, q, shares), []uint16{7}) {
			f, _ := new(big.Float).SetInt(e).Float64()
			mean[i] += f / times
			one = max(one, math.Abs(f))
		}
	}
	if got := slices.Max(mean); got > one/5 {
		t.Errorf("largest mean noise 2^%.1f, of one share 2^%.1f: averaging should remove it", math.Log2(got), math.Log2(one))
	}
	p := newOpener(t, net.keys[0], admitAll, new(MemoryLog))
	digests := map[Digest]bool{}
	for range times {
		s, err := p.Share(t.Context(), q.o, q.public(t), fetch(q.cts))
		if err != nil {
			t.Fatal(err)
		}
		digests[s.Digest] = true
	}
	if len(digests) != 1 {
		t.Errorf("%d different shares for one opening, want 1", len(digests))
	}
}

// TestMixedActiveSets: shares of different active sets add up to garbage, which
// decodes without any error. Context and digests refuse them.
func TestMixedActiveSets(t *testing.T) {
	c := tiny(t, 64)
	net := newNetwork(t, c, 1, 3, 2)
	ct := net.encrypt(t, 1, 2, 3)
	first := net.ask(t, "q", 64, []int{1, 2}, ct)
	second := *first
	second.o.Active, second.o.Attempt = []int{1, 3}, LastAttempt
	a, b := first.shares(t), second.shares(t)
	// Server 1 of S = {1,2} and server 3 of S = {1,3} count {1,3} wrongly.
	mixed := []Share{a[0], b[1]}
	if _, err := first.key.Open(net.crs.Committee, second.o, second.prefix, mixed); !errors.Is(err, ErrDigest) {
		t.Errorf("mixed shares: error %v, want %v", err, ErrDigest)
	}
	x, err := c.parseC0(64, second.o.C0, second.prefix)
	if err != nil {
		t.Fatal(err)
	}
	got, err := first.key.addShares(second.o, x, mixed)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, v := range got {
		if i < 3 && v == uint32(i+1) || i >= 3 && v == 0 {
			right++
		}
	}
	if right > 2 {
		t.Errorf("%d of 64 values survive mixing: the test shows nothing", right)
	}
}

func TestOpenRefuses(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	q := net.ask(t, "q", 4, []int{1, 2}, net.encrypt(t, 5, 6))
	other := net.ask(t, "other", 4, []int{1, 2}, net.encrypt(t, 1))
	shares := q.shares(t)
	for _, tt := range []struct {
		name   string
		change func(o *Opening, prefix *[]byte, s []Share) []Share
		want   error
	}{
		{"nothing changed", func(_ *Opening, _ *[]byte, s []Share) []Share { return s }, nil},
		{"shares in another order", func(_ *Opening, _ *[]byte, s []Share) []Share { return []Share{s[1], s[0]} }, nil},
		{"coordinator alters c0", func(_ *Opening, p *[]byte, s []Share) []Share { *p = flip(*p, 60); return s }, ErrDigest},
		{"coordinator sends another c0", func(_ *Opening, p *[]byte, s []Share) []Share { *p = other.prefix; return s }, ErrDigest},
		{"coordinator alters a share", func(_ *Opening, _ *[]byte, s []Share) []Share { s[1].Data = flip(s[1].Data, 500); return s }, ErrDigest},
		{"share missing", func(_ *Opening, _ *[]byte, s []Share) []Share { return s[:1] }, ErrActiveSet},
		{"share twice", func(_ *Opening, _ *[]byte, s []Share) []Share { return []Share{s[0], s[0]} }, ErrActiveSet},
		{"one share too many", func(_ *Opening, _ *[]byte, s []Share) []Share { return append(s, s[0]) }, ErrActiveSet},
		{"share of an inactive server", func(_ *Opening, _ *[]byte, s []Share) []Share { s[1].Server = 3; return s }, ErrActiveSet},
		{"share of another opening", func(_ *Opening, _ *[]byte, s []Share) []Share { s[1].Context[0]++; return s }, ErrDigest},
		{"other query id", func(o *Opening, _ *[]byte, s []Share) []Share { o.Query[0]++; return s }, ErrDigest},
		{"other K", func(o *Opening, _ *[]byte, s []Share) []Share { o.K = 5; return s }, ErrDigest},
		{"K = 0", func(o *Opening, _ *[]byte, s []Share) []Share { o.K = 0; return s }, ErrCount},
		{"K > N", func(o *Opening, _ *[]byte, s []Share) []Share { o.K = 17; return s }, ErrCount},
		{"other epoch", func(o *Opening, _ *[]byte, s []Share) []Share { o.Epoch = 2; return s }, ErrEpoch},
		{"other querier key", func(o *Opening, _ *[]byte, s []Share) []Share { o.QuerierKey = other.o.QuerierKey; return s }, ErrDigest},
		{"other list", func(o *Opening, _ *[]byte, s []Share) []Share { o.Ciphertexts = other.o.Ciphertexts; return s }, ErrDigest},
		{"other sum", func(o *Opening, _ *[]byte, s []Share) []Share { o.C1[0]++; return s }, ErrDigest},
	} {
		o, prefix := q.o.clone(), q.prefix
		s := tt.change(&o, &prefix, slices.Clone(shares))
		if _, err := q.key.Open(net.crs.Committee, o, prefix, s); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
	// A share whose recorded digest is right but whose bytes are not a share.
	bad := slices.Clone(shares)
	bad[1].Data = bad[1].Data[:len(bad[1].Data)-1]
	bad[1].Digest = DigestOf(bad[1].Data)
	if _, err := q.key.Open(net.crs.Committee, q.o, q.prefix, bad); !errors.Is(err, ErrEncoding) {
		t.Errorf("short share: error %v, want %v", err, ErrEncoding)
	}
}

// TestOpeningContextBindsEverything: changing any field changes octx.
func TestOpeningContextBindsEverything(t *testing.T) {
	c := tiny(t, 16)
	base := Opening{Epoch: 1, Attempt: 1, K: 4, Ciphertexts: []Digest{{1}, {2}}, Active: []int{1, 2}}
	want := c.OpeningContext(base)
	seen := map[Digest]string{want: "base"}
	for name, change := range map[string]func(*Opening){
		"epoch":       func(o *Opening) { o.Epoch = 2 },
		"query":       func(o *Opening) { o.Query[31] = 1 },
		"attempt":     func(o *Opening) { o.Attempt = 2 },
		"K":           func(o *Opening) { o.K = 5 },
		"list order":  func(o *Opening) { o.Ciphertexts = []Digest{{2}, {1}} },
		"list length": func(o *Opening) { o.Ciphertexts = o.Ciphertexts[:1] },
		"c0":          func(o *Opening) { o.C0[0] = 1 },
		"c1":          func(o *Opening) { o.C1[0] = 1 },
		"querier key": func(o *Opening) { o.QuerierKey[0] = 1 },
		"active set":  func(o *Opening) { o.Active = []int{1, 3} },
	} {
		o := base.clone()
		change(&o)
		d := c.OpeningContext(o)
		if old, ok := seen[d]; ok {
			t.Errorf("%s: the same context as %s", name, old)
		}
		seen[d] = name
	}
	if got := tiny(t, 32).OpeningContext(base); got == want {
		t.Error("params id is not part of the context")
	}
}

// TestShamirLeak keeps the reason for replicated sub-keys. With 2-of-3 Shamir
// shares, the querier and a corrupt server outside the active set reduce an
// honest share to (p/d)·x + e_sm, x the noise to be hidden; times d there is no
// wrap-around left, and x mod d is exact. With sub-keys the same computation
// guesses at chance level.
func TestShamirLeak(t *testing.T) {
	c := std(t)
	for _, tt := range []struct {
		active [2]int64
		p, d   int64 // Lagrange factor of s once the corrupt share is removed
	}{
		{[2]int64{1, 2}, 4, 3}, // lambda_1 = 2; p(1) = 2/3·s + 1/3·p(3)
		{[2]int64{1, 3}, 3, 4}, // lambda_1 = 3/2; p(1) = 1/2·s + 1/2·p(2)
	} {
		t.Run(fmt.Sprint("active ", tt.active), func(t *testing.T) {
			shamir, ours := shamirGuesses(t, c, tt.p, tt.d)
			if shamir != 4096 {
				t.Errorf("Shamir: %d of 4096 residues mod %d found, the documented leak is all", shamir, tt.d)
			}
			chance := 4096 / float64(tt.d)
			sigma := math.Sqrt(chance * (1 - 1/float64(tt.d)))
			if z := (float64(ours) - chance) / sigma; math.Abs(z) > 5 {
				t.Errorf("sub-keys: %d of 4096 residues mod %d found, chance is %.0f ± %.0f", ours, tt.d, chance, sigma)
			}
		})
	}
}

// shamirGuesses returns how many x mod d an attacker finds: once from a share
// with key factor p/d, once from a share of sub-keys. In both, x = s·c1 + known
// is the noise of one ciphertext, and what the attacker knows is removed.
func shamirGuesses(t *testing.T, c *Context, p, d int64) (shamir, ours int) {
	t.Helper()
	s, pk := katKey(t, c)
	ct := katCiphertext(t, c, pk)
	noise := c.noise(c.phase(ct.c0, ct.c1, s), katMessage())
	esm := c.newPoly()
	if err := c.smudge(katReader("shamir"), esm, 4096); err != nil {
		t.Fatal(err)
	}
	residue := func(v *big.Int) int64 { return new(big.Int).Mod(v, bigInt(d)).Int64() }
	inv := new(big.Int).ModInverse(bigInt(d), c.bigQ())
	factor := new(big.Int).Mul(bigInt(p), inv) // p/d modulo Q
	out := c.newPoly()
	for i, x := range noise {
		e := c.signed(esm, i)
		guess := func(share *big.Int) int64 { // d·share mod Q, centred, then times p^-1 mod d
			c.setValue(out, i, share.Mul(share, bigInt(d)))
			v := c.signed(out, i)
			return residue(v.Mul(v, new(big.Int).ModInverse(bigInt(p), bigInt(d))))
		}
		share := new(big.Int).Mul(factor, x)
		if guess(share.Add(share, e)) == residue(x) {
			shamir++
		}
		// Sub-keys enter whole: the reduced share is x + e_sm. Nothing cancels
		// e_sm modulo d, so d times it says nothing; the best guess is x + e_sm.
		if residue(new(big.Int).Add(x, e)) == residue(x) {
			ours++
		}
	}
	return shamir, ours
}

// TestCorruptServerOutsideTheActiveSet runs the second half of the attack on the
// real protocol: server 3 and the querier against server 1 of S = {1,2}. All
// they can remove is server 3's sub-keys; what is left hides x mod 2, 3, 4.
func TestCorruptServerOutsideTheActiveSet(t *testing.T) {
	c := std(t)
	net := newNetwork(t, c, 1, 3, 2)
	q := net.ask(t, "q", 4096, []int{1, 2}, net.encrypt(t, 1))
	ct, err := c.ParseCiphertext(1, q.cts[0])
	if err != nil {
		t.Fatal(err)
	}
	share := q.shares(t)[0]
	h0, h1 := c.newPoly(), c.newPoly()
	if err := c.parseShare(1, 4096, share.Data, h0, h1); err != nil {
		t.Fatal(err)
	}
	// The querier removes its key; the colluders add c0 and their own sub-keys'
	// part of s·c1: {2,3}, which server 2 used. {1,3} is in the share already.
	x := c.phase(h0, h1, q.key.s)
	known := c.phase(ct.c0, ct.c1, net.keys[2].subs[net.sets[2]])
	c.f.add(x, known, x)
	hidden := c.noise(c.phase(ct.c0, ct.c1, net.secret(t)), []uint16{1})
	seen := c.noise(x, []uint16{1})
	for _, d := range []int64{2, 3, 4} {
		found := 0
		for i := range hidden {
			diff := new(big.Int).Sub(seen[i], hidden[i])
			if diff.CmpAbs(new(big.Int).Lsh(bigInt(1), 73)) > 0 {
				t.Fatalf("coefficient %d: the attacker's view is not noise plus smudging", i)
			}
			if new(big.Int).Mod(diff, bigInt(d)).Sign() == 0 {
				found++
			}
		}
		chance := 4096 / float64(d)
		sigma := math.Sqrt(chance * (1 - 1/float64(d)))
		if z := (float64(found) - chance) / sigma; math.Abs(z) > 5 {
			t.Errorf("%d of 4096 residues mod %d found, chance is %.0f ± %.0f", found, d, chance, sigma)
		}
	}
}
