package ecg

import "math/bits"

// A window of ten seconds is bad if two of three signs say so. With these limits
// 0.95 % of the beats found in the shared MIT-BIH records are marked: most of
// the flutter in 207, some pauses in 232.
const (
	judgeSeconds = 10
	judgeEvents  = 64 // beats of 11 s, at most one per 200 ms
	kurtosisMin  = 5  // of the filtered signal; noise has 3, a sine 1.5
	kurtosisClip = 4095
)

// qualityJudge compares the beats of each ten-second window with those of a
// second, cruder detector, and looks at the shape of the signal.
//
// The verdict falls one second after the window's end and marks the beats found
// until the next one: a beat is never held back for it, and none is removed.
type qualityJudge struct {
	bad     bool
	from    int64 // first sample of the window
	seconds int64 // complete seconds since from

	slope     maxima // of |d|
	limit     int64  // half the median of slope; 0 while unknown
	lastSteep int64
	beats     events
	steeps    events
	sum2      int64 // of (b/8)^2 over the window
	sum4      int64 // of (b/8)^4
	count     int64
}

// events is a bounded list of sample indices, rising.
type events struct {
	at [judgeEvents]int64
	n  int
}

func (e *events) add(i int64) {
	if e.n < judgeEvents {
		e.at[e.n] = i
		e.n++
	}
}

// dropBefore removes the events before sample i.
func (e *events) dropBefore(i int64) {
	k := 0
	for k < e.n && e.at[k] < i {
		k++
	}
	e.n = copy(e.at[:], e.at[k:e.n])
}

// begin forgets everything: the next window starts at sample n.
func (j *qualityJudge) begin(n int64) { *j = qualityJudge{from: n, lastSteep: n} }

// put looks at the newest sample.
func (j *qualityJudge) put(f *filter) {
	n := f.n - 1
	at := n & f.mask
	if j.seconds < judgeSeconds {
		v := min(abs(int64(f.b[at]))/8, kurtosisClip)
		v *= v
		j.sum2 += v
		j.sum4 += v * v
		j.count++
	}
	if d := abs(int64(f.d[at])); j.limit > 0 && d > j.limit && 4*(n-j.lastSteep) > f.second {
		j.lastSteep = n
		j.steeps.add(max(n-2*f.k-f.delay, 0))
	}
}

// second closes a second whose largest |d| was top.
func (j *qualityJudge) second(f *filter, top int64) {
	j.slope.add(top)
	j.limit = j.slope.median(8) / 2
	j.seconds++
	if j.seconds <= judgeSeconds {
		return
	}
	to := j.from + judgeSeconds*f.second
	votes := 0
	for _, sign := range []bool{j.disagrees(f, to), j.shapeless(), j.unlikely(f, to)} {
		if sign {
			votes++
		}
	}
	j.bad = votes >= 2
	j.beats.dropBefore(to)
	j.steeps.dropBefore(to)
	j.from, j.seconds = to, 1
	j.sum2, j.sum4, j.count = 0, 0, 0
}

// disagrees reports that less than 80 % of the two detectors' beats before
// sample to match within 150 ms.
func (j *qualityJudge) disagrees(f *filter, to int64) bool {
	a, b := j.beats.before(to), j.steeps.before(to)
	if len(a)+len(b) == 0 {
		return false
	}
	matched, i, k := 0, 0, 0
	for i < len(a) && k < len(b) {
		switch diff := a[i] - b[k]; {
		case 1000*abs(diff) <= 150*f.second:
			matched, i, k = matched+1, i+1, k+1
		case diff < 0:
			i++
		default:
			k++
		}
	}
	return 10*2*matched < 8*(len(a)+len(b))
}

func (e *events) before(to int64) []int64 {
	k := e.n
	for k > 0 && e.at[k-1] >= to {
		k--
	}
	return e.at[:k]
}

// shapeless reports a kurtosis below 5: n*sum4 < 5*sum2^2, in 128 bits.
func (j *qualityJudge) shapeless() bool {
	if j.sum2 == 0 {
		return false
	}
	h4, l4 := bits.Mul64(uint64(j.count), uint64(j.sum4))
	h2, l2 := bits.Mul64(uint64(j.sum2), uint64(j.sum2))
	carry, l2k := bits.Mul64(l2, kurtosisMin)
	h2 = h2*kurtosisMin + carry // sum2 < 2^38: the square has 76 bits
	return h4 < h2 || h4 == h2 && l4 < l2k
}

// unlikely reports that less than 80 % of the window's intervals lie in
// [300, 2000] ms.
func (j *qualityJudge) unlikely(f *filter, to int64) bool {
	b := j.beats.before(to)
	good := 0
	for i := 1; i < len(b); i++ {
		if rr := 1000 * (b[i] - b[i-1]); rr >= 300*f.second && rr <= 2000*f.second {
			good++
		}
	}
	return len(b) > 1 && 10*good < 8*(len(b)-1)
}
