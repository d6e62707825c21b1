package ecg

import (
	"math"
	"testing"
)

// bump is a Gaussian beat of half width sigma ms, height uV, at t ms.
func bump(t, at, sigma, height float64) float64 {
	return height * math.Exp(-(t-at)*(t-at)/(2*sigma*sigma))
}

// isStepAt runs f, uV over ms, through the filter for so many ms, and asks
// whether a filtered peak that belongs to 1000 ms is a step.
func isStepAt(hz int64, until float64, f func(ms float64) float64) bool {
	p := newFilter(config(hz).lengths())
	for i := int64(0); float64(1000*i) < until*float64(hz); i++ {
		p.put(int32(math.Round(f(float64(1000*i) / float64(hz)))))
	}
	return p.isStep(hz + p.delay)
}

func TestWhatIsAStep(t *testing.T) {
	up := func(t float64) float64 { return map[bool]float64{true: 1000}[t >= 1000] }
	ramp := func(ms float64) func(float64) float64 {
		return func(t float64) float64 { return 1000 * min(max((t-1000)/ms, 0), 1) }
	}
	tests := []struct {
		name  string
		until float64 // ms
		f     func(float64) float64
		want  bool
	}{
		{"up", 1200, up, true},
		{"down", 1200, func(t float64) float64 { return -up(t) }, true},
		{"on wander of a third of it", 1200, func(t float64) float64 { return up(t) + 170*math.Sin(t/400) }, true},
		{"with a beat of a fifth of its size behind it", 1200, func(t float64) float64 { return up(t) + bump(t, 1050, 11, 200) }, true},
		{"with a beat of twice its size behind it", 1200, func(t float64) float64 { return up(t) + bump(t, 1050, 11, 2000) }, false},
		{"with a beat of twice its size before it", 1200, func(t float64) float64 { return up(t) + bump(t, 950, 11, 2000) }, false},
		{"nothing", 1200, func(float64) float64 { return 0 }, false},
		{"a pacer's spike", 1200, func(t float64) float64 { return up(t) - up(t-9) }, false},
		{"back after 90 ms", 1200, func(t float64) float64 { return up(t) - up(t-90) }, false},
		{"back after 150 ms", 1200, func(t float64) float64 { return up(t) - up(t-150) }, true},
		{"90 ms after another", 1200, func(t float64) float64 { return up(t) - 0.6*up(t+90) }, false},
		{"a QRS", 1200, func(t float64) float64 { return bump(t, 1000, 11, 1000) }, false},
		{"a narrow QRS on a new level", 1200, func(t float64) float64 { return bump(t, 1000, 8, 1000) + bump(min(t, 1300), 1300, 100, 600) }, false},
		{"a wide QRS", 1200, func(t float64) float64 { return bump(t, 1060, 35, 1000) }, false},
		{"a ramp of 40 ms", 1200, ramp(40), false},
		{"99 ms before the end: not known", 1000 + 99, up, false},
		{"120 ms before the end", 1000 + 120, up, true},
	}
	for _, tt := range tests {
		for _, hz := range []int64{130, 250, 360, 500, 1000} {
			if got := isStepAt(hz, tt.until, tt.f); got != tt.want {
				t.Errorf("%d Hz: %s: isStep = %v, want %v", hz, tt.name, got, tt.want)
			}
		}
	}
}

// The jump must be half of what moves, and at 130 Hz, where one sample lasts
// 7.7 ms, 10 % for each of them.
func TestShareOfAStep(t *testing.T) {
	for _, tt := range []struct {
		hz    int64
		dip   float64 // uV, before a jump of 1000 uV
		want  bool
		share string
	}{
		{360, 1000, true, "half"}, {360, 1010, false, "less than half"},
		{130, 290, true, "77.5 %"}, {130, 310, false, "76 %"},
	} {
		got := isStepAt(tt.hz, 1200, func(t float64) float64 {
			switch {
			case t > 905 && t < 930:
				return -tt.dip
			case t >= 1000:
				return 1000
			}
			return 0
		})
		if got != tt.want {
			t.Errorf("%d Hz, a jump of %s: isStep = %v, want %v", tt.hz, tt.share, got, tt.want)
		}
	}
}

// At the start of a segment nobody knows the level before the jump.
func TestStepNeedsALevelBeforeIt(t *testing.T) {
	for _, tt := range []struct {
		at   int64
		want bool
	}{{103, false}, {104, true}} {
		f := newFilter(config(1000).lengths())
		for i := range int64(500) {
			f.put(map[bool]int32{true: 1000}[i >= tt.at])
		}
		if got := f.isStep(tt.at + f.delay); got != tt.want {
			t.Errorf("step after %d ms: isStep = %v, want %v", tt.at, got, tt.want)
		}
	}
}

// What the ring still holds from before is not the level behind the jump.
func TestStepNeedsALevelBehindIt(t *testing.T) {
	f := newFilter(config(1000).lengths())
	for i := range f.ring + 50 { // samples ring+50 and on are still those of 50 and on
		f.put(map[bool]int32{true: 1000}[i < 300 || i >= f.ring])
	}
	if f.isStep(f.ring + f.delay) {
		t.Error("isStep with 50 ms behind the jump, want false")
	}
}
