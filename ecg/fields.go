package ecg

// The fields of the detector's state, each type in its order. What is read is
// checked against what the code can produce, as far as memory safety and the
// length of loops depend on it.

// visit writes or reads the whole detector.
func (d *Detector) visit(v *visitor) {
	d.f.visit(v)
	n := d.f.n
	v.flag(&d.track.on)
	v.i64(&d.track.p)
	v.i64(&d.track.v)
	if d.track.on {
		v.within(d.track.p, max(0, n-1-d.f.confirm), max(0, n-1))
	}
	d.watch.visit(v, &d.f)
	d.judge.visit(v, &d.f)
	v.flag(&d.learning)
	v.i64(&d.learnFrom)
	v.within(d.learnFrom, 0, n)
	d.pending.visit(v, n)
	for _, l := range []*level{&d.v, &d.b} {
		v.i64(&l.signal)
		v.i64(&l.noise)
		v.within(l.signal, 0, maxLevel)
		v.within(l.noise, 0, maxLevel)
	}
	d.topV.visit(v)
	d.topB.visit(v)
	d.rate.visit(v, d.f.second)
	d.noise.visit(v, n)
	v.flag(&d.recent)
	d.last.visit(v, n)
	v.i64(&d.patient)
	v.flag(&d.stale)
	v.i64(&d.restart)
	v.within(d.restart, 0, n)
	v.flag(&d.fresh)
}

// maxLevel bounds the integrated signal: 200 squares below 2^44.
const maxLevel = 1 << 52

// visit leaves the history out before the first sample: it does not exist yet.
func (f *filter) visit(v *visitor) {
	v.i64(&f.n)
	v.within(f.n, 0, maxLine)
	if f.n == 0 {
		return
	}
	v.all32(f.x)
	v.all32(f.b)
	v.all32(f.d)
	v.all64(f.box)
	v.all64(f.low)
	v.all64(f.m)
	if v.reading && !v.bad {
		v.check(f.plausible())
		f.resum()
	}
}

// plausible checks the bounds that keep the arithmetic from overflowing.
func (f *filter) plausible() bool {
	box, low := f.lengths.low<<23, f.lengths.low*f.lengths.low<<23
	for i := range f.x {
		if abs(int64(f.x[i])) > maxInput || abs(int64(f.b[i])) > maxFilter || abs(int64(f.d[i])) > maxSlope ||
			abs(f.box[i]) > box || abs(f.low[i]) > low || f.m[i] < 0 || f.m[i] > maxLevel {
			return false
		}
	}
	return true
}

// resum computes the running sums from the history: what follows from other
// fields is not stored, so it cannot contradict them.
func (f *filter) resum() {
	f.sumBox, f.sumLow, f.sumHigh, f.sumSquare = 0, 0, 0, 0
	for i := int64(1); i <= f.ring; i++ {
		at := (f.n - i) & f.mask
		if i <= f.lengths.low {
			f.sumBox += int64(f.x[at])
			f.sumLow += f.box[at]
		}
		if i <= f.high {
			f.sumHigh += f.low[at]
		}
		if i <= f.window {
			f.sumSquare += int64(f.d[at]) * int64(f.d[at])
		}
	}
}

func (w *watch) visit(v *visitor, f *filter) {
	v.flag(&w.off)
	v.flag(&w.railed)
	v.i64(&w.lastRail)
	v.within(w.lastRail, 0, f.n)
	v.i64(&w.complete)
	v.i64(&w.observed)
	v.i64(&w.rail)
	v.i64(&w.quiets)
	v.i64(&w.deads)
	v.within(w.deads, 0, w.complete)
	v.check(w.complete == f.n/f.second)
	v.within(w.observed, 0, w.complete)
	v.within(w.quiets, 0, w.complete)
	v.within(w.rail, 0, f.n)
	for _, t := range []*tally{&w.now, &w.last} {
		v.i32(&t.low)
		v.i32(&t.high)
		v.i64(&t.topB)
		v.i64(&t.topD)
		v.i64(&t.topM)
		v.flag(&t.railed)
		v.flag(&t.flat)
		v.flag(&t.quiet)
		v.flag(&t.silent)
		v.within(t.topB, 0, maxFilter)
		v.within(t.topD, 0, maxSlope)
		v.within(t.topM, 0, maxLevel)
	}
}

// maxSlope bounds |d|: six times the filtered signal.
const maxSlope = 6 * maxFilter

func (j *qualityJudge) visit(v *visitor, f *filter) {
	v.flag(&j.bad)
	v.i64(&j.from)
	v.i64(&j.seconds)
	v.within(j.from, 0, f.n)
	v.within(j.seconds, 0, judgeSeconds)
	j.slope.visit(v)
	v.i64(&j.limit)
	v.i64(&j.lastSteep)
	v.within(j.lastSteep, 0, f.n)
	j.beats.visit(v, f.n)
	j.steeps.visit(v, f.n)
	v.i64(&j.sum2)
	v.i64(&j.sum4)
	v.i64(&j.count)
	v.within(j.count, 0, judgeSeconds*f.second)
	v.within(j.sum2, 0, j.count*kurtosisClip*kurtosisClip)
	v.within(j.sum4, 0, 1<<62)
}

func (e *events) visit(v *visitor, n int64) {
	v.length(&e.n, judgeEvents)
	for i := range e.n {
		v.i64(&e.at[i])
		v.within(e.at[i], 0, n)
	}
}

func (q *candidates) visit(v *visitor, n int64) {
	v.length(&q.n, listed)
	for i := range q.n {
		q.of[i].visit(v, n)
	}
}

func (c *candidate) visit(v *visitor, n int64) {
	v.i64(&c.p)
	v.i64(&c.at)
	v.i64(&c.v)
	v.i64(&c.f)
	v.i64(&c.slope)
	v.i64(&c.index)
	v.i32(&c.frac)
	v.i32(&c.amp)
	v.within(c.p, 0, n)
	v.within(c.at, 0, n)
	v.within(c.v, 0, maxLevel)
	v.within(c.f, 0, maxFilter)
	v.within(c.slope, 0, maxSlope)
	v.within(c.index, 0, n)
}

func (m *maxima) visit(v *visitor) {
	v.all64(m.of[:])
	v.i64(&m.put)
	v.within(m.put, 0, maxLine)
	for _, x := range m.of {
		v.within(x, 0, maxLevel)
	}
}

func (r *rates) visit(v *visitor, second int64) {
	v.i64(&r.nAll)
	v.i64(&r.nRegular)
	v.within(r.nAll, 0, maxLine)
	v.within(r.nRegular, min(r.nAll, 2), r.nAll)
	v.all64(r.all[:])
	v.all64(r.regular[:])
	for i := range r.all {
		v.within(r.all[i], 0, 3*second)
		v.within(r.regular[i], 0, 3*second)
	}
}
