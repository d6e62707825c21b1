package stat_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"statnet/stat"
)

const everything stat.Selection = 0xffff

func TestEncodeAtTheEdgeOfItsLimbs(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   stat.Totals
		sel  stat.Selection
		want error
	}{
		{"largest value", stat.Totals{REJ: 1<<48 - 1}, everything, nil},
		{"one above", stat.Totals{REJ: 1 << 48}, everything, stat.ErrTooLarge},
		{"one above, not selected", stat.Totals{REJ: 1 << 48}, everything &^ (1 << 11), nil},
		{"largest bin", stat.Totals{Bins: [64]uint64{63: 1<<24 - 1}}, everything, nil},
		{"bin one above", stat.Totals{Bins: [64]uint64{63: 1 << 24}}, everything, stat.ErrTooLarge},
		{"bin one above, not selected", stat.Totals{Bins: [64]uint64{63: 1 << 24}}, everything &^ stat.SelHistogram, nil},
		{"square beyond 64 bits", stat.Totals{N: 1, S1: 1 << 33, S2: 1}, everything, stat.ErrTooLarge},
		{"square of 65 bits", stat.Totals{N: 1, S1: 1 << 32, S2: 1}, everything, stat.ErrTooLarge},
		{"sum of nothing", stat.Totals{S1: 800}, everything, stat.ErrImpossible},
		{"squares too small", stat.Totals{N: 2, S1: 1600, S2: 1_279_999}, everything, stat.ErrImpossible},
		{"no patient count", stat.Totals{}, everything &^ 1, stat.ErrSelection},
	} {
		if _, got := stat.Encode([]stat.Totals{tt.in}, tt.sel); !errors.Is(got, tt.want) {
			t.Errorf("%s: Encode = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestEncodeCountsPatients(t *testing.T) {
	for _, tt := range []struct {
		patients int
		want     error
	}{{0, stat.ErrPatients}, {1, nil}, {16, nil}, {17, stat.ErrPatients}} {
		if _, got := stat.Encode(make([]stat.Totals, tt.patients), everything); !errors.Is(got, tt.want) {
			t.Errorf("Encode of %d patients = %v, want %v", tt.patients, got, tt.want)
		}
	}
	two := []stat.Totals{{N: 1 << 63}, {N: 1 << 63}}
	if _, got := stat.Encode(two, everything); !errors.Is(got, stat.ErrTooLarge) {
		t.Errorf("Encode of patients whose sum wraps = %v, want ErrTooLarge", got)
	}
}

// TestUnselectedComponentsAreZero checks that a question opens what it needs
// and nothing else, for every question.
func TestUnselectedComponentsAreZero(t *testing.T) {
	patient := exampleEpoch()
	for _, q := range questions() {
		sel := q.Selection()
		p, err := stat.Encode([]stat.Totals{patient}, sel)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range p {
			selected := i == 0 ||
				i < 57 && i > 0 && sel>>((i-1)/4)&1 == 1 ||
				i >= 128 && sel.Histogram()
			if c != 0 && !selected {
				t.Errorf("%s of %s: coefficient %d = %d, want 0", q.Statistic, q.Signal, i, c)
			}
		}
		later, err := stat.Encode([]stat.Totals{patient}, sel.LaterPart())
		if err != nil || later[0] != 0 || p[0] != 1 {
			t.Errorf("coefficient 0 of the first and a later part = %d, %d (%v), want 1, 0", p[0], later[0], err)
		}
		if s, err := stat.Decode(widen(p), sel); err != nil {
			t.Errorf("%s of %s: Decode = %v", q.Statistic, q.Signal, err)
		} else if _, err := stat.Compute(q, s); err != nil {
			t.Errorf("%s of %s: Compute = %v", q.Statistic, q.Signal, err)
		}
	}
}

func TestSelections(t *testing.T) {
	for _, tt := range []struct {
		statistic stat.Statistic
		signal    stat.Signal
		want      stat.Selection
	}{
		{stat.Count, stat.RR, 0x4c03},
		{stat.Sum, stat.RR, 0x4c07}, {stat.Sum, stat.HR, 0x4d03},
		{stat.Mean, stat.RR, 0x4c07}, {stat.Mean, stat.HR, 0x4d07},
		{stat.Variance, stat.RR, 0x5c0f}, {stat.Variance, stat.HR, 0x6f03},
		{stat.StdDev, stat.RR, 0x5c0f}, {stat.StdDev, stat.HR, 0x6f03},
		{stat.Series, stat.RR, 0x5c0f}, {stat.Series, stat.HR, 0x6f07},
		{stat.CV, stat.RR, 0x4c0f}, {stat.RMSSD, stat.RR, 0x4c33}, {stat.PNN50, stat.RR, 0x4c53},
		{stat.Median, stat.RR, 0xcc03}, {stat.Histogram, stat.HR, 0xcc03},
		{stat.Summary, stat.RR, 0xdc7f}, {stat.Summary, stat.HR, 0xef07},
		{stat.Arrhythmia, stat.RR, 0x5cff}, {stat.Arrhythmia, stat.HR, 0}, {"mode", stat.RR, 0},
	} {
		if got := (stat.Question{Statistic: tt.statistic, Signal: tt.signal}).Selection(); got != tt.want {
			t.Errorf("selection of %s of %s = %04x, want %04x", tt.statistic, tt.signal, uint16(got), uint16(tt.want))
		}
	}
}

// TestDecodeRefuses alters one opened coefficient of a valid sum.
func TestDecodeRefuses(t *testing.T) {
	p, err := stat.Encode([]stat.Totals{exampleEpoch()}, everything)
	if err != nil {
		t.Fatal(err)
	}
	good := widen(p)
	for _, tt := range []struct {
		name string
		at   int
		v    uint32
		sel  stat.Selection
		want error
	}{
		{"unaltered", 0, 1, everything, nil},
		{"gateways uncounted", 0, 1, everything.LaterPart(), stat.ErrMalformed},
		{"more gateways than parts", 0, stat.MaxParts + 1, everything, stat.ErrMalformed},
		{"second limb of patients", 2, 1, everything, stat.ErrMalformed},
		{"reserved coefficient", 57, 1, everything, stat.ErrMalformed},
		{"last reserved coefficient", 127, 1, everything, stat.ErrMalformed},
		{"limb above every sum", 45, stat.MaxParts*4095 + 1, everything, stat.ErrMalformed},
		{"largest limb", 45, stat.MaxParts * 4095, everything, nil},
		{"unselected value", 45, 1, everything &^ (1 << 11), stat.ErrMalformed},
		{"unselected bin", 158, 1, everything &^ stat.SelHistogram, stat.ErrMalformed},
		{"more patients than beats", 1, 7, everything, stat.ErrImpossible},
		{"beat without interval", 5, 7, everything, stat.ErrImpossible},
		{"sum of squares too small", 14, 0, everything, stat.ErrImpossible},
		{"more pairs than beats", 17, 7, everything, stat.ErrImpossible},
		{"NN50 above pairs", 25, 5, everything, stat.ErrImpossible},
		{"irregular above pairs", 29, 5, everything, stat.ErrImpossible},
		{"rate sum too large", 34, 7, everything, stat.ErrImpossible},
		{"within above squares", 51, 4000, everything, stat.ErrImpossible},
		{"histogram above count", 200, 1, everything, stat.ErrImpossible},
	} {
		c := append([]uint32(nil), good...)
		c[tt.at] = tt.v
		if tt.sel != everything { // make the altered selection otherwise valid
			for i := range c {
				if i != tt.at && (i >= 45 && i < 49 && tt.sel>>11&1 == 0 || i >= 128 && !tt.sel.Histogram()) {
					c[i] = 0
				}
			}
		}
		if _, got := stat.Decode(c, tt.sel); !errors.Is(got, tt.want) {
			t.Errorf("%s: Decode = %v, want %v", tt.name, got, tt.want)
		}
	}
	if _, got := stat.Decode(good[:255], everything); !errors.Is(got, stat.ErrMalformed) {
		t.Errorf("Decode of 255 coefficients = %v, want ErrMalformed", got)
	}
}

// TestLargestSumsDoNotWrap adds the largest vector MaxParts times.
func TestLargestSumsDoNotWrap(t *testing.T) {
	c := make([]uint32, stat.K)
	c[0] = stat.MaxParts
	for i := 41; i < 49; i++ { // OBS and REJ: no relation binds them
		c[i] = stat.MaxParts * 4095
	}
	s, err := stat.Decode(c, everything)
	if err != nil {
		t.Fatal(err)
	}
	if want := uint64(stat.MaxParts) * (1<<48 - 1); s.OBS != want || s.REJ != want {
		t.Errorf("sum of %d largest values = %d, %d, want %d", stat.MaxParts, s.OBS, s.REJ, want)
	}
	if s.Providers != stat.MaxParts {
		t.Errorf("providers = %d, want %d", s.Providers, stat.MaxParts)
	}
}

// TestAnySplitGivesTheSameSums is the law the system rests on: beats may be
// divided over epochs and gateways in any way.
func TestAnySplitGivesTheSameSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		patients := 1 + r.IntN(6)
		whole := make([]stat.Totals, patients)
		split := make([]stat.Totals, patients)
		for p := range whole {
			var epoch stat.Totals
			var prev int32
			for range r.IntN(500) {
				rr := int32(stat.MinRR + r.IntN(stat.MaxRR-stat.MinRR+1))
				whole[p].Accept(rr, prev)
				epoch.Accept(rr, prev)
				prev = rr
				if r.IntN(20) == 0 {
					whole[p].Reject()
					epoch.Reject()
					prev = 0
				}
				if r.IntN(50) == 0 { // an epoch ends
					split[p].Add(epoch)
					epoch = stat.Totals{}
				}
			}
			split[p].Add(epoch)
		}
		one := openParts(t, [][]stat.Totals{whole})
		cut := r.IntN(patients + 1)
		var parts [][]stat.Totals
		for _, part := range [][]stat.Totals{split[:cut], split[cut:]} {
			if len(part) > 0 {
				parts = append(parts, part)
			}
		}
		many := openParts(t, parts)
		many.Providers = one.Providers
		if one != many {
			t.Fatalf("sums of %d patients at two gateways = %+v, want %+v", patients, many, one)
		}
	}
}

// openParts encodes, adds and decodes.
func openParts(t *testing.T, parts [][]stat.Totals) stat.Sums {
	t.Helper()
	sum := make([]uint32, stat.K)
	for _, part := range parts {
		p, err := stat.Encode(part, everything)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range p {
			sum[i] += uint32(v)
		}
	}
	s, err := stat.Decode(sum, everything)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSubRefusesToGoBack(t *testing.T) {
	end := exampleEpoch()
	if got, err := end.Sub(stat.Totals{}); err != nil || got != end {
		t.Errorf("difference to the start = %+v, %v, want the state itself", got, err)
	}
	if _, err := (stat.Totals{}).Sub(end); !errors.Is(err, stat.ErrNegative) {
		t.Errorf("Sub of a later state = %v, want ErrNegative", err)
	}
	if _, err := end.Sub(stat.Totals{Bins: [64]uint64{0: 1}}); !errors.Is(err, stat.ErrNegative) {
		t.Errorf("Sub with a larger bin = %v, want ErrNegative", err)
	}
}

func TestAcceptOutsideTheLimitsRejects(t *testing.T) {
	for _, rr := range []int32{-1 << 31, -1, 0, 199, 3001, 1<<31 - 1} {
		var got stat.Totals
		got.Accept(rr, 800)
		if want := (stat.Totals{REJ: 1}); got != want {
			t.Errorf("Accept(%d) = %+v, want one rejected beat", rr, got)
		}
	}
	var got stat.Totals
	got.Accept(800, 199)
	if got.M != 0 || got.N != 1 {
		t.Errorf("Accept after an interval out of range: N, M = %d, %d, want 1, 0", got.N, got.M)
	}
}

// FuzzDecode feeds arbitrary coefficients; what is accepted must survive.
func FuzzDecode(f *testing.F) {
	p, err := stat.Encode([]stat.Totals{exampleEpoch()}, everything)
	if err != nil {
		f.Fatal(err)
	}
	seed := make([]byte, 0, 4*stat.K)
	for _, v := range p {
		seed = append(seed, byte(v), byte(v>>8), 0, 0)
	}
	f.Add(seed, uint16(everything), uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, sel, k uint16) {
		c := make([]uint32, min(len(b)/4, stat.K+1))
		for i := range c {
			c[i] = uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24
		}
		s, err := stat.Decode(c, stat.Selection(sel))
		if err != nil {
			return
		}
		for _, q := range questions() {
			if need := q.Selection(); s.Sel|need != s.Sel {
				continue
			}
			if _, err := stat.ComputeCohort(q, s, uint64(k)); err != nil {
				t.Fatalf("compute %s of decoded sums: %v", q.Statistic, err)
			}
		}
	})
}
