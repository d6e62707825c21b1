package stat

import (
	"errors"
	"fmt"
	"math/bits"
)

// Bounds of one accepted beat and of one five-minute epoch of one patient.
// CheckFit derives every overflow bound from these, and the store enforces the
// per-epoch ones, so they are part of the protocol: changing one changes which
// questions fit.
const (
	MinRR = 200  // shortest accepted interval, ms
	MaxRR = 3000 // longest accepted interval, ms

	EpochSeconds     = 300  // length of an epoch
	MaxEpochBeats    = 1280 // accepted beats an epoch; more are counted as rejected
	MaxEpochRejected = 2047 // rejected beats an epoch that are counted
	NumBins          = 64   // histogram bins
)

// ErrNegative reports totals that went backwards: a window whose end state is
// smaller than its start state. Prefix sums only grow, so a stored row is wrong.
var ErrNegative = errors.New("totals decrease over time")

// Totals are one patient's additive sums, either since enrolment (the prefix
// sum S_k at the end of epoch k) or over a window (a difference of two).
//
// The zero value is the state at enrolment.
type Totals struct {
	N    uint64 // accepted beats
	S1   uint64 // Σ RR, ms
	S2   uint64 // Σ RR², ms²
	M    uint64 // pairs: accepted neighbours of one segment, in the epoch of the later beat
	D2   uint64 // Σ ΔRR² over pairs, ms²
	NN50 uint64 // pairs with |ΔRR| > 50 ms, strictly
	NIRR uint64 // pairs with 16·|ΔRR| > the earlier RR (6.25 %)
	H1   uint64 // Σ h, h = instantaneous heart rate in 0.1/min
	H2   uint64 // Σ h², 0.01/min²
	OBS  uint64 // whole seconds observed, in the epoch where each begins
	REJ  uint64 // rejected beats (declared, not derived from accepted ones)

	Bins [NumBins]uint64 // accepted beats by RR, see Bin
}

// Accept adds one accepted beat of rr ms. prev is the RR of the beat just
// before it if that one was accepted and lies in the same segment, else 0: then
// the beat makes no pair.
//
// An rr outside [MinRR, MaxRR] can only come from a caller that did not look at
// the flags; it is counted as rejected, because no sum may hold it. Accept does
// not check times, nor the limit of MaxEpochBeats: the store does.
func (t *Totals) Accept(rr, prev int32) {
	if rr < MinRR || rr > MaxRR {
		t.Reject()
		return
	}
	x, h := uint64(rr), uint64(Rate(rr))
	t.N++
	t.S1 += x
	t.S2 += x * x
	t.H1 += h
	t.H2 += h * h
	t.Bins[Bin(rr)]++
	if prev >= MinRR && prev <= MaxRR {
		t.pair(rr, prev)
	}
}

func (t *Totals) pair(rr, prev int32) {
	d := uint64(max(rr-prev, prev-rr))
	t.M++
	t.D2 += d * d
	if d > 50 {
		t.NN50++
	}
	if 16*d > uint64(prev) {
		t.NIRR++
	}
}

// Reject counts one rejected beat.
func (t *Totals) Reject() { t.REJ++ }

// Add adds o to t. The caller adds at most one patient's lifetime: the sums of
// 2^24 epochs stay below 2^58 and cannot wrap.
func (t *Totals) Add(o Totals) {
	a, b := t.fields(), o.fields()
	for i := range a {
		*a[i] += *b[i]
	}
	for k := range t.Bins {
		t.Bins[k] += o.Bins[k]
	}
}

// Sub returns the window totals t − o, where o is the earlier state. It refuses
// with ErrNegative when any component would be negative.
func (t Totals) Sub(o Totals) (Totals, error) {
	a, b := t.fields(), o.fields()
	for i := range a {
		d, borrow := bits.Sub64(*a[i], *b[i], 0)
		if borrow != 0 {
			return Totals{}, fmt.Errorf("subtract prefix sums: %s: %w", componentNames[i+1], ErrNegative)
		}
		*a[i] = d
	}
	for k := range t.Bins {
		d, borrow := bits.Sub64(t.Bins[k], o.Bins[k], 0)
		if borrow != 0 {
			return Totals{}, fmt.Errorf("subtract prefix sums: bin %d: %w", k, ErrNegative)
		}
		t.Bins[k] = d
	}
	return t, nil
}

// fields lists the scalar components in the order of the plaintext values 1..11.
func (t *Totals) fields() [11]*uint64 {
	return [11]*uint64{&t.N, &t.S1, &t.S2, &t.M, &t.D2, &t.NN50, &t.NIRR, &t.H1, &t.H2, &t.OBS, &t.REJ}
}

// Rate returns the instantaneous heart rate of an interval of rr ms in tenths
// of a beat per minute, rounded half up: 600,000/rr. rr must lie in
// [MinRR, MaxRR].
func Rate(rr int32) int32 { return (1_200_000 + rr) / (2 * rr) }

// binRuns are runs of histogram bins of one width. The bins are narrow where
// resting adults live and wide at the ends.
var binRuns = [...]struct {
	first int   // index of the run's first bin
	from  int32 // lower edge of the run, ms
	width int32 // of each bin, ms
}{{0, 200, 40}, {5, 400, 20}, {45, 1200, 30}, {55, 1500, 100}, {60, 2000, 250}, {64, 3000, 0}}

// Bin returns the histogram bin of an interval of rr ms in [MinRR, MaxRR]. Bins
// are half open, but the last one includes MaxRR.
func Bin(rr int32) int {
	if rr >= MaxRR {
		return NumBins - 1
	}
	i := 0
	for binRuns[i+1].from <= rr {
		i++
	}
	return binRuns[i].first + int((rr-binRuns[i].from)/binRuns[i].width)
}

// BinEdge returns the lower edge of bin k in ms, for k in [0, NumBins];
// BinEdge(NumBins) is MaxRR.
func BinEdge(k int) int32 {
	i := 0
	for i+1 < len(binRuns) && binRuns[i+1].first <= k {
		i++
	}
	return binRuns[i].from + int32(k-binRuns[i].first)*binRuns[i].width
}
