package stat

import (
	"bytes"
	"encoding/json"
	"math/big"
)

// IrregularityPPM is the threshold of the screening flag on the irregularity of
// a window, (NIRR+REJ)/(M+REJ), in parts per million: the flag is raised at or
// above it.
//
// It was set by Youden's index against the raw rule (128 uncleaned intervals,
// irregular when 73 of 127 differences exceed 6.25 % of their median) on the
// annotated beats of 12 records of the MIT-BIH Arrhythmia Database, cut into
// five-minute epochs whose truth is the majority of their raw windows:
//
//	epochs   69: 25 flagged rightly, 1 missed, 40 quiet rightly, 3 flagged wrongly
//	             sensitivity 0.962, specificity 0.930 against the raw index
//	records  12: all 12 as the raw index (5 irregular; any threshold in 0.49..0.66)
//
// The threshold was chosen on the records it is stated for, so the error on new
// ones will be larger. Like the raw rule it flags frequent ectopic beats as well
// as atrial fibrillation, and a cohort's index is an average over its patients.
const IrregularityPPM = 580_000

func (c computation) histogram() HistogramValue {
	n := c.q.Bins
	if n == 0 {
		n = NumBins
	}
	bins := merge(cells(c.s, c.q.Signal), n)
	counts := make([]uint64, n)
	for i, b := range bins {
		counts[i] = b.count
	}
	v := HistogramValue{Unit: c.unit()}
	for i, shown := range c.hideSmall(counts) {
		v.Bins = append(v.Bins, HistogramBin{decimal(bins[i].from), decimal(bins[i].to), shown})
	}
	return v
}

// hideSmall hides the counts in [1, k): so few beats come from fewer than k
// patients. If they sum to less than k together, the difference to the total
// would still tell; then the smallest counts that are left are hidden as well.
func (c computation) hideSmall(counts []uint64) []Cell {
	out := make([]Cell, len(counts))
	var hidden uint64
	for i, n := range counts {
		out[i].Count = n
		if n > 0 && n < c.k {
			out[i], hidden = Cell{Below: c.k}, hidden+n
		}
	}
	for hidden > 0 && hidden < c.k {
		least := -1
		for i, cell := range out {
			if cell.Count > 0 && (least < 0 || cell.Count < out[least].Count) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		hidden += out[least].Count
		// Its count may be k or more: the bound that is printed must stay true.
		out[least] = Cell{Below: out[least].Count + 1}
	}
	return out
}

// summary lists everything the selection allows, in the order of the page.
func (c computation) summary() Members {
	s := c.s
	var m Members
	if c.q.Signal == HR {
		m.add("heart_rate", decimal(c.mean()), "1/min")
		m.add("instantaneous_mean", decimal(times(fraction(s.H1, s.N), 1, 10)), "1/min")
		m.add("instantaneous_variance", decimal(c.variance()), "1/min2")
		m.add("instantaneous_stddev", root(c.variance()), "1/min")
	} else {
		m.add("mean", decimal(c.mean()), "ms")
		m.add("heart_rate", decimal(times(fraction(s.N, s.S1), 60_000, 1)), "1/min")
		m.add("variance", decimal(c.variance()), "ms2")
		m.add("sdnn", root(c.variance()), "ms")
		m.add("rmssd", root(fraction(s.D2, s.M)), "ms")
		m.add("pnn50", decimal(fraction(s.NN50, s.M)), unitRatio)
		m.add("cv", c.cv(), unitRatio)
	}
	bins, unit := cells(s, c.q.Signal), "ms"
	if c.q.Signal == HR {
		unit = "1/min"
	}
	m.add("min", c.shown(extreme(bins, Min)), unit)
	m.add("quartile1", c.shown(quantile(bins, 250_000)), unit)
	m.add("median", c.shown(quantile(bins, 500_000)), unit)
	m.add("quartile3", c.shown(quantile(bins, 750_000)), unit)
	m.add("max", c.shown(extreme(bins, Max)), unit)
	m.add("rejected_share", decimal(fraction(s.REJ, s.N+s.REJ)), unitRatio)
	return m
}

// shown is the value, absent if its bin describes fewer than k patients.
func (c computation) shown(at *located) Decimal {
	if at == nil || at.cell.count < c.k {
		return ""
	}
	return decimal(at.value)
}

// arrhythmia lists the HRV measures and the screening flag on irregularity.
func (c computation) arrhythmia() Members {
	s := c.s
	var m Members
	m.add("heart_rate", decimal(times(fraction(s.N, s.S1), 60_000, 1)), "1/min")
	m.add("variance", decimal(c.variance()), "ms2")
	m.add("sdnn", root(c.variance()), "ms")
	m.add("rmssd", root(fraction(s.D2, s.M)), "ms")
	m.add("pnn50", decimal(fraction(s.NN50, s.M)), unitRatio)
	m.add("cv", c.cv(), unitRatio)
	m.add("rejected_share", decimal(fraction(s.REJ, s.N+s.REJ)), unitRatio)
	m.Flags = []Flag{irregular(s)}
	return m
}

// irregular applies IrregularityPPM. Every beat that the 20 % rule rejects is
// irregular by definition, so it counts in numerator and denominator.
func irregular(s *Sums) Flag {
	index := fraction(s.NIRR+s.REJ, s.M+s.REJ)
	limit := big.NewRat(IrregularityPPM, 1_000_000)
	f := Flag{Rule: "irregular rhythm: (irregular pairs + rejected beats)/(pairs + rejected beats)",
		Value: decimal(index), Threshold: decimal(limit), Unit: unitRatio, Hint: Hint}
	if index != nil {
		raised := index.Cmp(limit) >= 0
		f.Raised = &raised
	}
	return f
}

func (c computation) point() SeriesPoint {
	p := SeriesPoint{Mean: Quantity{decimal(c.mean()), "ms"}, StdDev: Quantity{root(c.variance()), "ms"},
		Beats: &Cell{Count: c.s.N}, Patients: &Cell{Count: c.s.Patients}}
	if c.q.Signal == HR {
		p.Mean.Unit, p.StdDev.Unit = "1/min", "1/min"
	}
	return p
}

func (m *Members) add(label string, v Decimal, unit string) {
	m.Quantities = append(m.Quantities, Labelled{label, Quantity{v, unit}})
}

// Get returns the named quantity.
func (m Members) Get(label string) (Quantity, bool) {
	for _, q := range m.Quantities {
		if q.Label == label {
			return q.Quantity, true
		}
	}
	return Quantity{}, false
}

// MarshalJSON writes {"mean":{"value":…,"unit":…},…,"flags":[…]} in order.
func (m Members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, q := range m.Quantities {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeMember(&b, q.Label, q.Quantity); err != nil {
			return nil, err
		}
	}
	if m.Flags != nil {
		b.WriteByte(',')
		if err := writeMember(&b, "flags", m.Flags); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func writeMember(b *bytes.Buffer, name string, v any) error {
	key, err := json.Marshal(name)
	if err != nil {
		return err
	}
	val, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b.Write(key)
	b.WriteByte(':')
	b.Write(val)
	return nil
}
