package stat

import (
	"bytes"
	"fmt"
)

// openedNames are the JSON names and units of the opened integers, in plaintext
// order.
var openedNames = [numValues]struct{ name, unit string }{
	{"patients", "1"}, {"count", "1"}, {"sum", "ms"}, {"sum_squares", "ms2"},
	{"pairs", "1"}, {"sum_squared_differences", "ms2"}, {"nn50", "1"}, {"irregular_pairs", "1"},
	{"sum_heart_rate", "0.1/min"}, {"sum_squares_heart_rate", "0.01/min2"},
	{"observed_seconds", "s"}, {"rejected_beats", "1"},
	{"within_squares", "ms2"}, {"within_squares_heart_rate", "0.01/min2"},
}

// opened lists the selected integers. Bins are hidden like the histogram's
// cells: both are shown to the same reader. If the histogram has wider bins, the
// fine ones are left out: the difference of the two would show hidden cells.
func (c computation) opened() Opened {
	out := Opened{{Name: "providers", Unit: "1", Sum: c.s.Providers}}
	for j, v := range c.s.values() {
		if c.s.Sel.has(j) {
			out = append(out, OpenedSum{Name: openedNames[j].name, Unit: openedNames[j].unit, Sum: *v})
		}
	}
	merged := c.q.Bins != 0 && c.q.Bins != NumBins
	if c.s.Sel.Histogram() && !(c.k > 1 && merged) {
		out = append(out, OpenedSum{Name: "bins", Unit: "1", Bins: c.hideSmall(c.s.Bins[:])})
	}
	return out
}

// Get returns the named integer.
func (o Opened) Get(name string) (uint64, bool) {
	for _, s := range o {
		if s.Name == name {
			return s.Sum, true
		}
	}
	return 0, false
}

// MarshalJSON writes {"count":302400,"sum":…}; null if everything is hidden.
func (o Opened) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, s := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		var v any = s.Sum
		if s.Bins != nil {
			v = s.Bins
		}
		if err := writeMember(&b, s.Name, v); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// note says in words what a reader of r must know.
func (c computation) note(r *Result) {
	s := c.s
	add := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	if s.N == 0 {
		add("no accepted beats in this window: the value is absent")
	} else if r.Value.Absent() && len(r.Notes) == 0 {
		add("too few beats in this window: the value is absent")
	}
	if 10*s.REJ > s.N+s.REJ && s.N > 0 {
		// SDNN and RMSSD are not robust: in atrial fibrillation the 20 % rule
		// drops 37 to 62 % of the beats.
		add("%s %% of the beats were rejected: read variability with care", decimal(times(fraction(s.REJ, s.N+s.REJ), 100, 1)).short())
	}
	if c.q.Signal == HR {
		switch c.q.Statistic {
		case Mean, Series, Summary:
			add("heart rate is beats per time, 60000/mean RR; the mean of instantaneous rates is a different number")
		}
		switch c.q.Statistic {
		case Sum, Variance, StdDev, Series, Summary:
			add("sums, variances and deviations are of instantaneous heart rates")
		}
	}
	if c.q.Statistic == Arrhythmia {
		add(Hint)
	}
	if r.Parts != nil && c.q.Statistic != Variance {
		add("parts split the variance, not its root")
	}
}

// short cuts d to one decimal place, for sentences.
func (d Decimal) short() string {
	for i := range d {
		if d[i] == '.' && i+2 < len(d) {
			return string(d[:i+2])
		}
	}
	return string(d)
}
