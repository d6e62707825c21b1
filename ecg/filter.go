package ecg

// Bounds that keep all sums inside int64, whatever the samples are.
const (
	maxInput  = 1<<23 - 1 // microvolts, after conversion
	maxFilter = 1<<19 - 1 // band-passed signal, 1/8 uV
)

// lengths are the constants of a configuration in samples.
type lengths struct {
	second  int64 // samples of a second
	confirm int64 // a maximum stands after so many samples without a larger one
	low     int64 // L, each low-pass boxcar
	high    int64 // M, moving average of the high-pass, odd
	window  int64 // W, integration
	k       int64 // step of the derivative
	delay   int64 // of the band-passed signal
	fid     int64 // R is sought within +-fid of the filtered peak
	fit     int64 // h, half width of the parabola
	rise    int64 // a step of the baseline takes so long
	seek    int64 // it is sought within +-seek of the filtered peak
	hold    int64 // and stays so long
	ring    int64 // history kept, a power of two
}

func (c Config) lengths() lengths {
	t := c.Tuning.WithDefaults()
	ms := func(x int32) int64 { return max(1, (int64(x)*c.RateMilliHz+500_000)/1_000_000) }
	var n lengths
	n.second, n.confirm = ms(1000), ms(200)
	n.low, n.high, n.window = ms(t.LowPassMS), ms(t.HighPassMS)|1, ms(t.IntegrateMS)
	n.k = max(1, (c.RateMilliHz+100_000)/200_000)
	n.delay = n.low - 1 + (n.high-1)/2
	n.fid, n.fit = ms(t.FiducialMS), ms(t.FitMS)
	n.rise, n.seek, n.hold = ms(stepRiseMS), ms(stepSeekMS), ms(stepHoldMS)
	need := n.confirm + n.window + 4*n.k + n.delay + max(n.fid+n.fit, n.seek+n.hold) + 2
	for n.ring = 1; n.ring < max(need, n.high+1, n.second/4); n.ring *= 2 {
	}
	return n
}

// filter is the signal path of Pan and Tompkins ("Bandpass filter" to
// "Moving-window integration"), rescaled from 200 Hz: sums of samples only, so
// that phase is linear and every rate has the same band.
//
//	x ▸ two boxcars of L ▸ delayed input minus mean of M ▸ slope ▸ square ▸ sum of W
//	raw uV                    b, 1/8 uV                      d              m
type filter struct {
	lengths
	mask int64
	n    int64 // samples taken; the newest is n-1

	x, b, d     []int32
	box, low, m []int64 // first boxcar, second boxcar (l), integrated squares
	sumBox      int64   // of the last L x
	sumLow      int64   // of the last L box
	sumHigh     int64   // of the last M low
	sumSquare   int64   // of the last W d^2
	gain        int64   // M*L*L
}

func newFilter(n lengths) filter {
	return filter{
		lengths: n, mask: n.ring - 1, gain: n.high * n.low * n.low,
		x: make([]int32, n.ring), b: make([]int32, n.ring), d: make([]int32, n.ring),
		box: make([]int64, n.ring), low: make([]int64, n.ring), m: make([]int64, n.ring),
	}
}

// start puts every stage into the state that an endless signal of value x has
// left behind.
func (f *filter) start(x int32) {
	f.sumBox = int64(x) * f.lengths.low
	f.sumLow = f.sumBox * f.lengths.low
	f.sumHigh = f.sumLow * f.high
	f.sumSquare, f.n = 0, 0
	for i := range f.x {
		f.x[i], f.b[i], f.d[i] = x, 0, 0
		f.box[i], f.low[i], f.m[i] = f.sumBox, f.sumLow, 0
	}
}

// put takes one sample in microvolts, |x| <= maxInput.
func (f *filter) put(x int32) {
	if f.n == 0 {
		f.start(x)
	}
	n, mask := f.n, f.mask
	at := n & mask
	f.sumBox += int64(x) - int64(f.x[(n-f.lengths.low)&mask])
	f.x[at] = x
	f.sumLow += f.sumBox - f.box[(n-f.lengths.low)&mask]
	f.box[at] = f.sumBox
	f.sumHigh += f.sumLow - f.low[(n-f.high)&mask]
	f.low[at] = f.sumLow
	b := divRound(8*(f.high*f.low[(n-(f.high-1)/2)&mask]-f.sumHigh), f.gain)
	b = min(max(b, -maxFilter), maxFilter)
	f.b[at] = int32(b)

	var d int64
	if n >= 4*f.k {
		d = b + 2*int64(f.b[(n-f.k)&mask]) - 2*int64(f.b[(n-3*f.k)&mask]) - int64(f.b[(n-4*f.k)&mask])
	}
	old := int64(f.d[(n-f.window)&mask])
	f.sumSquare += d*d - old*old
	f.d[at], f.m[at] = int32(d), f.sumSquare
	f.n++
}

// divRound divides and rounds to nearest, halves away from zero; den > 0.
func divRound(num, den int64) int64 {
	if num < 0 {
		return -((-num + den/2) / den)
	}
	return (num + den/2) / den
}

// microvolts converts a count. The product is below 2^55.
func (c *Config) microvolts(count int32) int32 {
	x := divRound(int64(count)*c.NanovoltPerCount, 1000)
	return int32(min(max(x, -maxInput), maxInput))
}
