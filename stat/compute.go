package stat

import (
	"errors"
	"fmt"
	"math/big"
)

// ErrNotOpened reports a question whose components are not all in the sums.
var ErrNotOpened = errors.New("sums do not hold the components of this question")

// Units of results.
const (
	unitBeats = "beats"
	unitRatio = "1"
	unitMixed = "mixed" // the members of the value name their own
)

// Compute answers q from opened sums, showing every cell. See ComputeCohort.
func Compute(q Question, s Sums) (Result, error) { return ComputeCohort(q, s, 1) }

// ComputeCohort answers q from opened sums of a cohort question: cells that
// describe fewer than k patients are hidden as "<k". A histogram bin with fewer
// than k beats describes fewer than k patients; a cohort with 1..k−1 patients
// hides everything.
//
// A value whose divisor is 0 is absent and a note says why. ComputeCohort
// trusts s: Decode has checked it.
func ComputeCohort(q Question, s Sums, k uint64) (Result, error) {
	if err := q.Validate(); err != nil {
		return Result{}, fmt.Errorf("compute: %w", err)
	}
	if need := q.Selection(); s.Sel|SelFirstPart|need != s.Sel|SelFirstPart {
		return Result{}, fmt.Errorf("compute %s of %s: opened %04x, needs %04x: %w", q.Statistic, q.Signal,
			uint16(s.Sel), uint16(need), ErrNotOpened)
	}
	c := computation{q: q, s: &s, k: max(k, 1)}
	r := Result{Statistic: q.Statistic, Signal: q.Signal, Unit: c.unit(),
		Beats: Cell{Count: s.N}, Patients: Cell{Count: s.Patients},
		ObservedSeconds: Cell{Count: s.OBS}, RejectedBeats: Cell{Count: s.REJ}}
	if s.Patients > 0 && s.Patients < c.k {
		return c.hide(r), nil
	}
	c.fill(&r)
	r.Sums = c.opened()
	c.note(&r)
	return r, nil
}

// computation holds one call's inputs; nothing in it changes.
type computation struct {
	q Question
	s *Sums
	k uint64
}

// unit returns the unit of the value.
func (c computation) unit() string {
	base, square := "ms", "ms2"
	if c.q.Signal == HR {
		base, square = "1/min", "1/min2"
	}
	switch c.q.Statistic {
	case Count:
		return unitBeats
	case Variance:
		return square
	case PNN50, CV:
		return unitRatio
	case Summary, Arrhythmia, Series:
		return unitMixed
	}
	return base
}

// hide returns the result of a cohort that is too small to show anything of.
func (c computation) hide(r Result) Result {
	hidden := Cell{Below: c.k}
	r.Beats, r.Patients = Cell{Below: c.k}, hidden
	r.ObservedSeconds, r.RejectedBeats = hidden, hidden
	r.Notes = []string{fmt.Sprintf("fewer than %d patients have beats in this window: nothing is shown", c.k)}
	return r
}

func (c computation) fill(r *Result) {
	s := c.s
	switch c.q.Statistic {
	case Count:
		r.Value.Number = decimal(new(big.Rat).SetInt(integer(s.N)))
	case Sum:
		r.Value.Number = decimal(c.sum())
	case Mean:
		r.Value.Number = decimal(c.mean())
		if c.q.Signal == HR {
			r.Also = []Labelled{c.instantaneous()}
		}
	case Variance:
		r.Value.Number, r.Parts = decimal(c.variance()), c.parts()
	case StdDev:
		r.Value.Number, r.Parts = root(c.variance()), c.parts()
	case RMSSD:
		r.Value.Number = root(fraction(s.D2, s.M))
	case PNN50:
		r.Value.Number = decimal(fraction(s.NN50, s.M))
	case CV:
		r.Value.Number = c.cv()
	case Min, Max, Median, Quantile:
		c.fillLocated(r, c.locate())
	case Histogram:
		r.Value.Object = c.histogram()
	case Summary:
		r.Value.Object, r.Parts = c.summary(), c.parts()
	case Arrhythmia:
		r.Value.Object, r.Parts = c.arrhythmia(), c.parts()
	case Series:
		r.Value.Object, r.Parts = c.point(), c.parts()
	}
}

// moments returns n, Σx, Σx², W and the divisor that turns x into its unit: h
// is in tenths, so its sums are divided by 10 and its squares by 100.
func (c computation) moments() (n, sum, squares, w *big.Int, tenth int64) {
	n = integer(c.s.N)
	if c.q.Signal == HR {
		return n, integer(c.s.H1), integer(c.s.H2), integer(c.s.WH), 10
	}
	return n, integer(c.s.S1), integer(c.s.S2), integer(c.s.WRR), 1
}

func (c computation) sum() *big.Rat {
	_, sum, _, _, tenth := c.moments()
	return ratio(sum, big.NewInt(tenth))
}

// mean is S1/N, and for HR beats per time: 60000·N/S1 = 60000/mean RR. The mean
// of instantaneous rates is larger by about a factor 1+CV² and never replaces it.
func (c computation) mean() *big.Rat {
	if c.q.Signal == HR {
		return times(fraction(c.s.N, c.s.S1), 60_000, 1)
	}
	return fraction(c.s.S1, c.s.N)
}

func (c computation) instantaneous() Labelled {
	return Labelled{"mean of instantaneous heart rates", Quantity{decimal(times(fraction(c.s.H1, c.s.N), 1, 10)), "1/min"}}
}

// squaresAbout returns Σ(x−mean)² = Σx² − (Σx)²/n over all beats, nil for no
// beats.
func (c computation) squaresAbout() *big.Rat {
	n, sum, squares, _, tenth := c.moments()
	mean := ratio(new(big.Int).Mul(sum, sum), n)
	if mean == nil {
		return nil
	}
	d := new(big.Rat).Sub(new(big.Rat).SetInt(squares), mean)
	return d.Mul(d, big.NewRat(1, tenth*tenth))
}

// perFreedom divides by N−1; nil below two beats.
func (c computation) perFreedom(r *big.Rat) *big.Rat {
	if r == nil || c.s.N < 2 {
		return nil
	}
	return new(big.Rat).Quo(r, new(big.Rat).SetInt(integer(c.s.N-1)))
}

// variance is (N·Σx² − (Σx)²)/(N(N−1)), TF's SDNN squared.
func (c computation) variance() *big.Rat { return c.perFreedom(c.squaresAbout()) }

// parts returns the split of the variance, see Parts; nil without a variance.
func (c computation) parts() *Parts {
	total := c.squaresAbout()
	_, _, _, w, tenth := c.moments()
	if c.perFreedom(total) == nil {
		return nil
	}
	inside := ratio(w, big.NewInt(tenth*tenth))
	if inside.Cmp(total) > 0 {
		inside = total
	}
	p := Parts{Within: decimal(c.perFreedom(inside)), Unit: "ms2"}
	if c.q.Signal == HR {
		p.Unit = "1/min2"
	}
	p.Between = minus(decimal(c.variance()), p.Within)
	return &p
}

// cv = SDNN/mean = √(variance/mean²).
func (c computation) cv() Decimal {
	v, m := c.variance(), c.mean()
	if v == nil || m == nil {
		return ""
	}
	return root(v.Quo(v, m.Mul(m, m)))
}

func (c computation) locate() *located {
	bins := cells(c.s, c.q.Signal)
	switch c.q.Statistic {
	case Min, Max:
		return extreme(bins, c.q.Statistic)
	case Median:
		return quantile(bins, 500_000)
	}
	return quantile(bins, c.q.QuantilePPM)
}

func (c computation) fillLocated(r *Result, at *located) {
	if at == nil {
		return
	}
	if at.cell.count < c.k {
		r.Notes = append(r.Notes, fmt.Sprintf("the bin that holds this value has fewer than %d beats: hidden", c.k))
		return
	}
	r.Value.Number = decimal(at.value)
	r.Resolved = &Resolution{From: decimal(at.cell.from), To: decimal(at.cell.to),
		Width: decimal(new(big.Rat).Sub(at.cell.to, at.cell.from)), Unit: c.unit(), Rule: at.rule}
}
