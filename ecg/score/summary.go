package score

import (
	"math"
	"slices"
)

// Number is a figure that may not exist: NaN becomes null in JSON.
type Number float64

// Summary is what is printed of one view. Rates are fractions, times ms.
type Summary struct {
	Beats int    `json:"beats"`
	TP    int    `json:"tp"`
	FN    int    `json:"fn"`
	FP    int    `json:"fp"`
	Se    Number `json:"se"`
	PPV   Number `json:"ppv"`
	F1    Number `json:"f1"`
	DER   Number `json:"der"`
	Off   Number `json:"off_ms"`
	Jit   Number `json:"jit_ms"`
	RRe   Number `json:"rre_ms"`
	RR95  Number `json:"rr95_ms"`
	RRRms Number `json:"rr_rms_ms"`
	RRN   int    `json:"rr_n"`
}

// Gross is the summary of several records, pooled beat by beat.
type Gross struct {
	Summary
	AvgSe   Number `json:"avg_se"`
	AvgPPV  Number `json:"avg_ppv"`
	WorstF1 Number `json:"worst_f1"`
}

func ratio(a, b int) Number {
	if b == 0 {
		return Number(math.NaN())
	}
	return Number(float64(a) / float64(b))
}

// percentile interpolates between ranks; NaN for no values.
func percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	k := float64(len(s)-1) * p
	a := int(k)
	b := min(a+1, len(s)-1)
	return s[a] + (s[b]-s[a])*(k-float64(a))
}

// meanOf returns the mean of f over v; NaN for no values.
func meanOf(v []float64, f func(float64) float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	var sum float64
	for _, x := range v {
		sum += f(x)
	}
	return sum / float64(len(v))
}

func square(x float64) float64 { return x * x }

// Summary computes the figures of a view.
func (v View) Summary() Summary {
	med := percentile(v.Off, 0.5)
	s := summarise(v.TP, v.FN, v.FP, v.RRErr)
	s.Off = Number(med)
	s.Jit = Number(math.Sqrt(meanOf(v.Off, func(x float64) float64 { return square(x - med) })))
	return s
}

func summarise(tp, fn, fp int, rr []float64) Summary {
	e := make([]float64, len(rr))
	for i, x := range rr {
		e[i] = math.Abs(x)
	}
	self := func(x float64) float64 { return x }
	return Summary{
		Beats: tp + fn, TP: tp, FN: fn, FP: fp,
		Se: ratio(tp, tp+fn), PPV: ratio(tp, tp+fp), F1: ratio(2*tp, 2*tp+fp+fn), DER: ratio(fp+fn, tp+fn),
		RRe: Number(meanOf(e, self)), RR95: Number(percentile(e, 0.95)),
		RRRms: Number(math.Sqrt(meanOf(e, square))), RRN: len(e),
	}
}

// Pool pools views; jitter is that around each record's own median.
func Pool(views []View) Gross {
	var tp, fn, fp int
	var rr, off, centred []float64
	var se, ppv []float64
	worst := math.NaN()
	for _, v := range views {
		tp, fn, fp = tp+v.TP, fn+v.FN, fp+v.FP
		rr, off = append(rr, v.RRErr...), append(off, v.Off...)
		s := v.Summary()
		for _, x := range v.Off {
			centred = append(centred, x-float64(s.Off))
		}
		se, ppv = appendKnown(se, s.Se), appendKnown(ppv, s.PPV)
		if f := float64(s.F1); !math.IsNaN(f) && !(worst <= f) {
			worst = f
		}
	}
	g := Gross{Summary: summarise(tp, fn, fp, rr), WorstF1: Number(worst)}
	g.Off = Number(percentile(off, 0.5))
	g.Jit = Number(math.Sqrt(meanOf(centred, square)))
	self := func(x float64) float64 { return x }
	g.AvgSe, g.AvgPPV = Number(meanOf(se, self)), Number(meanOf(ppv, self))
	return g
}

func appendKnown(v []float64, x Number) []float64 {
	if math.IsNaN(float64(x)) {
		return v
	}
	return append(v, float64(x))
}

// Rhythm is a record's heart rate and variability without beat labels, over RR
// in [0.2, 3] s outside flutter. NaN if there are none.
type Rhythm struct{ HR, RMSSD, SDNN float64 } // per minute, ms, ms

// NewRhythm computes it from rising sample times.
func NewRhythm(at []float64, ref Reference, fs float64) Rhythm {
	var rr, diff []float64
	prev := math.NaN()
	for i := 1; i < len(at); i++ {
		x := (at[i] - at[i-1]) / fs
		if !(x >= 0.2 && x <= 3) || ref.flutterOverlaps(at[i-1], at[i]) {
			prev = math.NaN()
			continue
		}
		rr = append(rr, x)
		if !math.IsNaN(prev) {
			diff = append(diff, square(x-prev))
		}
		prev = x
	}
	nan := math.NaN()
	if len(rr) == 0 {
		return Rhythm{nan, nan, nan}
	}
	self := func(x float64) float64 { return x }
	mean := meanOf(rr, self)
	var dev float64
	for _, x := range rr {
		dev += square(x - mean)
	}
	return Rhythm{60 / mean, 1000 * math.Sqrt(meanOf(diff, self)), 1000 * math.Sqrt(dev/float64(max(1, len(rr)-1)))}
}

// times returns the annotated beats' times.
func (r Reference) times() []float64 {
	t := make([]float64, len(r.Beats))
	for i, b := range r.Beats {
		t[i] = b.At
	}
	return t
}
