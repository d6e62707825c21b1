package ecg

// Limits of "there is no signal".
const (
	flatUV    = 20 // raw range of a second below it: the lead is off
	quietUV   = 50 // filtered signal below it for two seconds: nothing to see
	railRun   = 3  // samples in a row at a rail: the input is saturated
	quietsOff = 8  // quiet seconds that count as a lead off, too
)

// tally is what is known about one second.
type tally struct {
	low, high           int32 // raw range, uV
	topB, topD, topM    int64
	railed              bool
	flat, quiet, silent bool // set when the second is complete
}

// watch decides, second by second, whether there is a signal.
//
// A flat or saturated lead stops the detector at once, and the signal that comes
// back is learned anew: an interval across a lead-off would be invented. A
// second that is merely quiet may be a heart that pauses, so the interval
// remains; only eight of them in a row are a lead off.
type watch struct {
	off                bool
	complete, observed int64
	rail               int64 // samples in a row at a rail
	quiets             int64 // quiet seconds in a row
	now, last          tally
}

// put looks at the newest sample; it reports whether a second is complete.
func (w *watch) put(d *Detector, count int32) bool {
	f := &d.f
	n := f.n - 1
	at := n & f.mask
	if n == w.complete*f.second {
		w.now = tally{low: f.x[at], high: f.x[at], railed: w.rail >= railRun}
	}
	t := &w.now
	t.low, t.high = min(t.low, f.x[at]), max(t.high, f.x[at])
	t.topB = max(t.topB, abs(int64(f.b[at])))
	t.topD = max(t.topD, abs(int64(f.d[at])))
	t.topM = max(t.topM, f.m[at])
	if d.railed(count) {
		w.rail++
		t.railed = t.railed || w.rail >= railRun
	} else {
		w.rail = 0
	}
	return n+1 == (w.complete+1)*f.second
}

func (d *Detector) railed(count int32) bool {
	c := &d.cfg
	return c.RailLow != c.RailHigh && (count <= c.RailLow || count >= c.RailHigh)
}

// close completes the second and says whether the lead is off.
func (w *watch) close() {
	t := &w.now
	t.flat = t.high-t.low < flatUV
	t.quiet = t.topB < 8*quietUV
	t.silent = t.railed || t.flat || t.quiet && w.last.quiet
	if t.quiet {
		w.quiets++
	} else {
		w.quiets = 0
	}
	w.complete++
	if !t.silent {
		w.observed++
	}
	w.last = *t
}
