package ecgtool

import (
	"fmt"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"statnet/ecg"
	"statnet/ecg/wfdb"
	"statnet/internal/cli"
)

// stripSeconds is how much signal a plot shows from the record's start.
const stripSeconds = 10

// plotDetection draws the strip with the detected beats, the tachogram and the
// Poincare plot, one under the other.
func plotDetection(path string, d *detection, signal int) error {
	strip, err := stripPlot(d, signal)
	if err != nil {
		return err
	}
	tacho, poincare, err := intervalPlots(d.record.Name, intervalsOf(d.beats, nil))
	if err != nil {
		return err
	}
	return drawSVG(path, strip, tacho, poincare)
}

// plotIntervals draws tachogram and Poincare plot.
func plotIntervals(path, name string, list []interval) error {
	tacho, poincare, err := intervalPlots(name, list)
	if err != nil {
		return err
	}
	return drawSVG(path, tacho, poincare)
}

func stripPlot(d *detection, signal int) (*plot.Plot, error) {
	counts, err := d.record.Counts(signal)
	if err != nil {
		return nil, err
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: first %d s", d.record.Name, stripSeconds)
	p.X.Label.Text, p.Y.Label.Text = "s", "counts"
	fs := float64(d.record.RateMilliHz) / 1000
	var line, beats plotter.XYs
	for i, c := range counts[:min(len(counts), int(stripSeconds*fs))] {
		if c != wfdb.Missing {
			line = append(line, plotter.XY{X: float64(i) / fs, Y: float64(c)})
		}
	}
	for _, f := range d.beats {
		if x := float64(f.place()) / 1024 / fs; x < stripSeconds && f.at < int64(len(counts)) {
			beats = append(beats, plotter.XY{X: x, Y: float64(counts[f.at])})
		}
	}
	if len(line) == 0 {
		return p, nil // nothing was recorded: an empty strip says so
	}
	l, err := plotter.NewLine(line)
	if err != nil {
		return nil, fmt.Errorf("draw strip: %w", err)
	}
	p.Add(l)
	return p, addDots(p, beats)
}

func addDots(p *plot.Plot, xy plotter.XYs) error {
	if len(xy) == 0 {
		return nil
	}
	s, err := plotter.NewScatter(xy)
	if err != nil {
		return fmt.Errorf("draw points: %w", err)
	}
	s.GlyphStyle.Shape, s.GlyphStyle.Radius = draw.CircleGlyph{}, vg.Points(1.5)
	p.Add(s)
	return nil
}

// intervalPlots draws plausible intervals over time, and each over the one
// before.
func intervalPlots(name string, list []interval) (tacho, poincare *plot.Plot, err error) {
	tacho, poincare = plot.New(), plot.New()
	tacho.Title.Text, tacho.X.Label.Text, tacho.Y.Label.Text = name+": tachogram", "beat", "RR, ms"
	poincare.Title.Text, poincare.X.Label.Text, poincare.Y.Label.Text = "Poincare plot", "RR, ms", "next RR, ms"
	var t, q plotter.XYs
	prev := float64(0)
	for i, x := range list {
		rr := float64(x.rr)
		if x.flags&ecg.Range != 0 {
			prev = 0
			continue
		}
		t = append(t, plotter.XY{X: float64(i), Y: rr})
		if x.joined && prev > 0 {
			q = append(q, plotter.XY{X: prev, Y: rr})
		}
		prev = rr
	}
	if err := addDots(tacho, t); err != nil {
		return nil, nil, err
	}
	return tacho, poincare, addDots(poincare, q)
}

// drawSVG writes the plots under each other.
func drawSVG(path string, plots ...*plot.Plot) error {
	c := vgsvg.New(24*vg.Centimeter, vg.Length(len(plots))*9*vg.Centimeter)
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: vg.Centimeter}
	grid := make([][]*plot.Plot, len(plots))
	for i, p := range plots {
		grid[i] = []*plot.Plot{p}
	}
	for i, cell := range plot.Align(grid, tiles, draw.New(c)) {
		plots[i].Draw(cell[0])
	}
	f, err := os.Create(path)
	if err != nil {
		return cli.Usagef("statnet ecg detect --help", "--plot %s: %s", path, err)
	}
	if _, err := c.WriteTo(f); err != nil {
		f.Close()
		return fmt.Errorf("write plot %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write plot %s: %w", path, err)
	}
	return nil
}
