package ecg

// Detector finds the R peaks of one lead, sample by sample. It is not safe for
// concurrent use. Its memory is bounded and allocated by New.
//
//	count ▸ filter ▸ tracker ▸ candidate ▸ decide ─▶ Peak
//	            │             │      └─ noise list ▸ search-back ─▶ Peak
//	            │             └─ a step of the baseline: dropped
//	            └─ second by second: is there a signal? is it good?
type Detector struct {
	cfg Config
	t   Tuning // with defaults
	f   filter

	track tracker
	watch watch // is there a signal
	judge qualityJudge

	// Learning: candidates wait until levels are known.
	learning  bool
	learnFrom int64 // first sample of the learning period
	pending   candidates

	// Decision.
	v, b    level // of the integrated and of the filtered signal
	topV    maxima
	topB    maxima
	rate    rates
	noise   candidates // what search-back may return to
	recent  bool       // last is a beat of this stretch
	last    candidate  // the last beat
	patient int64      // search-back when this many samples followed last.p
	stale   bool       // nothing changed since search-back last found nothing
	restart int64      // sample of the last beat or restart of the levels
	fresh   bool       // the next peak is the first of a stretch
	replay  bool       // candidates come out of the learning buffer
}

// New returns a detector, or an error that wraps ErrConfig.
func New(cfg Config) (*Detector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d := &Detector{cfg: cfg, t: cfg.Tuning.WithDefaults(), f: newFilter(cfg.lengths())}
	d.reset()
	return d, nil
}

// reset forgets the segment.
func (d *Detector) reset() {
	d.f.n = 0
	d.watch = watch{}
	d.begin(0)
}

// begin starts a stretch of signal at sample n: everything is learned anew.
func (d *Detector) begin(n int64) {
	d.track = tracker{}
	d.judge.begin(n)
	d.learning, d.learnFrom = true, n
	d.pending.n, d.noise.n = 0, 0
	d.v, d.b = level{}, level{}
	d.topV, d.topB = maxima{}, maxima{}
	d.rate = rates{}
	d.recent, d.last = false, candidate{}
	d.patient, d.stale = 0, true
	d.restart, d.fresh, d.replay = n, true, false
}

// Put takes the next sample and appends the peaks that it decides to out. It
// does not allocate if out has room. A peak is decided at most 0.6 s after it,
// or 1.66 expected intervals if only search-back finds it.
func (d *Detector) Put(count int32, out []Peak) []Peak {
	d.f.put(d.cfg.microvolts(count))
	ended := d.watch.put(d, count)
	switch {
	case d.watch.off:
		if d.watch.railed && d.watch.settled(&d.f) {
			d.back()
		}
	case d.watch.rail == railRun:
		out = d.leadOff(out)
		d.watch.railed = true
	default:
		out = d.step(out)
	}
	if ended {
		out = d.second(out)
	}
	return out
}

// step runs the decision for the newest sample.
func (d *Detector) step(out []Peak) []Peak {
	n := d.f.n - 1
	d.judge.put(&d.f)
	if d.track.follow(&d.f) {
		out = d.take(d.track.p, out)
		d.track.next(&d.f)
	}
	if d.learning {
		return out
	}
	if d.recent && !d.stale && n-d.last.p > d.patient {
		out = d.searchBack(n, out)
	}
	if n-d.restart >= 8*d.f.second {
		d.relevel()
		d.restart = n
	}
	return out
}

// second closes a second: it may start or end a lead-off, and the levels learn
// its maxima.
func (d *Detector) second(out []Peak) []Peak {
	w := &d.watch
	w.close()
	if w.off {
		if !w.railed && !w.last.silent {
			d.back()
		}
		return out
	}
	d.topV.add(w.last.topM)
	d.topB.add(w.last.topB)
	d.judge.second(&d.f, w.last.topD)
	if w.lost() {
		return d.leadOff(out)
	}
	if d.learning && d.f.n-d.learnFrom >= int64(d.t.LearnMS)*d.f.second/1000 {
		out = d.learned(out)
	}
	return out
}

// back starts a new stretch with the next sample.
func (d *Detector) back() {
	w := &d.watch
	w.off, w.railed = false, false
	w.now.topB, w.now.topD, w.now.topM = 0, 0, 0 // of the part before it
	d.begin(d.f.n)
}

// leadOff ends the stretch. What came before is finished; a maximum that the
// saturated samples made themselves is not.
func (d *Detector) leadOff(out []Peak) []Peak {
	if d.track.p > d.f.n-1-railRun && d.watch.rail >= railRun {
		d.track.on = false
	}
	out = d.finish(out)
	d.watch.off = true
	return out
}

// End finishes the segment: it appends what is pending and resets everything.
// The next sample is index 0 of a new segment.
func (d *Detector) End(out []Peak) []Peak {
	out = d.finish(out)
	d.reset()
	return out
}

// finish closes the stretch. One that is shorter than two seconds has no beats:
// there is nothing to set the levels by.
func (d *Detector) finish(out []Peak) []Peak {
	if d.watch.off {
		return out
	}
	if d.track.on {
		out = d.take(d.track.p, out)
		d.track = tracker{}
	}
	if d.learning && d.f.n-d.learnFrom >= 2*d.f.second {
		out = d.learned(out)
	}
	return out
}

// learned sets the levels from the learning period and classifies what waited,
// so that no beat is lost.
func (d *Detector) learned(out []Peak) []Peak {
	d.learning, d.replay = false, true
	d.relevel()
	for i := range d.pending.n {
		c := d.pending.of[i]
		for d.recent && !d.stale && c.at-1-d.last.p > d.patient {
			out = d.searchBack(c.at-1, out)
		}
		out = d.decide(c, out)
	}
	d.pending.n = 0
	d.restart, d.replay = d.f.n-1, false
	return out
}

// relevel sets both levels from the last eight one-second maxima.
func (d *Detector) relevel() {
	d.v = level{signal: d.topV.median(8)}
	d.b = level{signal: d.topB.median(8)}
	d.stale = false
}

// take passes the candidate at p on, or lets it wait while levels are being
// learned. One that a step of the baseline made is dropped and moves no level.
func (d *Detector) take(p int64, out []Peak) []Peak {
	c, ok := d.f.candidateAt(p)
	if !ok {
		return out
	}
	if d.learning {
		d.pending.push(c)
		return out
	}
	return d.decide(c, out)
}

// Seconds returns how many whole seconds of the segment are complete, and how
// many of them had a signal.
func (d *Detector) Seconds() (complete, observed int64) {
	return d.watch.complete, d.watch.observed
}

// HasSignal reports whether the last whole second had a signal. Without one
// there is no heart rate: it is absent, not 0.
func (d *Detector) HasSignal() bool { return d.watch.complete > 0 && !d.watch.last.silent }
