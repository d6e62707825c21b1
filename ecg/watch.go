package ecg

// Limits of "there is no signal".
const (
	flatUV    = 20 // raw range of a second below it: no signal
	deadUV    = 5  // less than any amplifier's noise
	quietUV   = 50 // filtered signal below it for two seconds: no signal
	railRun   = 3  // samples in a row at a rail: the input is saturated
	deadsOff  = 3  // dead seconds in a row: the lead is off
	quietsOff = 8  // flat or quiet seconds in a row: it is, too
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
// A saturated or dead lead is off: the detector stops, and the signal that comes
// back is learned anew, because an interval across it would be invented. After
// saturation that is as soon as the filters have forgotten it, otherwise after
// the first second that is not silent. Seconds that are merely flat or quiet may
// be a heart that pauses, so the interval over them remains, though they are not
// observed; only eight of them in a row are a lead off.
type watch struct {
	off                bool
	railed             bool  // off because of saturation
	lastRail           int64 // sample that was the third or later in a row at a rail
	complete, observed int64
	rail               int64 // samples in a row at a rail
	quiets             int64 // flat or quiet seconds in a row
	deads              int64 // dead seconds in a row
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
		if w.rail >= railRun {
			t.railed, w.lastRail = true, n
		}
	} else {
		w.rail = 0
	}
	return n+1 == (w.complete+1)*f.second
}

// settled reports that the filters have forgotten the last saturated sample.
func (w *watch) settled(f *filter) bool {
	return f.n-1-w.lastRail > 2*f.lengths.low+f.high+f.window+4*f.k
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
	w.quiets = oneMoreIf(t.quiet || t.flat, w.quiets)
	w.deads = oneMoreIf(t.high-t.low < deadUV, w.deads)
	w.complete++
	if !t.silent {
		w.observed++
	}
	w.last = *t
}

// lost reports that so many silent seconds are a lead off.
func (w *watch) lost() bool { return w.deads >= deadsOff || w.quiets >= quietsOff }

func oneMoreIf(yes bool, n int64) int64 {
	if yes {
		return n + 1
	}
	return 0
}
