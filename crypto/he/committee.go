package he

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

const (
	maxSets  = 16 // sub-keys of one committee: a proof each, and a 16-bit mask
	maxOwned = 4  // sub-keys in one share: more would not fit the circuit of its proof
)

// Committee says how many servers hold the collective key and how many of them
// open: any T of N. Servers are numbered 1..N in roster order.
type Committee struct{ N, T int }

// DefaultThreshold returns floor(n/2)+1, so that one of three servers may be
// down, or n where that would need more than 16 sub-keys.
func DefaultThreshold(n int) int {
	if t := n/2 + 1; (Committee{n, t}).Validate() == nil {
		return t
	}
	return n
}

// Validate refuses committees that need more than 16 sub-keys, or more than 4
// in one share, and T = 1 of several servers, where each of them alone could
// read everything.
func (c Committee) Validate() error {
	if c.N < 1 || c.N > maxSets || c.T < 1 || c.T > c.N || c.T == 1 && c.N > 1 {
		return fmt.Errorf("threshold %d of %d servers: %w", c.T, c.N, ErrCommittee)
	}
	if m := binomial(c.N, c.T-1); m > maxSets || m > maxOwned*c.T {
		return fmt.Errorf("threshold %d of %d servers needs %d sub-keys, at most %d: %w",
			c.T, c.N, m, min(maxSets, maxOwned*c.T), ErrCommittee)
	}
	return nil
}

func binomial(n, k int) int {
	r := 1
	for i := range k {
		r = r * (n - i) / (i + 1)
	}
	return r
}

// Sets returns the sets of N-T+1 servers that share a sub-key, in lexicographic
// order; nil if the committee is not valid. Any T servers meet every set; any
// T-1 miss the set of all the others.
func (c Committee) Sets() []Set {
	if c.Validate() != nil {
		return nil
	}
	var sets []Set
	size := c.N - c.T + 1
	var extend func(s Set, from int)
	extend = func(s Set, from int) {
		if s.Len() == size {
			sets = append(sets, s)
			return
		}
		for j := from; j <= c.N; j++ {
			extend(s|1<<(j-1), j+1)
		}
	}
	extend(0, 1)
	return sets
}

// CheckActive requires exactly T servers, ascending, within 1..N.
func (c Committee) CheckActive(active []int) error {
	if err := c.Validate(); err != nil {
		return err
	}
	bad := len(active) != c.T
	for i, j := range active {
		bad = bad || j < 1 || j > c.N || i > 0 && j <= active[i-1]
	}
	if bad {
		return fmt.Errorf("servers %v for %d of %d: %w", active, c.T, c.N, ErrActiveSet)
	}
	return nil
}

// Owners returns, for every set in order, the member of active that uses its
// sub-key: the one that owns fewest so far, lowest index first. So every
// sub-key enters the sum of shares exactly once.
func (c Committee) Owners(active []int) ([]int, error) {
	if err := c.CheckActive(active); err != nil {
		return nil, err
	}
	sets := c.Sets()
	owners := make([]int, len(sets))
	owned := make(map[int]int, len(active))
	for i, s := range sets {
		for _, j := range active {
			if s.Has(j) && (owners[i] == 0 || owned[j] < owned[owners[i]]) {
				owners[i] = j
			}
		}
		owned[owners[i]]++
	}
	return owners, nil
}

// Set is a set of servers that share a sub-key: bit j-1 stands for server j.
// The zero value is empty and never valid.
type Set uint16

// Has reports whether server j is a member.
func (s Set) Has(j int) bool { return j >= 1 && j <= maxSets && s>>(j-1)&1 == 1 }

// Len returns the number of members.
func (s Set) Len() int { return bits.OnesCount16(uint16(s)) }

// Dealer returns the lowest member, who draws the sub-key; 0 if s is empty.
func (s Set) Dealer() int {
	if s == 0 {
		return 0
	}
	return bits.TrailingZeros16(uint16(s)) + 1
}

// Members returns the members, ascending.
func (s Set) Members() []int {
	var m []int
	for j := 1; j <= maxSets; j++ {
		if s.Has(j) {
			m = append(m, j)
		}
	}
	return m
}

// String gives "{1,2}".
func (s Set) String() string {
	var w []string
	for _, j := range s.Members() {
		w = append(w, strconv.Itoa(j))
	}
	return "{" + strings.Join(w, ",") + "}"
}

// checkSet requires one of the committee's sets.
func (c Committee) checkSet(s Set) error {
	if !slices.Contains(c.Sets(), s) {
		return fmt.Errorf("sub-key set %v for %d of %d: %w", s, c.T, c.N, ErrCommittee)
	}
	return nil
}
