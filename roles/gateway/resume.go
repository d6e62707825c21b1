package gateway

import (
	"errors"
	"fmt"
	"time"

	"statnet/store"
)

// maxCatchUp is the longest time off that a live patch makes up for; beyond it
// the gap is kept.
const maxCatchUp = 24 * time.Hour

// maxSamples bounds a stretch like a line of package ecg: 17 years at 1000 Hz.
const maxSamples = 1 << 39

// resume is where a run of synthetic signal stands behind its last committed
// sample. It is stored in one transaction with what came before, so whatever
// the process had not flushed when it died is made once more, and the same.
type resume struct {
	Start     int64         `json:"start"`     // time of sample 0, Unix microseconds
	Samples   int64         `json:"samples"`   // so far, the clock's gaps included
	Generator []byte        `json:"generator"` // of package synth
	Line      []byte        `json:"line"`      // of package ecg: detector and cleaner
	Growing   store.Segment `json:"growing"`   // the segment that the next second may extend; zero for none
}

// save puts the position of p into its state.
func (p *stretch) save() error {
	gen, err := p.gen.MarshalBinary()
	if err != nil {
		return fmt.Errorf("save patch: %w", err)
	}
	line, err := p.line.MarshalBinary()
	if err != nil {
		return fmt.Errorf("save detector: %w", err)
	}
	r := &resume{Start: p.start, Samples: p.samples, Generator: gen, Line: line}
	if n := len(p.g.segments); n > 0 {
		r.Growing = p.g.segments[n-1]
	}
	p.state.Resume = r
	return nil
}

// resume goes on from a saved state, or says why that cannot be. now, Unix
// microseconds, is how far the stretch is to be caught up.
//
// Generator and line check that they are of this version and configuration. That
// both stand at the same sample is the word of the store, whose rows have
// checksums.
func (s *synthSource) resume(st sourceState, now int64) (*stretch, error) {
	r := st.Resume
	switch {
	case r == nil:
		return nil, errors.New("resume patch: its state has no position: an older version wrote it")
	case st.Live && now-st.Until > maxCatchUp.Microseconds():
		return nil, fmt.Errorf("resume patch: it stopped more than %v ago", maxCatchUp)
	case r.Samples < 0 || r.Samples > maxSamples || r.Start < 0 || r.Start > st.Until || st.Until >= latest || st.Run == 0:
		return nil, fmt.Errorf("resume patch: position of run %d out of range", st.Run)
	case r.Growing != store.Segment{} && (r.Growing.From <= 0 || r.Growing.To <= r.Growing.From || r.Growing.To > st.Until+slack):
		return nil, errors.New("resume patch: impossible segment")
	}
	p, err := s.build(st.Run, r.Start)
	if err != nil {
		return nil, err
	}
	if err := p.gen.UnmarshalBinary(r.Generator); err != nil {
		return nil, fmt.Errorf("resume patch: %w", err)
	}
	if err := p.line.UnmarshalBinary(r.Line); err != nil {
		return nil, fmt.Errorf("resume patch: %w", err)
	}
	if p.step(r.Samples); p.at != st.Until {
		return nil, fmt.Errorf("resume patch: position of sample %d is not where the state ends", r.Samples)
	}
	p.live, p.state.Live = now, st.Live
	if r.Growing != (store.Segment{}) {
		p.g.segments = []store.Segment{r.Growing}
	}
	return p, nil
}
