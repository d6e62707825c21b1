package ecg

import (
	"fmt"
	"math/bits"
)

// Sink receives what a Line finds. Nil functions are skipped; an error stops
// the call that caused it and is returned.
type Sink struct {
	Beat   func(Peak, Beat) error         // one heartbeat; Peak.Index counts from the line's start
	Second func(startUs int64) error      // a second with signal begins at startUs (Unix microseconds)
	Gap    func(fromUs, toUs int64) error // no samples in [fromUs, toUs)
}

// Line is a source with a constant sampling rate: it runs the detector over
// unbroken stretches, restarts it after gaps, and gives every beat its time.
//
//	count, count, ─gap─ count ──▶ Detector ▸ Cleaner ──▶ Sink
//
// Sample i lies round(i*10^9/rate) nanoseconds after the start. A patch whose
// clock is estimated needs its own times and uses Detector and Cleaner itself.
type Line struct {
	det     *Detector
	clean   Cleaner
	startUs int64
	next    int64 // sample of the line that comes next
	segment int64 // first sample of the segment
	seen    int64 // complete seconds of the segment that were looked at
	had     int64 // observed ones among them
	peaks   []Peak
}

// maxLine bounds a line's samples: 17 years at 1000 Hz, and times below 2^63 ns.
const maxLine = 1 << 39

// NewLine returns a line whose first sample is taken at startUs, Unix
// microseconds.
func NewLine(cfg Config, startUs int64) (*Line, error) {
	det, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return &Line{det: det, startUs: startUs, peaks: make([]Peak, 0, 2*listed)}, nil
}

// Put takes the next sample, in counts.
func (l *Line) Put(count int32, s Sink) error {
	if l.next >= maxLine {
		return fmt.Errorf("take sample %d: a line has at most %d", l.next, int64(maxLine))
	}
	l.peaks = l.det.Put(count, l.peaks[:0])
	l.next++
	if len(l.peaks) > 0 {
		if err := l.deliver(s); err != nil {
			return err
		}
	}
	if l.det.watch.complete == l.seen {
		return nil
	}
	return l.second(s)
}

// second reports the second that has just become complete, if it had a signal.
func (l *Line) second(s Sink) error {
	begin := l.segment + l.seen*l.det.f.second
	var had int64
	l.seen, had = l.det.Seconds()
	if had == l.had {
		return nil
	}
	l.had = had
	if s.Second == nil {
		return nil
	}
	return s.Second(l.labelUs(l.timeOf(begin)))
}

// Gap says that the next n samples are missing: the segment ends.
func (l *Line) Gap(n int64, s Sink) error {
	if n <= 0 || n > maxLine-l.next {
		return fmt.Errorf("skip %d samples at sample %d: want 1 to %d", n, l.next, maxLine-l.next)
	}
	if err := l.End(s); err != nil {
		return err
	}
	from := l.next
	l.next += n
	l.segment = l.next
	if s.Gap == nil {
		return nil
	}
	return s.Gap(l.labelUs(l.timeOf(from)), l.labelUs(l.timeOf(l.next)))
}

// End finishes the segment: pending beats are delivered. Samples may follow
// without a gap in time; they are a new segment.
func (l *Line) End(s Sink) error {
	l.peaks = l.det.End(l.peaks[:0])
	err := l.deliver(s)
	l.clean.Reset()
	l.segment, l.seen, l.had = l.next, 0, 0
	return err
}

// deliver turns the found peaks into beats.
func (l *Line) deliver(s Sink) error {
	for _, p := range l.peaks {
		p.Index += l.segment
		ns := PeakTime(p, l.timeOf)
		b, err := l.clean.Put(p, ns, l.labelUs(ns))
		if err != nil {
			return fmt.Errorf("beat at sample %d: %w", p.Index, err)
		}
		if s.Beat == nil {
			continue
		}
		if err := s.Beat(p, b); err != nil {
			return err
		}
	}
	return nil
}

func (l *Line) timeOf(i int64) int64 { return SampleTime(i, l.det.cfg.RateMilliHz) }

// SampleTime returns when sample i of a source with a constant rate is taken:
// round(i*10^9/rate) nanoseconds after sample 0. |i| is at most 2^39+1, the rate
// at least 100 Hz.
func SampleTime(i, rateMilliHz int64) int64 {
	if i < 0 {
		return -SampleTime(-i, rateMilliHz)
	}
	rate := uint64(rateMilliHz)
	hi, lo := bits.Mul64(uint64(i), 1_000_000_000_000)
	lo, carry := bits.Add64(lo, rate/2, 0)
	q, _ := bits.Div64(hi+carry, lo, rate) // hi < 2^16 < rate
	return int64(q)
}

// labelUs returns the Unix microseconds of a device time.
func (l *Line) labelUs(ns int64) int64 { return l.startUs + divRound(ns, 1000) }

// PeakTime returns the device time of a peak in nanoseconds: that of its sample
// plus Frac/1024 of the step to the neighbour on that side. timeOf gives the
// time of a sample.
func PeakTime(p Peak, timeOf func(int64) int64) int64 {
	t := timeOf(p.Index)
	switch {
	case p.Frac > 0:
		return t + divRound(int64(p.Frac)*(timeOf(p.Index+1)-t), 1024)
	case p.Frac < 0:
		return t + divRound(int64(p.Frac)*(t-timeOf(p.Index-1)), 1024)
	}
	return t
}
