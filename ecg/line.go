package ecg

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
	det   *Detector
	clean Cleaner
}

// NewLine returns a line whose first sample is taken at startUs, Unix
// microseconds.
func NewLine(cfg Config, startUs int64) (*Line, error) { return nil, nil }

// Put takes the next sample, in counts.
func (l *Line) Put(count int32, s Sink) error { return nil }

// Gap says that the next n samples are missing.
func (l *Line) Gap(n int64, s Sink) error { return nil }

// End finishes the line: pending beats are delivered.
func (l *Line) End(s Sink) error { return nil }

// MarshalBinary and UnmarshalBinary save and restore the line; the state of
// another configuration or start is refused.
func (l *Line) MarshalBinary() ([]byte, error) { return nil, nil }
func (l *Line) UnmarshalBinary(b []byte) error { return nil }
