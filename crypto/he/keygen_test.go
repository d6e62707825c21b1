package he

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestCommitteeSets(t *testing.T) {
	for _, tt := range []struct {
		com  Committee
		want string
	}{
		{Committee{3, 2}, "[{1,2} {1,3} {2,3}]"},
		{Committee{3, 3}, "[{1} {2} {3}]"},
		{Committee{4, 3}, "[{1,2} {1,3} {1,4} {2,3} {2,4} {3,4}]"},
		{Committee{1, 1}, "[{1}]"},
	} {
		if got := fmt.Sprint(tt.com.Sets()); got != tt.want {
			t.Errorf("sets of %v = %s, want %s", tt.com, got, tt.want)
		}
	}
	if got := (Committee{3, 2}).Sets()[1].Dealer(); got != 1 {
		t.Errorf("dealer of {1,3} = %d, want 1", got)
	}
}

func TestCommitteeValidate(t *testing.T) {
	for _, tt := range []struct {
		com Committee
		ok  bool
	}{
		{Committee{0, 0}, false}, {Committee{1, 1}, true}, {Committee{2, 1}, false}, {Committee{2, 2}, true},
		{Committee{3, 1}, false}, {Committee{3, 2}, true}, {Committee{3, 4}, false}, {Committee{5, 3}, true},
		{Committee{6, 4}, false}, {Committee{7, 4}, false}, {Committee{6, 6}, true}, {Committee{16, 16}, true},
		{Committee{16, 2}, false}, {Committee{6, 3}, false}, {Committee{6, 2}, true}, {Committee{17, 17}, false}, {Committee{3, 0}, false}, {Committee{-1, -1}, false},
	} {
		if err := tt.com.Validate(); (err == nil) != tt.ok {
			t.Errorf("Validate(%v) = %v, want ok = %v", tt.com, err, tt.ok)
		} else if err != nil && !errors.Is(err, ErrCommittee) {
			t.Errorf("Validate(%v) = %v, want %v", tt.com, err, ErrCommittee)
		}
	}
	for n, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 6, 7: 7, 16: 16} {
		if got := DefaultThreshold(n); got != want {
			t.Errorf("DefaultThreshold(%d) = %d, want %d", n, got, want)
		}
	}
}

// TestOwners checks the law: in every active set every sub-key has exactly one
// owner, who holds it, and nobody owns more than 4.
func TestOwners(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for th := 1; th <= n; th++ {
			com := Committee{n, th}
			if com.Validate() != nil {
				continue
			}
			for _, active := range subsets(n, th) {
				owners, err := com.Owners(active)
				if err != nil {
					t.Fatal(err)
				}
				owned := map[int]int{}
				for i, s := range com.Sets() {
					if !s.Has(owners[i]) || !slices.Contains(active, owners[i]) {
						t.Errorf("%v active %v: owner of %v is %d", com, active, s, owners[i])
					}
					if owned[owners[i]]++; owned[owners[i]] > 4 {
						t.Errorf("%v active %v: server %d owns more than 4", com, active, owners[i])
					}
				}
			}
		}
	}
	owners, _ := Committee{3, 2}.Owners([]int{1, 2})
	if got, want := fmt.Sprint(owners), "[1 1 2]"; got != want {
		// {1,2} goes to 1 (lowest), {1,3} can only go to 1, {2,3} only to 2.
		t.Errorf("owners of 2 of 3 in {1,2} = %s, want %s", got, want)
	}
}

func TestRogueNonceIsRefused(t *testing.T) {
	c := tiny(t, 16)
	var m []Member
	for i := 1; i <= 3; i++ {
		nonce := [32]byte{byte(i)}
		m = append(m, Member{ID: "s", Key: []byte{1}, Nonce: nonce, Commit: c.NonceCommit(5, i, nonce)})
	}
	first, err := c.NewCRS(5, 2, m)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(){
		"another nonce":      func() { m[2].Nonce[0]++ },
		"another commitment": func() { m[2].Commit[0]++ },
		"another's place":    func() { m[2].Nonce, m[2].Commit = m[1].Nonce, m[1].Commit },
	} {
		saved := m[2]
		change()
		if _, err := c.NewCRS(5, 2, m); !errors.Is(err, ErrCommitment) {
			t.Errorf("%s: error %v, want %v", name, err, ErrCommitment)
		}
		m[2] = saved
	}
	if _, err := c.NewCRS(6, 2, m); !errors.Is(err, ErrCommitment) {
		t.Errorf("nonces of another epoch: error %v, want %v", err, ErrCommitment)
	}
	third, _ := c.NewCRS(5, 3, m)
	if first.Value == third.Value {
		t.Error("threshold is not part of the common random string")
	}
}

func TestNewPublicKeyRefuses(t *testing.T) {
	c := tiny(t, 16)
	net, old := newNetwork(t, c, 2, 3, 2), newNetwork(t, c, 1, 3, 2)
	alter := func(r *PublicSubKey) *PublicSubKey {
		x := *r
		x.b = r.b.clone()
		x.b[0][3] ^= 1
		return &x
	}
	copied := *net.reveals[0]
	copied.set = net.sets[1]
	for _, tt := range []struct {
		name    string
		commits []Digest
		reveals []*PublicSubKey
		want    error
	}{
		{"nothing", nil, nil, ErrCommittee},
		{"one sub-key missing", net.commits[:2], net.reveals[:2], ErrCommittee},
		{"a nil sub-key", net.commits, []*PublicSubKey{net.reveals[0], nil, net.reveals[2]}, ErrCommittee},
		{"wrong order", net.commits, []*PublicSubKey{net.reveals[1], net.reveals[0], net.reveals[2]}, ErrCommittee},
		{"altered after the commitment", net.commits, []*PublicSubKey{net.reveals[0], alter(net.reveals[1]), net.reveals[2]}, ErrCommitment},
		{"another epoch's", old.commits, old.reveals, ErrEpoch},
		{"the same b for two sets", []Digest{net.commits[0], copied.Commit(), net.commits[2]},
			[]*PublicSubKey{net.reveals[0], &copied, net.reveals[2]}, ErrCommitment},
	} {
		if _, err := c.NewPublicKey(net.crs, tt.commits, tt.reveals); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestWrongSeedIsAComplaint: a dealer sends a wrong seed, or none, to a member.
func TestWrongSeedIsAComplaint(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	good := net.seedsOf(t, 3) // {1,3} and {2,3}
	if err := c.CheckSeed(net.crs, good[0], net.reveals[1]); err != nil {
		t.Errorf("right seed: %v", err)
	}
	b := bytes.Clone(net.seeds[net.sets[1]])
	b[len(b)-1] ^= 1
	wrong, err := c.ParseSeed(net.crs, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSeed(net.crs, wrong, net.reveals[1]); !errors.Is(err, ErrSeed) {
		t.Errorf("wrong seed: error %v, want %v", err, ErrSeed)
	}
	if err := c.CheckSeed(net.crs, good[0], net.reveals[2]); !errors.Is(err, ErrCommittee) {
		t.Errorf("seed of another set: error %v, want %v", err, ErrCommittee)
	}
	foreign := net.seedsOf(t, 1)[0] // {1,2}
	for _, tt := range []struct {
		name  string
		seeds []*Seed
		want  error
	}{
		{"wrong", []*Seed{wrong, good[1]}, ErrSeed},
		{"missing", good[:1], ErrSeed},
		{"none", nil, ErrSeed},
		{"twice", []*Seed{good[0], good[0], good[1]}, ErrCommittee},
		{"of a set without it", append(slices.Clone(good), foreign), ErrCommittee},
		{"nil", []*Seed{good[0], nil}, ErrCommittee},
	} {
		if _, err := c.NewServerKey(3, net.crs, tt.seeds, net.reveals); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, j := range []int{0, 4, -1} {
		if _, err := c.NewServerKey(j, net.crs, nil, net.reveals); !errors.Is(err, ErrCommittee) {
			t.Errorf("server %d without seeds: error %v, want %v", j, err, ErrCommittee)
		}
	}
	next := newNetwork(t, c, 2, 3, 2)
	if _, err := c.NewServerKey(3, next.crs, good, next.reveals); !errors.Is(err, ErrEpoch) {
		t.Errorf("seeds of the epoch before: error %v, want %v", err, ErrEpoch)
	}
	if _, err := c.NewServerKey(3, CRS{Epoch: 9, Committee: net.crs.Committee, Value: net.crs.Value}, good, net.reveals); !errors.Is(err, ErrEpoch) {
		t.Errorf("another epoch: error %v, want %v", err, ErrEpoch)
	}
}

// TestSeedIsBoundToEpochSetAndParams: the same 32 bytes give other sub-keys
// elsewhere, so a replayed seed message is of no use.
func TestSeedIsBoundToEpochSetAndParams(t *testing.T) {
	c := tiny(t, 16)
	var v [32]byte
	first, err := c.expandSeed(&Seed{epoch: 1, set: 3, value: &v})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Seed{
		"epoch": {epoch: 2, set: 3, value: &v},
		"set":   {epoch: 1, set: 5, value: &v},
	} {
		w, err := c.expandSeed(s)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(w.S, first.S) {
			t.Errorf("sub-key does not depend on the %s", name)
		}
	}
}

func TestContributionSurvivesARestart(t *testing.T) {
	c := tiny(t, 16)
	crs := newCRS(t, c, 3, 3, 2)
	k, err := c.Contribute(crs, 3)
	if err != nil {
		t.Fatal(err)
	}
	file, err := k.Export()
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.RestoreContribution(crs, file)
	if err != nil {
		t.Fatal(err)
	}
	if again.Commit() != k.Commit() || !bytes.Equal(again.Reveal().Bytes(), k.Reveal().Bytes()) {
		t.Error("restored contribution reveals something else")
	}
	if !slices.Equal(again.Witness().S, k.Witness().S) || !slices.Equal(again.Witness().E, k.Witness().E) {
		t.Error("restored contribution has another witness")
	}
	if _, err := c.Contribute(crs, 1); !errors.Is(err, ErrCommittee) {
		t.Errorf("set of the wrong size: error %v, want %v", err, ErrCommittee)
	}
}

func TestQuerierKeySurvivesARestart(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	q := net.ask(t, "q", 4, []int{1, 2}, net.encrypt(t, 5, 6, 7))
	shares := q.shares(t)
	file, err := q.key.Export()
	if err != nil {
		t.Fatal(err)
	}
	q.key.Destroy()
	if _, err := q.key.Open(net.crs.Committee, q.o, q.prefix, shares); !errors.Is(err, ErrClosed) {
		t.Errorf("destroyed key: error %v, want %v", err, ErrClosed)
	}
	if q.key, err = c.RestoreQuerierKey(1, file); err != nil {
		t.Fatal(err)
	}
	q.wantOpen(t, shares, 5, 6, 7)
}

// TestSharePublic checks B_j = e - a·sigma_j with small e: what a share's proof
// will be relative to.
func TestSharePublic(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 4, 3)
	for _, active := range subsets(4, 3) {
		for _, j := range active {
			sigma, err := net.keys[j-1].sigma(active)
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.SharePublic(net.crs, active, j, net.reveals)
			if err != nil {
				t.Fatal(err)
			}
			e := c.phase(&poly{r.Q0, r.Q1}, c.commonPoly(net.crs.Value), sigma)
			for i := range c.params.N {
				if v := c.signed(e, i); v.CmpAbs(bigInt(4*cbdBits)) > 0 {
					t.Fatalf("active %v, server %d: error %v, want at most 84", active, j, v)
				}
			}
		}
	}
	if _, err := c.SharePublic(net.crs, []int{1, 2}, 1, net.reveals); !errors.Is(err, ErrActiveSet) {
		t.Errorf("two of three active: error %v, want %v", err, ErrActiveSet)
	}
	if _, err := c.SharePublic(net.crs, []int{1, 2, 3}, 1, net.reveals[1:]); !errors.Is(err, ErrCommittee) {
		t.Errorf("a sub-key missing: error %v, want %v", err, ErrCommittee)
	}
}
