// Package score compares detected R peaks with reference annotations, as ANSI/
// AAMI EC57:2012 asks and WFDB's bxb does it.
//
//	.atr ─▶ Reference ─┐
//	                   ├─ match ±150 ms, nearest pair, one to one ─▶ View ─▶ Summary
//	detections ────────┘
//
// Flutter episodes are not scored. Figures are floats for people to read; they
// decide nothing.
package score

import (
	"math"

	"statnet/ecg/wfdb"
)

// far stands for the time of a beat that does not exist.
const far = 1 << 60

// Beat is an annotated beat.
type Beat struct {
	At     float64 // samples
	Normal bool    // N L R e j
}

// Reference is what a record's annotations say.
type Reference struct {
	Beats   []Beat
	Flutter [][2]float64 // episodes, samples, both ends inclusive
}

// NewReference reads beats and flutter episodes out of annotations.
func NewReference(ann []wfdb.Annotation) Reference {
	var r Reference
	on := -1.0
	for _, a := range ann {
		t := float64(a.Sample)
		switch {
		case on >= 0 && a.Code == wfdb.CodeVFOff:
			r.Flutter = append(r.Flutter, [2]float64{on, t})
			on = -1
		case on >= 0: // inside an episode nothing counts
		case a.Code == wfdb.CodeVFOn:
			on = t
		case a.IsBeat():
			r.Beats = append(r.Beats, Beat{t, a.IsNormal()})
		}
	}
	if on >= 0 {
		r.Flutter = append(r.Flutter, [2]float64{on, far})
	}
	return r
}

func (r Reference) at(k int) float64 {
	if k < len(r.Beats) {
		return r.Beats[k].At
	}
	return far
}

func (r Reference) inFlutter(t float64) bool { return r.flutterOverlaps(t, t) }

func (r Reference) flutterOverlaps(from, to float64) bool {
	for _, f := range r.Flutter {
		if from <= f[1] && to >= f[0] {
			return true
		}
	}
	return false
}

// pair joins a reference beat and a detection; -1 for none.
type pair struct{ ref, det int }

// matcher is the pairing of WFDB's bxb.
type matcher struct {
	ref   Reference
	det   []float64
	win   float64
	i, j  int
	pairs []pair
}

func (m *matcher) t(k int) float64 {
	switch {
	case k < 0:
		return -far
	case k < len(m.det):
		return m.det[k]
	}
	return far
}

// match pairs the beats in [start, end], samples.
func match(ref Reference, det []float64, win, start, end float64) []pair {
	m := matcher{ref: ref, det: det, win: win}
	for m.i < len(ref.Beats) && ref.Beats[m.i].At < start {
		m.i++
	}
	for m.j < len(det) && det[m.j] < start {
		m.j++
	}
	m.straddle(start)
	for ref.at(m.i) <= end || m.t(m.j) <= end {
		if m.t(m.j) < ref.at(m.i) {
			m.detectionFirst()
		} else {
			m.referenceFirst()
		}
	}
	return m.pairs
}

// straddle handles the beat at the start of the scored period, whose partner
// may lie before it.
func (m *matcher) straddle(start float64) {
	if m.j == 0 || m.i >= len(m.ref.Beats) || start <= 0 {
		return
	}
	a, r := m.det[m.j-1], m.ref.at(m.i)
	if r-a < math.Abs(r-m.t(m.j)) && r-a <= m.win {
		m.pairs = append(m.pairs, pair{m.i, m.j - 1})
		m.i++
	} else if m.t(m.j)-start <= m.win && math.Abs(r-m.t(m.j+1)) < math.Abs(r-m.t(m.j)) {
		m.j++
	}
}

func (m *matcher) detectionFirst() {
	d := m.ref.at(m.i) - m.t(m.j)
	next := math.Abs(m.ref.at(m.i) - m.t(m.j+1))
	if d <= m.win && (d < next || math.Abs(m.ref.at(m.i+1)-m.t(m.j+1)) < next) {
		m.pairs = append(m.pairs, pair{m.i, m.j})
		m.i++
	} else if !m.ref.inFlutter(m.t(m.j)) {
		m.pairs = append(m.pairs, pair{-1, m.j})
	}
	m.j++
}

func (m *matcher) referenceFirst() {
	d := m.t(m.j) - m.ref.at(m.i)
	next := math.Abs(m.t(m.j) - m.ref.at(m.i+1))
	if d <= m.win && (d < next || math.Abs(m.t(m.j+1)-m.ref.at(m.i+1)) < next) {
		m.pairs = append(m.pairs, pair{m.i, m.j})
		m.j++
	} else {
		m.pairs = append(m.pairs, pair{m.i, -1})
	}
	m.i++
}

// View is one record scored over one period.
type View struct {
	TP, FN, FP int
	Off        []float64 // detection minus annotation of matched beats, ms
	RRErr      []float64 // RR error between adjacent normal beats, ms
	Extra      []float64 // the FP detections, samples
}

// Options of scoring; the zero value is refused, use Default.
type Options struct {
	WindowMS float64
	LearnS   float64
}

// Default is EC57's window and learning period.
func Default() Options { return Options{WindowMS: 150, LearnS: 300} }

// NewView scores detections (rising sample times) from startS seconds to the
// record's last sample; samples 0 means unknown.
func NewView(ref Reference, det []float64, fs float64, samples int64, windowMS, startS float64) View {
	end := float64(samples - 1)
	if samples == 0 {
		end = 0
		for _, b := range ref.Beats {
			end = max(end, b.At)
		}
	}
	pairs := match(ref, det, math.Floor(windowMS*fs/1000+1e-9), startS*fs, end)
	var v View
	partner := make(map[int]int, len(pairs))
	for _, p := range pairs {
		switch {
		case p.ref < 0:
			v.FP++
			v.Extra = append(v.Extra, det[p.det])
		case p.det < 0:
			v.FN++
		default:
			v.TP++
			partner[p.ref] = p.det
			v.Off = append(v.Off, (det[p.det]-ref.Beats[p.ref].At)/fs*1000)
		}
	}
	v.rrErrors(ref, det, fs, pairs, partner)
	return v
}

func (v *View) rrErrors(ref Reference, det []float64, fs float64, pairs []pair, partner map[int]int) {
	for _, p := range pairs {
		if p.ref < 0 || p.det < 0 {
			continue
		}
		j, ok := partner[p.ref+1]
		if !ok || j != p.det+1 {
			continue
		}
		a, b := ref.Beats[p.ref], ref.Beats[p.ref+1]
		if !a.Normal || !b.Normal || ref.FlutterBetween(a.At, b.At) {
			continue
		}
		v.RRErr = append(v.RRErr, ((det[j]-det[p.det])-(b.At-a.At))/fs*1000)
	}
}

// FlutterBetween reports whether an episode starts in [from, to], samples: such
// an interval is none.
func (r Reference) FlutterBetween(from, to float64) bool {
	for _, f := range r.Flutter {
		if from <= f[0] && f[0] <= to {
			return true
		}
	}
	return false
}
