package config

import (
	"fmt"
	"math"
)

// Fault models of a ledger, as cluster.yaml spells them.
const (
	Byzantine = "byzantine"
	CrashOnly = "crash-only"
)

// Mode is the promise of a ledger, as its first record carries it.
type Mode int

// The modes. The numbers are stored; never renumber.
const (
	ModeByzantine Mode = 0 // f may lie, and f may stop
	ModeNotLive   Mode = 1 // f may lie, but one that stops, stops the ledger
	ModeCrashOnly Mode = 2 // a verifier that lies is not prevented
)

// CrashOnlyWarning is added to every output of a crash-only cluster.
const CrashOnlyWarning = "CRASH-ONLY LEDGER: a dishonest verifier is not prevented"

// CheckQuorum decides whether q signatures of n verifiers, of which f may lie,
// make a ledger that cannot fork, and what it then promises.
//
//	2q > n+f   two quorums share an honest verifier: no two views are accepted
//	q <= n-f   the honest ones alone are a quorum: f liars cannot stop it
//
// The one exception to the second is 3/1/3, which is safe but not live. With
// f = 0 the mode is crash-only and must be written so.
func CheckQuorum(model string, n, f, q int) (Mode, error) {
	switch {
	case n < 1 || n > MaxVerifiers:
		return 0, fmt.Errorf("%d verifiers: between 1 and %d", n, MaxVerifiers)
	case f < 0 || f >= n:
		return 0, fmt.Errorf("faulty is %d: between 0 and %d for %d verifiers", f, n-1, n)
	case q < 1 || q > n:
		return 0, fmt.Errorf("quorum is %d: between 1 and %d for %d verifiers", q, n, n)
	case 2*q <= n+f:
		return 0, fmt.Errorf("2q > n+f is violated: 2*%d = %d, n+f = %d+%d = %d; two quorums could contradict each other", q, 2*q, n, f, n+f)
	case model == CrashOnly && f != 0:
		return 0, fmt.Errorf("fault_model crash-only promises nothing about liars: faulty must be 0, not %d", f)
	case model == Byzantine && f == 0:
		return 0, fmt.Errorf("faulty is 0: a ledger whose verifiers may not lie is fault_model crash-only")
	case model != CrashOnly && model != Byzantine:
		return 0, fmt.Errorf("unknown fault model %q", model)
	case n == 3 && f == 1 && q == 3:
		return ModeNotLive, nil
	case q > n-f:
		return 0, fmt.Errorf("q <= n-f is violated: q = %d, n-f = %d-%d = %d; %d silent verifier(s) would stop every query", q, n, f, n-f, f)
	case model == CrashOnly:
		return ModeCrashOnly, nil
	}
	return ModeByzantine, nil
}

// DefaultQuorum returns the usual fault model, f and q for n verifiers: the
// largest f that n can bear, and the smallest safe q. Three verifiers are safe
// but not live; one or two are crash-only.
func DefaultQuorum(n int) Ledger {
	switch {
	case n < 3:
		return Ledger{FaultModel: CrashOnly, Faulty: 0, Quorum: n/2 + 1}
	case n == 3:
		return Ledger{FaultModel: Byzantine, Faulty: 1, Quorum: 3}
	}
	f := (n - 1) / 3
	return Ledger{FaultModel: Byzantine, Faulty: f, Quorum: (n+f)/2 + 1}
}

// Describe is the wording of a mode in outputs: "byzantine f=1, not live".
func (m Mode) Describe(f int) string {
	switch m {
	case ModeCrashOnly:
		return CrashOnly
	case ModeNotLive:
		return fmt.Sprintf("byzantine f=%d, not live", f)
	default:
		return fmt.Sprintf("byzantine f=%d", f)
	}
}

// SubKeys returns C(n, t-1), the number of sub-keys of a t-of-n collective key,
// or MaxInt where that does not fit.
func SubKeys(n, t int) int {
	if t < 1 || t > n {
		return 0
	}
	c := uint64(1)
	for i := range t - 1 {
		c = c * uint64(n-i) / uint64(i+1)
		if c > math.MaxInt32 {
			return math.MaxInt
		}
	}
	return int(c)
}

// DefaultThreshold returns floor(n/2)+1, or n where that needs too many
// sub-keys.
func DefaultThreshold(n int) int {
	if t := n/2 + 1; SubKeys(n, t) <= MaxSubKeys {
		return t
	}
	return n
}
