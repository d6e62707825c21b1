package gateway

import (
	"context"
	"time"

	"statnet/config"
	"statnet/ecg"
	"statnet/ecg/synth"
	"statnet/store"
)

const (
	synthTick  = time.Second      // how often the live patch sends
	synthChunk = 60 * time.Second // signal in one batch

	// synthJump is the largest step of the clock that the patch bridges with
	// signal; beyond it the time was not observed and is a gap.
	synthJump = time.Minute

	// detectorDelay bounds how long after an R peak the detector may still name
	// it: 0.6 s, or 1.66 expected intervals of at most 3 s when only search-back
	// finds it, or 8 s when it starts its levels anew.
	detectorDelay = 15 * time.Second

	synthNanovolt = 1000 // one count of package synth is 1 uV
)

// synthSource is an endless patch with a made-up heart: first a history, at
// once, then real time.
//
//	from ──────history────── live ──tick──tick──▶
//	each start of the process is a new stretch ("run") with a seed of its own;
//	the time between two runs is a gap
type synthSource struct {
	cfg config.Source
	now func() time.Time
}

// Run implements Source.
func (s *synthSource) Run(ctx context.Context, state []byte, put func(store.PatientBatch) error) error {
	st, err := readState(config.SourceSynth, state)
	if err != nil {
		return err
	}
	if st.Done && !s.cfg.Live {
		return nil // a history without a live patch, complete
	}
	p, err := s.stretch(st, s.now().Truncate(time.Second), put)
	if err != nil {
		return err
	}
	err = p.advance(ctx, p.live)
	if err == nil && s.cfg.Live {
		err = p.follow(ctx, s.now)
	}
	if end := p.end(err == nil); err == nil {
		return end
	}
	return err
}

// stretch begins the next run of signal. A first run starts its history on an
// epoch; a run that was cut off in its history goes on where it stopped, and
// one that was live leaves a gap.
func (s *synthSource) stretch(st sourceState, now time.Time, put func(store.PatientBatch) error) (*stretch, error) {
	p := &stretch{put: put, state: sourceState{Kind: config.SourceSynth, Run: st.Run + 1, Live: st.Live}, live: now.UnixMicro()}
	switch {
	case st.Until == 0:
		p.at = (p.live - s.cfg.History.Std().Microseconds()) / microsPerEpoch * microsPerEpoch
		if s.cfg.History == 0 {
			p.at = p.live
		}
	case st.Live:
		p.at = max(p.live, st.Until) // a clock that went back is waited for
		p.g.gap(st.Until, p.at, "restart")
	default:
		p.at = st.Until
	}
	var err error
	p.gen, err = synth.New(synth.Config{RateMilliHz: int64(s.cfg.RateHz) * 1000, Rhythm: synth.Rhythm(s.cfg.Rhythm),
		Seed: s.cfg.Seed + st.Run<<32})
	if err != nil {
		return nil, err
	}
	p.line, err = ecg.NewLine(ecg.Config{RateMilliHz: int64(s.cfg.RateHz) * 1000, NanovoltPerCount: synthNanovolt,
		Tuning: ecg.DefaultTuning()}, p.at)
	p.start, p.rate = p.at, int64(s.cfg.RateHz)
	return p, err
}

// stretch is one unbroken run of synthetic signal.
type stretch struct {
	gen   *synth.Generator
	line  *ecg.Line
	put   func(store.PatientBatch) error
	g     gather
	state sourceState

	start   int64 // time of sample 0, Unix microseconds
	at      int64 // time of the next sample
	live    int64 // where the history ends
	rate    int64 // samples a second
	samples int64 // delivered so far
}

// advance plays the signal up to the given time, a batch a chunk.
func (p *stretch) advance(ctx context.Context, to int64) error {
	for p.at < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.play(min(to, p.at+synthChunk.Microseconds())); err != nil {
			return err
		}
		if err := p.put(p.batch(p.at - detectorDelay.Microseconds())); err != nil {
			return err
		}
	}
	return nil
}

func (p *stretch) play(to int64) error {
	sink := p.g.sink("patch")
	for ; p.at < to; p.step(1) {
		var err error
		if count := p.gen.Next(); count == synth.Missing {
			err = p.line.Gap(1, sink)
		} else {
			err = p.line.Put(count, sink)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// step moves the clock of the stretch on by n samples.
func (p *stretch) step(n int64) {
	p.samples += n
	p.at = p.start + p.samples/p.rate*microsPerSecond + p.samples%p.rate*microsPerSecond/p.rate
}

// follow sends in real time until ctx is cancelled. now is asked again on every
// tick, as the clock of a small machine steps when it first meets a time server.
func (p *stretch) follow(ctx context.Context, now func() time.Time) error {
	p.state.Live = true
	tick := time.NewTicker(synthTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		t := now().UnixMicro()
		if ahead := t - p.at; ahead > synthJump.Microseconds() {
			n := ahead / microsPerSecond * p.rate
			if err := p.line.Gap(n, p.g.sink("clock")); err != nil {
				return err
			}
			p.step(n)
		}
		if err := p.advance(ctx, t); err != nil {
			return err
		}
	}
}

// end finishes the stretch: nothing is pending behind its last batch. A source
// that is complete closes the epoch it ends in.
func (p *stretch) end(complete bool) error {
	if err := p.line.End(p.g.sink("patch")); err != nil {
		return err
	}
	until := p.at
	if p.state.Done = complete; complete {
		until = closing(p.at)
	}
	return p.put(p.batch(until))
}

func (p *stretch) batch(until int64) store.PatientBatch {
	p.state.Until = p.at
	return p.g.take(max(until, 0), p.state.bytes(), true)
}
