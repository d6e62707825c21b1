package screen

import "math/big"

// Sums are the additive integers of time-domain heart rate variability (Task
// Force, Circulation 93:1043-1065, 1996, Table 1) over any selection of
// intervals, without the limits that sums for queries have.
type Sums struct {
	N    uint64 `json:"n"`
	S1   uint64 `json:"sum"`   // ms
	S2   uint64 `json:"sumsq"` // ms^2
	M    uint64 `json:"m"`     // pairs of neighbours that are both in the selection
	D2   uint64 `json:"sumdsq"`
	NN50 uint64 `json:"nn50"` // pairs that differ by more than 50 ms
}

// maxSum bounds an interval that sums take, ms: 12 days. Squares stay below
// 2^60, and 2^3 of them fit.
const maxSum = 1 << 30

// Put adds the interval rr; prev is its neighbour before it if that is in the
// selection, else 0. Intervals that no heart makes are left out.
func (s *Sums) Put(rr, prev int32) {
	if rr <= 0 || rr > maxSum {
		return
	}
	x := uint64(rr)
	s.N, s.S1, s.S2 = s.N+1, s.S1+x, s.S2+x*x
	if prev <= 0 || prev > maxSum {
		return
	}
	d := uint64(max(rr-prev, prev-rr))
	s.M, s.D2 = s.M+1, s.D2+d*d
	if d > 50 {
		s.NN50++
	}
}

// Add adds another selection's sums.
func (s *Sums) Add(o Sums) {
	s.N, s.S1, s.S2 = s.N+o.N, s.S1+o.S1, s.S2+o.S2
	s.M, s.D2, s.NN50 = s.M+o.M, s.D2+o.D2, s.NN50+o.NN50
}

// Derived are the usual figures; nil where a divisor is 0, never 0 or NaN.
type Derived struct {
	MeanRR   *float64 `json:"mean_rr_ms"`
	MeanHR   *float64 `json:"mean_hr_bpm"` // beats per time, 60000/mean RR
	Variance *float64 `json:"var_ms2"`     // divisor N-1
	SDNN     *float64 `json:"sdnn_ms"`
	RMSSD    *float64 `json:"rmssd_ms"`
	PNN50    *float64 `json:"pnn50"` // fraction of M
	CV       *float64 `json:"cv"`
	NRMSSD   *float64 `json:"nrmssd"` // RMSSD over mean
}

// precision of intermediate values in bits: sums are exact, roots are good to
// far more digits than are printed.
const precision = 200

// Derive computes the figures from exact integers, rounding once at the end.
func (s Sums) Derive() Derived {
	var d Derived
	n, s1, s2, m := num(s.N), num(s.S1), num(s.S2), num(s.M)
	if s.N > 0 && s.S1 > 0 {
		d.MeanRR = value(div(s1, n))
		d.MeanHR = value(div(mul(num(60_000), n), s1))
	}
	if s.N > 1 {
		v := div(sub(mul(n, s2), mul(s1, s1)), mul(n, num(s.N-1)))
		d.Variance, d.SDNN = value(v), value(root(v))
		d.CV = value(div(mul(root(v), n), s1))
	}
	if s.M > 0 {
		r := root(div(num(s.D2), m))
		d.RMSSD, d.PNN50 = value(r), value(div(num(s.NN50), m))
		d.NRMSSD = value(div(mul(r, n), s1))
	}
	return d
}

func num(x uint64) *big.Float        { return new(big.Float).SetPrec(precision).SetUint64(x) }
func div(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(precision).Quo(a, b) }
func mul(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(precision).Mul(a, b) }
func sub(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(precision).Sub(a, b) }
func root(a *big.Float) *big.Float   { return new(big.Float).SetPrec(precision).Sqrt(a) }
func value(a *big.Float) *float64    { f, _ := a.Float64(); return &f }
