package gateway

import (
	"statnet/ecg"
	"statnet/store"
)

const (
	microsPerSecond = 1_000_000
	microsPerEpoch  = 300 * microsPerSecond

	// slack is how far, in microseconds, a second's start may lie from the end
	// of the one before and still continue it: starts are rounded singly.
	slack = microsPerSecond / 2
)

// gather collects what a source delivered since its last batch. It belongs to
// one source's goroutine.
type gather struct {
	beats    []ecg.Beat
	segments []store.Segment
	gaps     []store.Gap
}

// sink feeds g from a detector. cause names the gaps.
func (g *gather) sink(cause string) ecg.Sink {
	return ecg.Sink{
		Beat:   func(_ ecg.Peak, b ecg.Beat) error { g.beats = append(g.beats, b); return nil },
		Second: func(startUs int64) error { g.second(startUs); return nil },
		Gap:    func(from, to int64) error { g.gap(from, to, cause); return nil },
	}
}

// second notes that the signal was observed for the second that begins at
// startUs. Whole seconds are counted from a segment's start, so a segment grows
// by exactly one each time, whatever the rounding of startUs.
func (g *gather) second(startUs int64) {
	if n := len(g.segments); n > 0 {
		last := &g.segments[n-1]
		if d := startUs - last.To; d > -slack && d < slack {
			last.To += microsPerSecond
			return
		}
	}
	g.segments = append(g.segments, store.Segment{From: startUs, To: startUs + microsPerSecond})
}

// interval notes a beat of an RR list. A list has no signal of its own: what it
// observed is the time that its intervals cover.
func (g *gather) interval(b ecg.Beat) {
	g.beats = append(g.beats, b)
	n := len(g.segments)
	if n == 0 || b.Flags&ecg.First != 0 {
		g.segments = append(g.segments, store.Segment{From: max(b.At-int64(b.RR)*1000, 1), To: b.At})
		return
	}
	g.segments[n-1].To = b.At
}

func (g *gather) gap(from, to int64, cause string) {
	if from < to {
		g.gaps = append(g.gaps, store.Gap{From: from, To: to, Cause: cause})
	}
}

// take empties g into a batch. until is the source's watermark and state what
// it resumes from. A segment that may still grow stays, so that its later
// report begins where this one did.
func (g *gather) take(until int64, state []byte, growing bool) store.PatientBatch {
	b := store.PatientBatch{Beats: g.beats, Segments: g.segments, Gaps: g.gaps, State: state, Until: until}
	*g = gather{}
	if n := len(b.Segments); growing && n > 0 {
		g.segments = []store.Segment{b.Segments[n-1]}
	}
	return b
}
