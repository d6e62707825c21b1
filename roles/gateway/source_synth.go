package gateway

import (
	"context"
	"log/slog"
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
//	from ──history── live ──tick──tick── off ┄┄┄┄ on ──tick──tick──▶
//	                                         └ caught up at once, from the saved state
//	a heart that cannot be gone on with leaves a gap, and a new stretch ("run")
//	with a seed of its own begins
type synthSource struct {
	cfg config.Source
	now func() time.Time
	log *slog.Logger
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
	p, err := s.stretch(st, s.now().Truncate(time.Second))
	if err != nil {
		return err
	}
	p.put = put
	if !s.cfg.Live {
		if err := p.advance(ctx, p.live); err != nil {
			return err
		}
		return p.end()
	}
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	return p.follow(ctx, s.now)
}

// stretch goes on with the run that was cut off, or begins the next one.
func (s *synthSource) stretch(st sourceState, now time.Time) (*stretch, error) {
	if st.Until != 0 && !st.Done {
		p, err := s.resume(st, now.UnixMicro())
		if err == nil {
			return p, nil
		}
		s.log.Warn("a new segment begins: the patch cannot go on from its saved state", "err", err)
	}
	return s.begin(st, now.UnixMicro())
}

// begin starts a run. The first starts its history on an epoch; after one that
// was cut off in its history it goes on in time where that stopped, and after
// one that was live it leaves a gap.
func (s *synthSource) begin(st sourceState, live int64) (*stretch, error) {
	from := st.Until
	switch {
	case st.Until == 0 && s.cfg.History == 0:
		from = live
	case st.Until == 0:
		from = (live - s.cfg.History.Std().Microseconds()) / microsPerEpoch * microsPerEpoch
	case st.Live:
		from = max(live, st.Until) // a clock that went back is waited for
	}
	p, err := s.build(st.Run+1, from)
	if err != nil {
		return nil, err
	}
	p.live, p.state.Live = live, st.Live
	if st.Live {
		p.g.gap(st.Until, from, "restart")
	}
	return p, nil
}

// build makes a stretch whose first sample is taken at start, Unix microseconds.
func (s *synthSource) build(run uint64, start int64) (*stretch, error) {
	gen, err := synth.New(synth.Config{RateMilliHz: int64(s.cfg.RateHz) * 1000, Rhythm: synth.Rhythm(s.cfg.Rhythm),
		Seed: s.cfg.Seed + (run-1)<<32})
	if err != nil {
		return nil, err
	}
	line, err := ecg.NewLine(ecg.Config{RateMilliHz: int64(s.cfg.RateHz) * 1000, NanovoltPerCount: synthNanovolt,
		Tuning: ecg.DefaultTuning()}, start)
	return &stretch{gen: gen, line: line, state: sourceState{Kind: config.SourceSynth, Run: run}, endless: s.cfg.Live,
		start: start, at: start, rate: int64(s.cfg.RateHz)}, err
}

// stretch is one unbroken run of synthetic signal.
type stretch struct {
	gen   *synth.Generator
	line  *ecg.Line
	put   func(store.PatientBatch) error
	g     gather
	state sourceState

	endless bool  // live follows the history
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
		b, err := p.batch(p.at - detectorDelay.Microseconds())
		if err != nil {
			return err
		}
		if err := p.put(b); err != nil {
			return err
		}
	}
	return nil
}

// catchUp plays up to the present, and what passes meanwhile: a small machine
// may need minutes for a day.
func (p *stretch) catchUp(ctx context.Context) error {
	began, to := time.Now(), p.live
	for p.at < to {
		if err := p.advance(ctx, to); err != nil {
			return err
		}
		to = p.live + time.Since(began).Truncate(time.Second).Microseconds()
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

// end finishes a stretch that is complete: nothing is pending behind its last
// batch, which closes the epoch it ends in.
func (p *stretch) end() error {
	if err := p.line.End(p.g.sink("patch")); err != nil {
		return err
	}
	p.state.Done, p.state.Until, p.state.Resume = true, p.at, nil
	return p.put(p.g.take(max(closing(p.at), 0), p.state.bytes(), false))
}

// batch is what was played since the last one, with the state to go on from
// right behind it.
func (p *stretch) batch(until int64) (store.PatientBatch, error) {
	p.state.Until = p.at
	p.state.Live = p.state.Live || p.endless && p.at >= p.live
	if err := p.save(); err != nil {
		return store.PatientBatch{}, err
	}
	return p.g.take(max(until, 0), p.state.bytes(), true), nil
}
