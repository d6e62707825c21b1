package ecgtool

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"statnet/ecg"
	"statnet/ecg/wfdb"
)

// stripSeconds is how much signal a plot shows from the record's start.
const stripSeconds = 10

// Two colours that everybody can tell apart, and different shapes besides.
var (
	blue   = color.RGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}
	orange = color.RGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xFF}
	grey   = color.Gray{Y: 0x90}
)

// mark is a kind of beat with its look.
type mark struct {
	name  string
	style draw.GlyphStyle
}

// marks are in the order in which they are drawn: what matters most comes last.
var marks = [...]mark{
	{"accepted", draw.GlyphStyle{Color: blue, Radius: vg.Points(1.5), Shape: draw.CircleGlyph{}}},
	{"first of a segment: no interval", draw.GlyphStyle{Color: grey, Radius: vg.Points(3), Shape: draw.TriangleGlyph{}}},
	{"rejected: counts in no query", draw.GlyphStyle{Color: orange, Radius: vg.Points(2), Shape: draw.CrossGlyph{}}},
}

// markOf returns the index in marks of a beat with these flags.
func markOf(f ecg.Flags) int {
	switch {
	case f.Accepted():
		return 0
	case f.Rejected():
		return 2
	}
	return 1
}

// dots are points by their mark.
type dots [len(marks)]plotter.XYs

func (d *dots) add(mark int, x, y float64) { d[mark] = append(d[mark], plotter.XY{X: x, Y: y}) }

func (d *dots) draw(p *plot.Plot, larger vg.Length) error {
	for i, xy := range d {
		if len(xy) == 0 {
			continue
		}
		s, err := plotter.NewScatter(xy)
		if err != nil {
			return fmt.Errorf("draw points: %w", err)
		}
		s.GlyphStyle = marks[i].style
		s.GlyphStyle.Radius += larger
		p.Add(s)
	}
	return nil
}

// plotDetection draws the strip with the detected beats, the tachogram and the
// Poincare plot.
func plotDetection(path string, d *detection, signal int) error {
	strip, err := stripPlot(d, signal)
	if err != nil {
		return err
	}
	tacho, poincare, err := intervalPlots(d.record.Name, intervalsOf(d.beats, nil))
	if err != nil {
		return err
	}
	return drawSVG(path, poincare, strip, tacho)
}

// plotIntervals draws tachogram and Poincare plot.
func plotIntervals(path, name string, list []interval) error {
	tacho, poincare, err := intervalPlots(name, list)
	if err != nil {
		return err
	}
	return drawSVG(path, poincare, tacho)
}

// stripPlot shows the signal as it is, and where the beats were found.
func stripPlot(d *detection, signal int) (*plot.Plot, error) {
	counts, err := d.record.Counts(signal)
	if err != nil {
		return nil, err
	}
	sig := d.record.Signals[signal]
	perMV := sig.Gain
	if sig.Units == "uV" {
		perMV *= 1000
	}
	mv := func(count int32) float64 { return (float64(count) - float64(sig.Baseline)) / perMV }
	fs := float64(d.record.RateMilliHz) / 1000
	seconds := min(stripSeconds, float64(len(counts))/fs)
	p := newPlot(fmt.Sprintf("%s: first %.3g s and the beats found", d.record.Name, seconds), "time, s", "mV")
	p.X.Min, p.X.Max = 0, seconds
	if err := addSignal(p, counts[:int(seconds*fs)], fs, mv); err != nil {
		return nil, err
	}
	var found dots
	for _, f := range d.beats {
		if x := float64(f.place()) / 1024 / fs; x < seconds && f.at < int64(len(counts)) {
			found.add(markOf(f.Flags), x, mv(counts[f.at]))
		}
	}
	if pad := (p.Y.Max - p.Y.Min) / 15; pad > 0 { // room for the marks; an empty strip has none
		p.Y.Min, p.Y.Max = p.Y.Min-pad, p.Y.Max+pad
	}
	return p, found.draw(p, vg.Points(2))
}

// addSignal draws samples, interrupted where they are missing.
func addSignal(p *plot.Plot, counts []int32, fs float64, mv func(int32) float64) error {
	var line plotter.XYs
	for i, c := range counts {
		if c != wfdb.Missing {
			line = append(line, plotter.XY{X: float64(i) / fs, Y: mv(c)})
		}
		if len(line) == 0 || c != wfdb.Missing && i+1 < len(counts) {
			continue
		}
		l, err := plotter.NewLine(line)
		if err != nil {
			return fmt.Errorf("draw strip: %w", err)
		}
		l.Width = vg.Points(0.7)
		p.Add(l)
		line = nil
	}
	return nil
}

// intervalPlots draws plausible intervals over time, and each over the one
// before; how many are not plausible is said, as they are not drawn.
func intervalPlots(name string, list []interval) (tacho, poincare *plot.Plot, err error) {
	var over, pairs dots
	low, high, outside := 0.0, 0.0, 0
	prev := interval{flags: ecg.Range}
	for _, x := range list {
		rr := float64(x.rr)
		if x.flags&ecg.Range != 0 {
			outside++
			prev = x
			continue
		}
		if low == 0 {
			low, high = rr, rr
		}
		low, high = min(low, rr), max(high, rr)
		over.add(markOf(x.flags), float64(x.us)/60e6, rr)
		if x.joined && prev.flags&ecg.Range == 0 {
			pairs.add(max(markOf(x.flags), markOf(prev.flags)), float64(prev.rr), rr)
		}
		prev = x
	}
	title := name + ": tachogram"
	if outside > 0 {
		title += fmt.Sprintf(" (not drawn: %d outside %d to %d ms)", outside, ecg.MinRR, ecg.MaxRR)
	}
	tacho = newPlot(title, "time, min", "RR, ms")
	if err := over.draw(tacho, 0); err != nil {
		return nil, nil, err
	}
	poincare = newPlot("Poincaré plot", "RR, ms", "next RR, ms")
	if high == 0 {
		return tacho, poincare, nil // no interval: empty plots say so
	}
	pad := max(20, (high-low)/20)
	tacho.X.Min = 0
	tacho.Y.Min, tacho.Y.Max = low-pad, high+pad
	poincare.X.Min, poincare.X.Max = low-pad, high+pad
	poincare.Y.Min, poincare.Y.Max = low-pad, high+pad
	equal, err := plotter.NewLine(plotter.XYs{{X: low - pad, Y: low - pad}, {X: high + pad, Y: high + pad}})
	if err != nil {
		return nil, nil, fmt.Errorf("draw line of equal intervals: %w", err)
	}
	equal.Color = grey
	poincare.Add(equal)
	return tacho, poincare, pairs.draw(poincare, 0)
}
