package ecg_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"statnet/ecg"
	"statnet/ecg/synth"
)

// samples makes a test signal with everything that happens in one.
func samples(hz int64, seconds int, rhythm synth.Rhythm, seed uint64) []int32 {
	g, err := synth.New(synth.Config{RateMilliHz: hz * 1000, Rhythm: rhythm, Seed: seed})
	if err != nil {
		panic("test asks for a rhythm that does not exist: " + err.Error())
	}
	out := make([]int32, int64(seconds)*hz)
	for i := range out {
		out[i] = g.Next()
	}
	return out
}

func newDetector(t testing.TB, cfg ecg.Config) *ecg.Detector {
	t.Helper()
	d, err := ecg.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func peaksOf(t testing.TB, cfg ecg.Config, x []int32) []ecg.Peak {
	t.Helper()
	d := newDetector(t, cfg)
	var out []ecg.Peak
	for _, v := range x {
		out = d.Put(v, out)
	}
	return d.End(out)
}

func TestResumeIsBitIdentical(t *testing.T) {
	for _, hz := range []int64{130, 360, 1000} {
		cfg := patch(hz, ecg.DefaultTuning())
		for _, rhythm := range []synth.Rhythm{synth.PVC, synth.Rail, synth.Flat} {
			x := samples(hz, 90, rhythm, 7)
			want := peaksOf(t, cfg, x)
			rng := rand.New(rand.NewPCG(uint64(hz), 1))
			var cuts []int
			for range 12 {
				cuts = append(cuts, rng.IntN(len(x)))
			}
			cuts = append(cuts, 0, 1, int(hz), 4*int(hz)-1, 4*int(hz))
			d := newDetector(t, cfg)
			var got []ecg.Peak
			for i, v := range x {
				if slices.Contains(cuts, i) {
					d = resume(t, cfg, d)
				}
				got = d.Put(v, got)
			}
			if got = resume(t, cfg, d).End(got); !slices.Equal(got, want) {
				t.Errorf("%d Hz, %s: %d peaks after resuming at %v, want the same %d", hz, rhythm, len(got), cuts, len(want))
			}
		}
	}
}

// resume saves a detector and loads it into another.
func resume(t testing.TB, cfg ecg.Config, d *ecg.Detector) *ecg.Detector {
	t.Helper()
	state, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if len(state) > 64<<10 {
		t.Fatalf("state has %d bytes, want at most 64 KiB", len(state))
	}
	next := newDetector(t, cfg)
	if err := next.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	again, _ := next.MarshalBinary()
	if !bytes.Equal(state, again) {
		t.Fatal("a restored state is saved differently")
	}
	return next
}

func TestForeignStateIsRefused(t *testing.T) {
	cfg := patch(250, ecg.DefaultTuning())
	d := newDetector(t, cfg)
	for _, v := range samples(250, 20, synth.Sinus, 1) {
		d.Put(v, nil)
	}
	state, _ := d.MarshalBinary()
	other := patch(250, ecg.Tuning{})
	rate := patch(360, ecg.DefaultTuning())
	rails := cfg
	rails.RailHigh++
	for _, c := range []ecg.Config{other, rate, rails} {
		if err := newDetector(t, c).UnmarshalBinary(state); !errors.Is(err, ecg.ErrState) {
			t.Errorf("state of another configuration: %v, want ErrState", err)
		}
	}
	for name, bad := range map[string][]byte{
		"empty": {}, "cut": state[:len(state)-1], "longer": append(slices.Clone(state), 0),
		"one bit": flip(state, len(state)/2), "version": flip(state, 0), "kind": flip(state, 1),
	} {
		before, _ := d.MarshalBinary()
		if err := d.UnmarshalBinary(bad); !errors.Is(err, ecg.ErrState) {
			t.Errorf("%s: UnmarshalBinary = %v, want ErrState", name, err)
		}
		if after, _ := d.MarshalBinary(); !bytes.Equal(before, after) {
			t.Errorf("%s: a refused state changed the detector", name)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

// Two segments with a gap are each what they are alone: the gap resets filters,
// levels, averages and the last beat.
func TestGapResetsEverything(t *testing.T) {
	cfg := patch(250, ecg.DefaultTuning())
	a, b := samples(250, 33, synth.Sinus, 1), samples(250, 41, synth.AF, 2)
	for i := range b {
		b[i] = 3*b[i] + 500 // other levels, other baseline
	}
	d := newDetector(t, cfg)
	var got []ecg.Peak
	for _, v := range a {
		got = d.Put(v, got)
	}
	got = d.End(got)
	n := len(got)
	for _, v := range b {
		got = d.Put(v, got)
	}
	got = d.End(got)
	if want := peaksOf(t, cfg, a); !slices.Equal(got[:n], want) {
		t.Error("first segment differs from the same samples alone")
	}
	if want := peaksOf(t, cfg, b); !slices.Equal(got[n:], want) {
		t.Error("second segment differs from the same samples alone")
	}
}

// After End nothing of the old segment is left: the state is that of a new
// detector, byte for byte.
func TestEndLeavesANewDetector(t *testing.T) {
	cfg := patch(250, ecg.DefaultTuning())
	fresh, _ := newDetector(t, cfg).MarshalBinary()
	for _, rhythm := range synth.Rhythms() {
		for _, seconds := range []int{1, 3, 35, 45} {
			d := newDetector(t, cfg)
			for _, v := range samples(250, seconds, rhythm, 1) {
				d.Put(v, nil)
			}
			d.End(nil)
			if state, _ := d.MarshalBinary(); !bytes.Equal(state, fresh) {
				t.Errorf("%s, %d s: End leaves something behind", rhythm, seconds)
			}
		}
	}
}

// The signal shrinks to a tenth, as when an electrode dries: thresholds come
// down after eight seconds without a beat.
func TestLevelsRestartAfterEightSeconds(t *testing.T) {
	const hz = 250
	cfg := patch(hz, ecg.DefaultTuning())
	x := samples(hz, 60, synth.Sinus, 1)
	for i := range x {
		x[i] *= 4
		if i >= 20*hz {
			x[i] /= 12
		}
	}
	late := 0
	for _, p := range peaksOf(t, cfg, x) {
		if p.Index > 40*hz {
			late++
		}
	}
	if late < 20 {
		t.Errorf("%d beats in the last 20 s, want about 23", late)
	}
}

func TestAConstantChangesNothing(t *testing.T) {
	cfg := patch(250, ecg.DefaultTuning())
	cfg.RailLow, cfg.RailHigh = 0, 0
	x := samples(250, 60, synth.PVC, 4)
	want := peaksOf(t, cfg, x)
	for i := range x {
		x[i] += 123_456
	}
	got := peaksOf(t, cfg, x)
	for i := range got {
		got[i].Amp -= 123_456
	}
	if !slices.Equal(got, want) {
		t.Error("adding a constant to the signal changed the peaks")
	}
}

// checkPeaks are the laws of any output: times rise by the refractory period,
// and nobody's heart beats faster than five times a second.
func checkPeaks(t *testing.T, name string, cfg ecg.Config, n int, peaks []ecg.Peak) {
	t.Helper()
	for i, p := range peaks {
		if p.Index < 0 || p.Index >= int64(n) {
			t.Errorf("%s: peak at %d of %d samples", name, p.Index, n)
		}
		if (p.Flags&ecg.First != 0) != (i == 0) && p.Flags&ecg.First == 0 {
			t.Errorf("%s: first peak of the segment has flags %v", name, p.Flags)
		}
		if i > 0 && 1_000_000*(p.Index-peaks[i-1].Index) < 199*cfg.RateMilliHz {
			t.Errorf("%s: peaks at %d and %d are closer than 200 ms", name, peaks[i-1].Index, p.Index)
		}
	}
}

func TestAdversarialSignals(t *testing.T) {
	const hz = 250
	cfg := patch(hz, ecg.DefaultTuning())
	fill := func(n int, f func(i int) int32) []int32 {
		x := make([]int32, n)
		for i := range x {
			x[i] = f(i)
		}
		return x
	}
	sine := func(freq, amp float64) []int32 {
		return fill(60*hz, func(i int) int32 { return int32(amp * math.Sin(2*math.Pi*freq*float64(i)/hz)) })
	}
	pulses := func(perMinute int) []int32 {
		step := 60 * hz / perMinute
		return fill(60*hz, func(i int) int32 {
			d := float64(i%step - step/2)
			return int32(1200 * math.Exp(-d*d/18))
		})
	}
	for _, tt := range []struct {
		name     string
		x        []int32
		min, max int
	}{
		{"nothing", nil, 0, 0},
		{"one sample", []int32{1 << 30}, 0, 0},
		{"zeros", fill(60*hz, func(int) int32 { return 0 }), 0, 0},
		{"the lowest count", fill(60*hz, func(int) int32 { return math.MinInt32 }), 0, 0},
		{"full-scale square wave, 10 Hz", fill(60*hz, func(i int) int32 { return int32(i/12%2*2-1) * math.MaxInt32 }), 0, 0},
		{"one spike", fill(60*hz, func(i int) int32 { return int32(map[bool]int{i == 5000: 5000}[true]) }), 0, 1},
		{"mains alone", sine(50, 100), 0, 300},
		{"a step of 200 mV", fill(60*hz, func(i int) int32 { return int32(map[bool]int{i > 5000: 9000}[true]) }), 0, 0},
		{"300 a minute", pulses(300), 290, 300},
		{"20 a minute", pulses(20), 19, 20},
		{"flat, then signal", append(make([]int32, 20*hz), samples(hz, 60, synth.Sinus, 1)...), 66, 72},
		{"under two seconds", samples(hz, 3, synth.Sinus, 1)[:2*hz-1], 0, 0},
		{"two seconds", samples(hz, 3, synth.Sinus, 1)[:2*hz], 1, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := peaksOf(t, cfg, tt.x)
			checkPeaks(t, tt.name, cfg, len(tt.x), got)
			if len(got) < tt.min || len(got) > tt.max {
				t.Errorf("%d beats, want %d to %d", len(got), tt.min, tt.max)
			}
		})
	}
}

// A pause of eight seconds invents nothing, and the beat after it is found.
func TestEightSecondPause(t *testing.T) {
	const hz = 250
	cfg := patch(hz, ecg.DefaultTuning())
	x := samples(hz, 30, synth.Sinus, 1)
	rest := samples(hz, 8, synth.Sinus, 1)
	for i := range rest {
		rest[i] = int32(20 * math.Sin(float64(i)/40)) // a baseline, and no heart
	}
	x = append(append(x, rest...), samples(hz, 30, synth.Sinus, 1)...)
	var inside, after int
	for _, p := range peaksOf(t, cfg, x) {
		switch s := p.Index / hz; {
		case s >= 30 && s < 38:
			inside++
		case s >= 38:
			after++
		}
	}
	if inside > 0 || after < 33 {
		t.Errorf("%d beats in the pause and %d after it, want 0 and 33 to 36", inside, after)
	}
}

// Search-back finds a beat far too small for the first threshold, and finds it
// while nothing follows: before the next beat could have called for it.
func TestSearchBackDoesNotWaitForTheNextBeat(t *testing.T) {
	const hz = 250
	cfg := patch(hz, ecg.Tuning{})
	x := make([]int32, 30*hz)
	for beat := range 20 {
		amp := 1000.0
		if beat == 19 {
			amp = 400 // a sixth of the energy: between TH2 and TH1
		}
		for j := -30; j <= 30; j++ {
			x[200+beat*200+j] += int32(amp * math.Exp(-float64(j*j)/18))
		}
	}
	d := newDetector(t, cfg)
	var peaks []ecg.Peak
	found := 0
	for i, v := range x {
		n := len(peaks)
		if peaks = d.Put(v, peaks); len(peaks) > n && peaks[n].Flags&ecg.SearchBack != 0 {
			found = i
		}
	}
	last := peaks[len(peaks)-1]
	if last.Index != 200+19*200 || last.Flags&ecg.SearchBack == 0 {
		t.Fatalf("last beat at %d with %v, want the small one at 4000 by search-back", last.Index, last.Flags)
	}
	if late := found - 3800; late > 400 {
		t.Errorf("found %d samples after the beat before it, want 1.66 intervals of 200", late)
	}
}

func TestLatency(t *testing.T) {
	const hz = 250
	d := newDetector(t, patch(hz, ecg.DefaultTuning()))
	for i, v := range samples(hz, 60, synth.Sinus, 1) {
		for _, p := range d.Put(v, nil) {
			if late := int64(i) - p.Index; p.Flags&(ecg.Learned|ecg.SearchBack) == 0 && late > 6*hz/10 {
				t.Errorf("peak at %d decided %d samples later, want at most %d", p.Index, late, 6*hz/10)
			}
		}
	}
}

// Noise marks beats and removes none.
func TestBadQualityMarksBeats(t *testing.T) {
	const hz = 250
	cfg := patch(hz, ecg.DefaultTuning())
	x := samples(hz, 120, synth.Sinus, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := 40 * hz; i < 80*hz; i++ {
		x[i] += int32(1000 * rng.NormFloat64())
	}
	marked := map[bool]int{}
	for _, p := range peaksOf(t, cfg, x) {
		s := p.Index / hz
		switch {
		case s >= 55 && s < 80:
			marked[true] += 1 - int(p.Flags&ecg.Quality/ecg.Quality)
		case s < 40 || s >= 95:
			marked[false] += int(p.Flags & ecg.Quality / ecg.Quality)
		}
	}
	if marked[true] > 0 || marked[false] > 0 {
		t.Errorf("%d beats in noise unmarked, %d in clean signal marked, want none", marked[true], marked[false])
	}
}

func TestLineResumesAndRefusesAnotherStart(t *testing.T) {
	cfg := patch(250, ecg.DefaultTuning())
	x := samples(250, 60, synth.Drop, 5)
	run := func(cut int) (beats []ecg.Beat) {
		line, err := ecg.NewLine(cfg, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		sink := ecg.Sink{Beat: func(_ ecg.Peak, b ecg.Beat) error { beats = append(beats, b); return nil }}
		for i, v := range x {
			if i == cut {
				state, _ := line.MarshalBinary()
				if line, err = ecg.NewLine(cfg, 1_000_000); err != nil {
					t.Fatal(err)
				}
				if err := line.UnmarshalBinary(state); err != nil {
					t.Fatal(err)
				}
				other, _ := ecg.NewLine(cfg, 2_000_000)
				if err := other.UnmarshalBinary(state); !errors.Is(err, ecg.ErrState) {
					t.Errorf("state of a line that starts elsewhere: %v, want ErrState", err)
				}
			}
			if v == synth.Missing {
				err = line.Gap(1, sink)
			} else {
				err = line.Put(v, sink)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := line.End(sink); err != nil {
			t.Fatal(err)
		}
		return beats
	}
	want := run(-1)
	for _, cut := range []int{1, 4000, 7499, 9000, 12_000} {
		if got := run(cut); !slices.Equal(got, want) {
			t.Errorf("beats differ after resuming at %d", cut)
		}
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := patch(250, ecg.DefaultTuning())
	for name, change := range map[string]func(*ecg.Config){
		"rate below 100 Hz":   func(c *ecg.Config) { c.RateMilliHz = 99_999 },
		"rate above 1000 Hz":  func(c *ecg.Config) { c.RateMilliHz = 1_000_001 },
		"no gain":             func(c *ecg.Config) { c.NanovoltPerCount = 0 },
		"rails crossed":       func(c *ecg.Config) { c.RailLow, c.RailHigh = 1, 0 },
		"threshold too large": func(c *ecg.Config) { c.Tuning.ThresholdV = 193 },
		"negative time":       func(c *ecg.Config) { c.Tuning.LearnMS = -1 },
	} {
		c := good
		change(&c)
		if _, err := ecg.New(c); !errors.Is(err, ecg.ErrConfig) {
			t.Errorf("%s: New = %v, want ErrConfig", name, err)
		}
	}
	for _, hz := range []int64{100, 1000} {
		c := good
		c.RateMilliHz = hz * 1000
		if _, err := ecg.New(c); err != nil {
			t.Errorf("%d Hz: %v", hz, err)
		}
	}
}
