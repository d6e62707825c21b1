package ecg

// A step of the baseline is no beat: electrodes slip, amplifiers recover, and
// the band-pass answers as it does to a QRS. The raw signal tells them apart.
//
//	        ┌────────  and does not come back to the middle for stepHoldMS
//	........│........  middle of the jump
//	────────┘          it stays on this side of the middle for stepHoldMS
//	     stepRiseMS
//
// A QRS as steep as that is over after a tenth of a second, a pacer's spike in a
// few milliseconds, and a wide QRS is not so steep. No candidate of the shared
// records at 360 Hz is taken for a step.
const (
	stepRiseMS = 4
	stepSeekMS = 60  // how far from the filtered peak a jump is sought
	stepHoldMS = 100 // how long the levels before and after it must last
	stepShare  = 10  // a QRS that lasts makes less than 1/10 of its height in a millisecond
)

// isStep reports that the filtered peak at q answers a step of the raw signal
// and nothing else: a jump of at least half of all that moves around it. A QRS
// of the step's size at the same place is more, so it remains a candidate.
//
// Levels that the segment does not show long enough prove nothing: false.
func (f *filter) isStep(q int64) bool {
	c := q - f.delay
	at, jump := f.steepest(max(c-f.seek, 0), c+f.seek)
	if jump == 0 || at < f.hold || at+f.rise+f.hold >= f.n {
		return false
	}
	below, above := f.span(at-f.hold, at), f.span(at+f.rise, at+f.rise+f.hold)
	if jump < 0 {
		below, above = above, below
	}
	middle2 := int64(f.x[at&f.mask]) + int64(f.x[(at+f.rise)&f.mask]) // twice the middle
	moved := max(below.high, above.high) - min(below.low, above.low)
	jump = abs(jump)
	// One sample at 130 Hz lasts 7.7 ms: there, a jump must be 77 % of what moves.
	return 2*below.high < middle2 && 2*above.low > middle2 &&
		2*jump >= moved && f.second*jump >= 1000/stepShare*f.rise*moved
}

// steepest returns where in [lo, hi] the raw signal moves most within rise
// samples, the first of equals, and by how much.
func (f *filter) steepest(lo, hi int64) (at, jump int64) {
	for i := lo; i <= min(hi, f.n-1)-f.rise; i++ {
		if v := int64(f.x[(i+f.rise)&f.mask]) - int64(f.x[i&f.mask]); abs(v) > abs(jump) {
			at, jump = i, v
		}
	}
	return at, jump
}

type span struct{ low, high int64 }

// span returns the extremes of the raw signal in [lo, hi].
func (f *filter) span(lo, hi int64) span {
	s := span{int64(f.x[lo&f.mask]), int64(f.x[lo&f.mask])}
	for i := lo + 1; i <= hi; i++ {
		v := int64(f.x[i&f.mask])
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
	return s
}
