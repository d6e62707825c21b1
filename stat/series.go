package stat

import (
	"errors"
	"fmt"
)

// Window is a half-open range of Unix seconds, multiples of 300.
type Window struct{ From, To int64 }

// MaxHours bounds a series: four weeks of hours, 673 with both ends cut.
const MaxHours = 28*24 + 1

// ErrSeries reports a window that cannot be cut into hours.
var ErrSeries = errors.New("window does not make a series")

// Hours cuts [from, to) at whole UTC hours: the windows of the questions, one
// Series question each, that a series is composed of. The first and the last
// may be shorter than an hour.
//
// Each hour is registered, answered and opened by itself, so each costs budget.
func Hours(from, to int64) ([]Window, error) {
	if from < 0 || from >= to || from%EpochSeconds != 0 || to%EpochSeconds != 0 {
		return nil, fmt.Errorf("cut [%d, %d) into hours: must be multiples of 300 with from < to: %w", from, to, ErrSeries)
	}
	if to-from > (MaxHours-1)*3600 {
		return nil, fmt.Errorf("cut %d hours: at most %d: %w", (to-from)/3600, MaxHours-1, ErrSeries)
	}
	var out []Window
	for from < to {
		end := min(to, (from/3600+1)*3600)
		out = append(out, Window{from, end})
		from = end
	}
	return out, nil
}

// Join composes the answers to the questions of Hours, in that order, into one
// result whose value is a []SeriesPoint. nil stands for an hour that could not
// be answered: its point has no values, and a note counts them. The sums of the
// joined result are absent; each answer keeps its own.
func Join(windows []Window, answers []*Result) (Result, error) {
	if len(windows) == 0 || len(windows) != len(answers) {
		return Result{}, fmt.Errorf("join %d answers of %d hours: %w", len(answers), len(windows), ErrSeries)
	}
	r := Result{Statistic: Series, Unit: unitMixed}
	var missing, hidden int
	points := make([]SeriesPoint, len(windows))
	for i, a := range answers {
		points[i] = SeriesPoint{From: windows[i].From, To: windows[i].To}
		if a == nil {
			missing++
			continue
		}
		p, ok := a.Value.Object.(SeriesPoint)
		if a.Statistic != Series || (!ok && a.Patients.Below == 0) {
			return Result{}, fmt.Errorf("join hour %d: an answer to %q: %w", i, a.Statistic, ErrSeries)
		}
		if r.Signal != "" && r.Signal != a.Signal {
			return Result{}, fmt.Errorf("join hour %d: signal %s after %s: %w", i, a.Signal, r.Signal, ErrSeries)
		}
		r.Signal = a.Signal
		points[i].Mean, points[i].StdDev = p.Mean, p.StdDev
		points[i].Beats, points[i].Patients = &a.Beats, &a.Patients
		if a.Patients.Below != 0 {
			hidden++
		}
		r.Beats = r.Beats.plus(a.Beats)
		r.Patients = larger(r.Patients, a.Patients)
		r.ObservedSeconds = r.ObservedSeconds.plus(a.ObservedSeconds)
		r.RejectedBeats = r.RejectedBeats.plus(a.RejectedBeats)
	}
	r.Value.Object = points
	if missing > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d of %d hours were not answered", missing, len(windows)))
	}
	if hidden > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d of %d hours describe too few patients and are hidden; totals are without them", hidden, len(windows)))
	}
	return r, nil
}

// plus adds what is shown; a hidden cell adds nothing.
func (c Cell) plus(o Cell) Cell { return Cell{Count: c.Count + o.Count} }

// larger returns the larger shown count: the most patients any hour describes.
func larger(a, b Cell) Cell { return Cell{Count: max(a.Count, b.Count)} }
