package ecg

// decide classifies a candidate: dropped, noise or beat, in the order of the
// papers. Only the last of them appends to out.
func (d *Detector) decide(c candidate, out []Peak) []Peak {
	switch {
	case d.refractory(c):
		return out
	case c.f < 8*int64(d.t.FloorUV):
		d.toNoise(c)
	case c.v <= d.v.threshold(d.t.ThresholdV) || c.f <= d.b.threshold(d.t.ThresholdF) || d.tWave(c):
		d.toNoise(c)
		d.noise.push(c)
	default:
		out = d.beat(c, d.t.SignalWeight, 0, out)
	}
	d.stale = false
	return out
}

// refractory reports a candidate too soon after the last beat: no heart
// contracts again within 200 ms. It moves no level.
func (d *Detector) refractory(c candidate) bool {
	return d.recent && 1000*(c.index-d.last.index) < int64(d.t.RefractoryMS)*d.f.second
}

// tWave reports a candidate that is close behind a beat and much less steep
// (Pan and Tompkins, "T-wave identification"). Without it record 108 is lost.
func (d *Detector) tWave(c candidate) bool {
	return d.recent && 1000*(c.index-d.last.index) < int64(d.t.TWaveMS)*d.f.second &&
		256*c.slope < int64(d.t.TWaveSlope)*d.last.slope
}

func (d *Detector) toNoise(c candidate) {
	towards(&d.v.noise, c.v, d.t.NoiseWeight)
	towards(&d.b.noise, c.f, d.t.NoiseWeight)
}

// beat accepts c with the given weight in the signal levels.
func (d *Detector) beat(c candidate, weight int32, how Flags, out []Peak) []Peak {
	towards(&d.v.signal, c.v, weight)
	towards(&d.b.signal, c.f, weight)
	if d.recent {
		if rr := c.index - d.last.index; rr < 3*d.f.second {
			d.rate.put(rr)
		}
	}
	d.recent, d.last, d.restart = true, c, c.p
	d.patient = d.rate.patience(d.t.SearchAfter, d.f.second)
	d.noise.dropUntil(c.p)
	if d.fresh {
		how |= First
	}
	if d.replay {
		how |= Learned
	}
	if d.judge.bad {
		how |= Quality
	}
	d.fresh = false
	d.judge.beats.add(c.index)
	return append(out, Peak{Index: c.index, Frac: c.frac, Amp: c.amp, Flags: how})
}

// searchBack returns to the rejected candidates when no beat came for 1.66
// expected intervals: the largest that passes the lower thresholds was one. It
// runs at every sample, not at the next beat, which never comes in a pause.
func (d *Detector) searchBack(n int64, out []Peak) []Peak {
	d.stale = true
	v := divRound(d.v.threshold(d.t.ThresholdV)*int64(d.t.SearchV), 256)
	f := divRound(d.b.threshold(d.t.ThresholdF)*int64(d.t.SearchF), 256)
	best := -1
	for i := range d.noise.n {
		c := &d.noise.of[i]
		if c.at <= n && c.v > v && c.f > f && !d.refractory(*c) && !d.tWave(*c) &&
			(best < 0 || c.v > d.noise.of[best].v) {
			best = i
		}
	}
	if best < 0 {
		return out
	}
	d.stale = false
	return d.beat(d.noise.of[best], d.t.SearchWeight, SearchBack, out)
}
