package ecg

import "testing"

func config(hz int64) Config { return Config{RateMilliHz: hz * 1000, NanovoltPerCount: 1000} }

// The table of the design: L, M, W, k, h and the delay of b, for the papers'
// constants.
func TestLengthsFollowTheRate(t *testing.T) {
	for _, tt := range [][7]int64{
		{125, 4, 21, 19, 1, 1, 13}, {130, 4, 21, 20, 1, 1, 13}, {200, 6, 33, 30, 1, 2, 21}, {250, 8, 41, 38, 1, 3, 27},
		{360, 11, 59, 54, 2, 4, 39}, {500, 15, 81, 75, 3, 5, 54}, {512, 15, 83, 77, 3, 5, 55}, {1000, 30, 161, 150, 5, 10, 109},
	} {
		n := config(tt[0]).lengths()
		if got := [7]int64{tt[0], n.low, n.high, n.window, n.k, n.fit, n.delay}; got != tt {
			t.Errorf("lengths at %d Hz = %v, want %v", tt[0], got, tt)
		}
	}
}

// The filter is compared with its definition, summed anew for every sample.
func TestFilterEqualsItsDefinition(t *testing.T) {
	f := newFilter(config(250).lengths())
	x := make([]int64, 900)
	rng := uint32(1)
	for i := range x {
		rng = rng*1664525 + 1013904223
		x[i] = int64(rng>>8)%(2*maxInput+1) - maxInput
	}
	at := func(v []int64, i int64) int64 { return v[max(i, 0)] } // steady state before the first sample
	L, M, W, k := f.lengths.low, f.high, f.window, f.k
	low, b, sq := make([]int64, len(x)), make([]int64, len(x)), make([]int64, len(x))
	for n := range int64(len(x)) {
		f.put(int32(x[n]))
		for i := range L {
			for j := range L {
				low[n] += at(x, n-i-j)
			}
		}
		sum := int64(0)
		for i := range M {
			sum += at(low, n-i)
		}
		b[n] = min(max(divRound(8*(M*at(low, n-(M-1)/2)-sum), M*L*L), -maxFilter), maxFilter)
		if n >= 4*k {
			d := b[n] + 2*b[n-k] - 2*b[n-3*k] - b[n-4*k]
			sq[n] = d * d
		}
		m := int64(0)
		for i := max(n-W+1, 0); i <= n; i++ {
			m += sq[i]
		}
		if got := int64(f.b[n&f.mask]); got != b[n] {
			t.Fatalf("b[%d] = %d, want %d", n, got, b[n])
		}
		if got := f.m[n&f.mask]; got != m || m > maxLevel {
			t.Fatalf("m[%d] = %d, want %d, at most 2^52", n, got, m)
		}
	}
}

func TestRoundingIsHalfAwayFromZero(t *testing.T) {
	for _, tt := range [][3]int64{{5, 10, 1}, {4, 10, 0}, {-5, 10, -1}, {-4, 10, 0}, {15, 10, 2}, {-15, 10, -2}, {1, 3, 0}, {2, 3, 1}} {
		if got := divRound(tt[0], tt[1]); got != tt[2] {
			t.Errorf("divRound(%d, %d) = %d, want %d", tt[0], tt[1], got, tt[2])
		}
	}
}

func TestMicrovoltsSaturate(t *testing.T) {
	c := Config{NanovoltPerCount: 10_000_000}
	for count, want := range map[int32]int32{0: 0, 1: 10_000, -1: -10_000, 1<<31 - 1: maxInput, -1 << 31: -maxInput} {
		if got := c.microvolts(count); got != want {
			t.Errorf("microvolts(%d) = %d, want %d", count, got, want)
		}
	}
}

// The vectors of the design: parabola through 3, 5 and 9 points.
func TestFitVectors(t *testing.T) {
	for _, tt := range []struct {
		y    []int32
		want int32
	}{
		{[]int32{900, 1000, 960}, 219},
		{[]int32{500, 900, 1000, 960, 700}, 226},
		{[]int32{200, 500, 800, 950, 1000, 970, 850, 600, 300}, 146},
	} {
		for _, sign := range []int32{1, -1} {
			f := newFilter(config(250).lengths())
			f.fit = int64(len(tt.y) / 2)
			for _, y := range tt.y {
				f.put(sign * y)
			}
			if got := f.parabola(f.fit, int64(sign)); got != tt.want {
				t.Errorf("parabola of %v, sign %d = %d, want %d", tt.y, sign, got, tt.want)
			}
		}
	}
}

func TestFitIsLimitedAndNeverFindsAMinimum(t *testing.T) {
	for _, tt := range []struct {
		name string
		y    []int32
		want int32
	}{
		{"a valley has no vertex", []int32{1000, 0, 900}, 0},
		{"a line has none", []int32{0, 10, 20}, 0},
		{"a vertex far away is cut to half a sample", []int32{0, 999, 1000}, 512},
	} {
		f := newFilter(config(250).lengths())
		f.fit = 1
		for _, y := range tt.y {
			f.put(y)
		}
		if got := f.parabola(1, 1); max(got, -got) > 512 || tt.want == 0 && got != 0 {
			t.Errorf("%s: parabola = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestTopOfAPlateau(t *testing.T) {
	for _, tt := range []struct {
		name string
		x    []int32
		want int64
	}{
		{"a single top", []int32{0, 1, 5, 1, 0, 0}, 2},
		{"the first of two equals", []int32{0, 5, 5, 1, 0, 0}, 1},
		{"the middle of three", []int32{0, 5, 5, 5, 0, 0}, 2},
		{"the lower middle of four", []int32{0, 5, 5, 5, 5, 0}, 2},
		{"equals apart are not a plateau", []int32{5, 0, 5, 0, 5, 0}, 0},
	} {
		f := newFilter(config(250).lengths())
		for _, x := range tt.x {
			f.put(x)
		}
		if got := f.top(0, int64(len(tt.x)-1), 1); got != tt.want {
			t.Errorf("%s: top = %d, want %d", tt.name, got, tt.want)
		}
	}
}
