package ecgtool

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"statnet/internal/cli"
)

// Page of a plot: one wide row for each plot, and a square one with the legend
// beside it.
const (
	pageWidth = 26 * vg.Centimeter
	rowHeight = 7.5 * vg.Centimeter
	square    = 12 * vg.Centimeter
	margin    = 0.6 * vg.Centimeter
)

// newPlot is a plot in our style: sans-serif, faint grid, round numbers.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	for _, s := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		s.Font.Variant = "Sans"
	}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 0
		a.Tick.Marker = plot.TickerFunc(roundTicks)
		a.Tick.Length = vg.Points(4)
	}
	grid := plotter.NewGrid()
	faint := color.Gray{Y: 0xE4}
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	p.Add(grid)
	return p
}

// roundTicks puts five to ten ticks at multiples of 1, 2 or 5 times a power of
// ten.
func roundTicks(low, high float64) []plot.Tick {
	if !(high > low) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(high-low))-1)
	for _, f := range []float64{2, 2.5, 2} { // 1, 2, 5, 10 times
		if (high-low)/step > 10 {
			step *= f
		}
	}
	decimals := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	for k := math.Ceil(low/step - 1e-9); k*step <= high+step*1e-9; k++ {
		out = append(out, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step+0, 'f', decimals, 64)})
	}
	return out
}

// drawSVG writes a page: rows under each other, then the square plot and what
// the marks mean.
func drawSVG(path string, squared *plot.Plot, rows ...*plot.Plot) error {
	height := vg.Length(len(rows))*rowHeight + square + 2*margin
	c := vgsvg.New(pageWidth, height)
	page := draw.New(c)
	page.FillPolygon(color.White, []vg.Point{page.Min, {X: page.Max.X, Y: page.Min.Y}, page.Max, {X: page.Min.X, Y: page.Max.Y}})
	at := func(left, top, width, height vg.Length) draw.Canvas {
		top = page.Max.Y - top
		return draw.Canvas{Canvas: page.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: left + margin, Y: top - height + margin/2}, Max: vg.Point{X: left + width - margin, Y: top - margin/2}}}
	}
	top := margin
	for _, p := range rows {
		p.Draw(at(0, top, pageWidth, rowHeight))
		top += rowHeight
	}
	squared.Draw(at(0, top, square+margin, square))
	drawLegend(at(square+2*margin, top+margin, pageWidth-square-2*margin, square))
	return writePlot(path, c)
}

// drawLegend says what the marks mean.
func drawLegend(c draw.Canvas) {
	l := plot.NewLegend()
	l.Top, l.Left = true, true
	l.Padding = vg.Points(4)
	l.TextStyle.Font.Variant = "Sans"
	for _, m := range marks {
		style := m.style
		style.Radius += vg.Points(1.5)
		l.Add(m.name, &plotter.Scatter{GlyphStyle: style})
	}
	l.Draw(c)
}

func writePlot(path string, c *vgsvg.Canvas) error {
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
