package stat_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"statnet/stat"
)

func TestCheckFit(t *testing.T) {
	base := stat.Question{Statistic: stat.Mean, Signal: stat.RR}.Selection()
	histogram := stat.Question{Statistic: stat.Histogram, Signal: stat.RR}.Selection()
	rmssd := stat.Question{Statistic: stat.RMSSD, Signal: stat.RR}.Selection()
	variance := stat.Question{Statistic: stat.Variance, Signal: stat.RR}.Selection()
	rate := stat.Question{Statistic: stat.Variance, Signal: stat.HR}.Selection()
	for _, tt := range []struct {
		name            string
		parts, patients int
		epochs          int64
		sel             stat.Selection
		want            error
	}{
		{"smallest", 1, 1, 1, base, nil},
		{"no epoch", 1, 1, 0, base, stat.ErrOverflow},
		{"negative window", 1, 1, -1, base, stat.ErrOverflow},
		{"longest window", 1, 16, 1 << 17, base, nil},
		{"one epoch longer", 1, 16, 1<<17 + 1, base, stat.ErrOverflow},
		{"most parts", 65535, 16, 1 << 17, base, nil},
		{"one part more", 65536, 16, 1, base, stat.ErrOverflow},
		{"no part", 0, 1, 1, base, stat.ErrOverflow},
		{"no patient", 1, 0, 1, base, stat.ErrOverflow},
		{"too many patients", 1, 17, 1, base, stat.ErrOverflow},
		{"histogram, 16 patients, longest", 1, 16, 104_857, histogram, nil},
		{"histogram, 16 patients, one more", 1, 16, 104_858, histogram, stat.ErrOverflow},
		{"histogram, 12 patients, longest window", 1, 12, 1 << 17, histogram, nil},
		{"squared differences, longest", 1, 16, 10_281, rmssd, nil},
		{"squared differences, one more", 1, 16, 10_282, rmssd, stat.ErrOverflow},
		{"squares, longest", 1, 16, 19_287, variance, nil},
		{"squares, one more", 1, 16, 19_288, variance, stat.ErrOverflow},
		{"squared rates, longest", 1, 1, 24_433, rate, nil},
		{"squared rates, one more", 1, 1, 24_434, rate, stat.ErrOverflow},
		{"no patient count", 1, 1, 1, base &^ 1, stat.ErrSelection},
		{"no selection", 1, 1, 1, 0, stat.ErrSelection},
	} {
		if got := stat.CheckFit(tt.parts, tt.patients, tt.epochs, tt.sel); !errors.Is(got, tt.want) {
			t.Errorf("%s: CheckFit = %v, want %v", tt.name, got, tt.want)
		}
	}
	err := stat.CheckFit(1, 16, 10_282, rmssd)
	if err == nil || !strings.Contains(err.Error(), "squared differences") || !strings.Contains(err.Error(), "10281 epochs (35 days)") {
		t.Errorf("CheckFit = %v, want it to name the component and the longest window", err)
	}
}

func TestPartSizeShrinksWithTheWindow(t *testing.T) {
	rate := stat.Question{Statistic: stat.Variance, Signal: stat.HR}.Selection()
	for _, tt := range []struct {
		epochs int64
		want   int
	}{{1, 16}, {864, 16}, {1527, 16}, {1528, 15}, {24_433, 1}, {24_434, 0}, {0, 0}} {
		if got := stat.PartSize(tt.epochs, rate); got != tt.want {
			t.Errorf("PartSize(%d) = %d, want %d", tt.epochs, got, tt.want)
		}
	}
}

// extremeEpochs are beats at the limits of one epoch: the fastest, the slowest
// and the most alternating that an epoch admits.
func extremeEpochs() map[string][]int32 {
	repeat := func(n int, rr ...int32) (out []int32) {
		for len(out) < n {
			out = append(out, rr...)
		}
		return out[:n]
	}
	return map[string][]int32{
		"fastest":     repeat(stat.MaxEpochBeats, stat.MinRR),
		"slowest":     repeat(stat.MaxEpochRR/stat.MaxRR, stat.MaxRR),
		"alternating": repeat(2*stat.MaxEpochRR/(stat.MinRR+stat.MaxRR), stat.MaxRR, stat.MinRR),
	}
}

// TestExtremesStayWithinTheirBounds: what CheckFit admits, Encode takes, for
// the worst beats that an epoch can hold over the longest window that fits.
func TestExtremesStayWithinTheirBounds(t *testing.T) {
	for name, beats := range extremeEpochs() {
		var epoch stat.Totals
		prev := int32(stat.MinRR)
		if beats[0] == stat.MinRR {
			prev = stat.MaxRR // the pair that reaches back into the epoch before
		}
		for _, rr := range beats {
			epoch.Accept(rr, prev)
			prev = rr
		}
		if epoch.S1 > stat.MaxEpochRR || epoch.N > stat.MaxEpochBeats {
			t.Fatalf("%s: epoch of %d beats and %d ms is not one", name, epoch.N, epoch.S1)
		}
		for range stat.MaxEpochRejected {
			epoch.Reject()
		}
		epoch.OBS = stat.EpochSeconds
		for _, q := range questions() {
			encodeLongest(t, name, q, epoch)
		}
	}
}

func encodeLongest(t *testing.T, name string, q stat.Question, epoch stat.Totals) {
	t.Helper()
	sel := q.Selection() &^ stat.SelHistogram // a bin may be too large: that is Encode's to say
	longest := int64(1)
	for step := int64(1 << 17); step > 0; step /= 2 {
		if stat.CheckFit(1, stat.MaxPatients, longest+step, sel) == nil {
			longest += step
		}
	}
	window := scale(epoch, uint64(longest))
	patients := make([]stat.Totals, stat.MaxPatients)
	for i := range patients {
		patients[i] = window
	}
	if _, err := stat.Encode(patients, sel); err != nil {
		t.Errorf("%s: %s of %s over %d epochs: Encode = %v, want what fits to be encoded", name, q.Statistic, q.Signal, longest, err)
	}
}

// scale returns the totals of n equal epochs, by doubling.
func scale(x stat.Totals, n uint64) (out stat.Totals) {
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out.Add(x)
		}
		x.Add(x)
	}
	return out
}

// TestRandomEpochsStayBelowTheLimits searches for an epoch whose component
// exceeds what the bounds admit for one epoch.
func TestRandomEpochsStayBelowTheLimits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		lo := int32(stat.MinRR + r.IntN(1400))
		width := r.IntN(int(stat.MaxRR-lo)) + 1
		prev := int32(stat.MaxRR)
		var epoch stat.Totals
		for {
			rr := lo + int32(r.IntN(width))
			if epoch.N == stat.MaxEpochBeats || epoch.S1+uint64(rr) > stat.MaxEpochRR {
				break
			}
			epoch.Accept(rr, prev)
			prev = rr
		}
		if epoch.D2 > 2800*(2*stat.MaxEpochRR+3000) || epoch.S2 > 3000*stat.MaxEpochRR || epoch.H2 > 1280*3000*3000 {
			t.Fatalf("epoch of intervals in [%d, %d) exceeds a bound: %+v", lo, int(lo)+width, epoch)
		}
	}
}
