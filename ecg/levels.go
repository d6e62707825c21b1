package ecg

import "slices"

// level holds the running estimates of one signal: what beats reach, and what
// noise reaches (Pan and Tompkins, "Adjusting the thresholds").
type level struct{ signal, noise int64 }

// threshold returns TH1 = noise + fraction*(signal-noise), fraction in 1/256.
func (l level) threshold(fraction int32) int64 {
	return l.noise + divRound((l.signal-l.noise)*int64(fraction), 256)
}

// towards moves a level to a new peak with a weight in 1/256.
func towards(level *int64, peak int64, weight int32) {
	*level += divRound((peak-*level)*int64(weight), 256)
}

// rates are the two averages of "Adjusting the average RR interval and rate
// limits": over the last eight intervals, and over the last eight that were
// within 92 and 116 % of the second average. All in samples.
type rates struct {
	all, regular   [8]int64
	nAll, nRegular int64 // intervals ever put into each
}

func (r *rates) put(rr int64) {
	r.all[r.nAll%8] = rr
	r.nAll++
	sum, n := sumOf(&r.regular, r.nRegular)
	if r.nRegular < 2 || 100*rr*n >= 92*sum && 100*rr*n <= 116*sum {
		r.regular[r.nRegular%8] = rr
		r.nRegular++
	}
}

// patience returns factor/256 times the expected interval: the smaller average,
// one second while fewer than two intervals are known.
func (r *rates) patience(factor int32, second int64) int64 {
	if r.nAll < 2 {
		return int64(factor) * second / 256
	}
	sumAll, nAll := sumOf(&r.all, r.nAll)
	sumRegular, nRegular := sumOf(&r.regular, r.nRegular)
	return min(int64(factor)*sumAll/(256*nAll), int64(factor)*sumRegular/(256*nRegular))
}

func sumOf(v *[8]int64, put int64) (sum, n int64) {
	n = min(put, 8)
	for _, x := range v[:n] {
		sum += x
	}
	return sum, n
}

// maxima are the largest values in each of the last eight seconds.
type maxima struct {
	of  [8]int64
	put int64
}

func (m *maxima) add(v int64) { m.of[m.put%8] = v; m.put++ }

// median returns the median of the last n maxima; the mean of the two middle
// ones for an even count, 0 if there are none.
func (m *maxima) median(n int64) int64 {
	n = min(n, m.put, 8)
	if n <= 0 {
		return 0
	}
	var last [8]int64
	for i := range n {
		last[i] = m.of[(m.put-1-i)%8]
	}
	s := last[:n]
	slices.Sort(s)
	return divRound(s[(n-1)/2]+s[n/2], 2)
}
