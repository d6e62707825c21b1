// Package screen looks for rhythms that a doctor may want to see: too fast, too
// slow, pausing, irregular. Pure integers, one interval at a time.
//
//	RR, RR, ─gap─ RR ──▶ Counter ──▶ {windows, irregular, tachycardia, bradycardia, pauses}
//
// Every figure is a screening hint, not a diagnosis, and this is not a medical
// device. Intervals must be raw: cleaning removes what this looks for. Frequent
// ectopic beats (records 119, 200, 208 of MIT-BIH) look irregular, too, so the
// word is "irregular", never "atrial fibrillation".
package screen

import (
	"errors"
	"fmt"
	"slices"
)

// Window is how many intervals are judged together for irregularity.
const Window = 128

// run is how many intervals in a row decide on a fast or slow rhythm.
const run = 10

// MinRR and MaxRR bound a plausible interval, ms, inclusive; others end a run
// and a window.
const (
	MinRR = 200
	MaxRR = 3000
)

// Limits are the thresholds; the zero value of a field means its default.
type Limits struct {
	TachySumMS int32 `json:"tachy_sum_ms"` // ten intervals that sum to less are fast: 6000, 100/min
	BradySumMS int32 `json:"brady_sum_ms"` // ten that sum to more are slow: 12000, 50/min
	PauseMS    int32 `json:"pause_ms"`     // a longer interval is a pause: 3000; 2000 is stricter
	Irregular  int32 `json:"irregular"`    // of 127 differences so many make a window irregular: 73
	DifferPart int32 `json:"differ_part"`  // a difference counts if it exceeds median/part: 16, 6.25 %
}

// WithDefaults fills zero fields.
func (l Limits) WithDefaults() Limits {
	for _, f := range []struct {
		v    *int32
		want int32
	}{{&l.TachySumMS, 6000}, {&l.BradySumMS, 12_000}, {&l.PauseMS, 3000}, {&l.Irregular, 73}, {&l.DifferPart, 16}} {
		if *f.v == 0 {
			*f.v = f.want
		}
	}
	return l
}

// Validate reports every limit that makes no sense.
func (l Limits) Validate() error {
	l = l.WithDefaults()
	var errs []error
	check := func(name string, v, lo, hi, eg int32) {
		if v < lo || v > hi {
			errs = append(errs, fmt.Errorf("%s: %d is outside [%d, %d], e.g. %d", name, v, lo, hi, eg))
		}
	}
	check("tachy_sum_ms", l.TachySumMS, run*MinRR, l.BradySumMS, 6000)
	check("brady_sum_ms", l.BradySumMS, run*MinRR, run*MaxRR, 12_000)
	check("pause_ms", l.PauseMS, 1000, 60_000, 3000)
	check("irregular", l.Irregular, 1, Window-1, 73)
	check("differ_part", l.DifferPart, 2, 100, 16)
	return errors.Join(errs...)
}

// Counts is what a Counter found. All of it adds up over stretches.
type Counts struct {
	Windows     uint64 `json:"windows"`           // complete windows of 128 intervals
	Irregular   uint64 `json:"irregular_windows"` // flagged ones
	Largest     uint64 `json:"largest_count"`     // most differences over the limit in one window
	Tachycardia uint64 `json:"tachycardia_beats"` // beats that end ten fast intervals
	Bradycardia uint64 `json:"bradycardia_beats"` // beats that end ten slow ones
	Pauses      uint64 `json:"pauses"`
}

// Counter screens one patient's intervals in order. Its memory is constant.
type Counter struct {
	limits Limits
	counts Counts

	last [run]int32 // the last intervals of the run, a ring
	n    int64      // intervals of the run
	sum  int32      // of last

	window [Window]int32
	filled int
}

// NewCounter returns a counter at the start of a segment.
func NewCounter(l Limits) (*Counter, error) {
	if err := l.Validate(); err != nil {
		return nil, fmt.Errorf("screening limits: %w", err)
	}
	return &Counter{limits: l.WithDefaults()}, nil
}

// Counts returns what was found so far.
func (c *Counter) Counts() Counts { return c.counts }

// Gap ends runs and windows: the next interval follows nothing.
func (c *Counter) Gap() {
	c.n, c.sum, c.filled = 0, 0, 0
	c.last = [run]int32{}
}

// Put takes the next raw interval of the segment, ms. One outside [MinRR,
// MaxRR] may be a pause, and ends runs and windows. It reports whether it
// completed a window, and whether that was irregular.
func (c *Counter) Put(rr int32) (window, irregular bool) {
	if rr > c.limits.PauseMS {
		c.counts.Pauses++
	}
	if rr < MinRR || rr > MaxRR {
		c.Gap()
		return false, false
	}
	c.pace(rr)
	c.window[c.filled] = rr
	c.filled++
	if c.filled < Window {
		return false, false
	}
	c.filled = 0
	return true, c.judge()
}

// pace counts the beats that end ten fast or ten slow intervals.
func (c *Counter) pace(rr int32) {
	c.sum += rr - c.last[c.n%run]
	c.last[c.n%run] = rr
	c.n++
	if c.n < run {
		return
	}
	if c.sum < c.limits.TachySumMS {
		c.counts.Tachycardia++
	}
	if c.sum > c.limits.BradySumMS {
		c.counts.Bradycardia++
	}
}

// judge counts the differences beyond 6.25 % of the window's median.
func (c *Counter) judge() bool {
	sorted := c.window
	slices.Sort(sorted[:])
	median := sorted[Window/2] // the 65th smallest
	count := int32(0)
	for i := 1; i < Window; i++ {
		d := c.window[i] - c.window[i-1]
		if c.limits.DifferPart*max(d, -d) > median {
			count++
		}
	}
	c.counts.Windows++
	c.counts.Largest = max(c.counts.Largest, uint64(count))
	if count < c.limits.Irregular {
		return false
	}
	c.counts.Irregular++
	return true
}
