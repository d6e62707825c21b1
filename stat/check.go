package stat

import (
	"fmt"
	"math/bits"
)

// check refuses sums that contradict each other: relations that hold for every
// set of beats, so that an honest cohort never fails. Without zero-knowledge
// proofs it is the querier's only defence against careless invention, and no
// defence at all against careful invention.
func (s *Sums) check() error {
	const maxDiff = MaxRR - MinRR
	rules := []struct {
		text  string
		needs []int
		holds bool
	}{
		{"patients without beats", []int{valueN}, s.N >= s.Patients && (s.N == 0) == (s.Patients == 0)},
		{"sum outside count·[200, 3000]", []int{valueN, valueS1}, between(s.S1, s.N, MinRR, MaxRR)},
		{"sum of squares outside sum·[200, 3000]", []int{valueS1, valueS2}, between(s.S2, s.S1, MinRR, MaxRR)},
		{"squares below sum²/count", []int{valueN, valueS1, valueS2}, atMost(s.S1, s.S1, s.N, s.S2)},
		{"within-patient squares above all squares", []int{valueS2, valueWRR}, s.WRR <= s.S2},
		{"heart rates outside count·[200, 3000]", []int{valueN, valueH1}, between(s.H1, s.N, MinRR, maxRate)},
		{"squared heart rates outside sum·[200, 3000]", []int{valueH1, valueH2}, between(s.H2, s.H1, MinRR, maxRate)},
		{"squared heart rates below sum²/count", []int{valueN, valueH1, valueH2}, atMost(s.H1, s.H1, s.N, s.H2)},
		{"within-patient squares above all squared heart rates", []int{valueH2, valueWH}, s.WH <= s.H2},
		{"more pairs than beats", []int{valueN, valueM}, s.M <= s.N},
		{"squared differences above pairs·2800²", []int{valueM, valueD2}, atMost(s.D2, 1, s.M, maxDiff*maxDiff)},
		{"more NN50 than pairs", []int{valueM, valueNN50}, s.NN50 <= s.M},
		{"NN50 without differences", []int{valueD2, valueNN50}, atMost(s.NN50, 51*51, s.D2, 1)},
		{"more irregular pairs than pairs", []int{valueM, valueNIRR}, s.NIRR <= s.M},
	}
	for _, r := range rules {
		if s.Sel.hasAll(r.needs) && !r.holds {
			return fmt.Errorf("%s: %w", r.text, ErrImpossible)
		}
	}
	return s.checkBins()
}

func (s *Sums) checkBins() error {
	if !s.Sel.Histogram() || !s.Sel.has(valueN) {
		return nil
	}
	var n uint64 // 64 bins of at most 2^40 cannot wrap
	for _, b := range s.Bins {
		n += b
	}
	if n != s.N {
		return fmt.Errorf("histogram does not add up to the count: %w", ErrImpossible)
	}
	return nil
}

func (s Selection) hasAll(values []int) bool {
	for _, v := range values {
		if !s.has(v) {
			return false
		}
	}
	return true
}

// atMost tells whether a·b <= c·d, without wrapping.
func atMost(a, b, c, d uint64) bool {
	abHi, abLo := bits.Mul64(a, b)
	cdHi, cdLo := bits.Mul64(c, d)
	return abHi < cdHi || abHi == cdHi && abLo <= cdLo
}

// between tells whether n·lo <= sum <= n·hi.
func between(sum, n, lo, hi uint64) bool { return atMost(n, lo, sum, 1) && atMost(sum, 1, n, hi) }
