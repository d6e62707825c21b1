package synth

import (
	"math"
	"slices"
	"testing"

	"statnet/ecg/wfdb"
)

func generate(t *testing.T, cfg Config, n int) ([]int32, []Beat) {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int32, n)
	var truth []Beat
	for i := range out {
		out[i] = g.Next()
		if i%997 == 0 {
			truth = g.Truth(truth)
		}
	}
	return out, g.Truth(truth)
}

func TestTheSameSeedIsTheSamePatch(t *testing.T) {
	cfg := Config{RateMilliHz: 250_000, Rhythm: PVC, Seed: 5}
	a, ta := generate(t, cfg, 10_000)
	b, tb := generate(t, cfg, 10_000)
	if !slices.Equal(a, b) || !slices.Equal(ta, tb) {
		t.Error("two generators of one configuration differ")
	}
	cfg.Seed = 6
	if c, _ := generate(t, cfg, 10_000); slices.Equal(a, c) {
		t.Error("another seed makes the same samples")
	}
}

func TestTruthDoesNotDependOnTheRate(t *testing.T) {
	_, slow := generate(t, Config{RateMilliHz: 130_000, Rhythm: AF, Seed: 1}, 130*60)
	_, fast := generate(t, Config{RateMilliHz: 1_000_000, Rhythm: AF, Seed: 1}, 1000*60)
	if n := min(len(slow), len(fast)); n < 50 || !slices.Equal(slow[:n], fast[:n]) {
		t.Errorf("%d and %d beats differ", len(slow), len(fast))
	}
}

// The maximum of the clean signal near every R time is at it, within a sample
// and the small pull of Q and S.
func TestRIsWhereTheTruthSays(t *testing.T) {
	const hz = 1000
	x, truth := generate(t, Config{RateMilliHz: hz * 1000, Seed: 1, NoiseUV: -1, WanderUV: -1}, 60*hz)
	for i, b := range truth {
		at := int(math.Round(float64(b.AtNs) / 1e6))
		if at < 100 || at+100 > len(x) {
			continue
		}
		top := at - 50
		for j := at - 50; j < at+50; j++ {
			if x[j] > x[top] {
				top = j
			}
		}
		if top-at > 2 || at-top > 2 {
			t.Errorf("beat %d: top at %d ms, truth %d", i, top, at)
		}
	}
}

func TestRhythmsAreWhatTheySay(t *testing.T) {
	for _, tt := range []struct {
		rhythm   Rhythm
		mean, sd [2]float64 // allowed, ms
		wide     bool
	}{
		{Sinus, [2]float64{830, 870}, [2]float64{30, 60}, false},
		{AF, [2]float64{820, 890}, [2]float64{150, 220}, false},
		{PVC, [2]float64{830, 870}, [2]float64{80, 200}, true},
		{Brady, [2]float64{1370, 1430}, [2]float64{50, 110}, false},
		{Tachy, [2]float64{470, 490}, [2]float64{15, 40}, false},
		{Pause, [2]float64{950, 1100}, [2]float64{500, 900}, false},
	} {
		_, truth := generate(t, Config{RateMilliHz: 100_000, Rhythm: tt.rhythm, Seed: 1}, 100*600)
		var sum, sq float64
		wide := false
		for i, b := range truth {
			wide = wide || b.Wide
			if i > 0 {
				rr := float64(b.AtNs-truth[i-1].AtNs) / 1e6
				sum, sq = sum+rr, sq+rr*rr
			}
		}
		n := float64(len(truth) - 1)
		mean := sum / n
		sd := math.Sqrt(sq/n - mean*mean)
		if mean < tt.mean[0] || mean > tt.mean[1] || sd < tt.sd[0] || sd > tt.sd[1] || wide != tt.wide {
			t.Errorf("%s: mean %.0f, sd %.0f, wide %v, want %v, %v, %v", tt.rhythm, mean, sd, wide, tt.mean, tt.sd, tt.wide)
		}
	}
}

func TestLeadOffHidesBeats(t *testing.T) {
	for rhythm, want := range map[Rhythm]int32{Flat: 0, Rail: RailUV, Drop: Missing} {
		x, truth := generate(t, Config{RateMilliHz: 250_000, Rhythm: rhythm, Seed: 1}, 250*60)
		for i := 30 * 250; i < 40*250; i++ {
			if x[i] != want {
				t.Fatalf("%s: sample %d = %d, want %d", rhythm, i, x[i], want)
			}
		}
		for _, b := range truth {
			if s := b.AtNs / 1e9; s >= 30 && s < 40 {
				t.Errorf("%s: truth has a beat at %d ns, where nothing can be seen", rhythm, b.AtNs)
			}
		}
	}
}

func TestMemoryIsConstant(t *testing.T) {
	g, err := New(Config{RateMilliHz: 100_000, Rhythm: AF, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		g.Next()
	}
	g.Truth(nil)
	if got := testing.AllocsPerRun(5000, func() { g.Next() }); got != 0 || cap(g.beats) > 16 {
		t.Errorf("Next allocates %.2f times and keeps %d beats", got, cap(g.beats))
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for _, c := range []Config{{}, {RateMilliHz: 999}, {RateMilliHz: 10_000_001}, {RateMilliHz: 250_000, Rhythm: "waltz"}, {RateMilliHz: 250_000, MeanMS: 100}, {RateMilliHz: 250_000, MeanMS: math.NaN()}} {
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v) is accepted", c)
		}
	}
}

// Noise at 0 dB has the power that the strength of the QRS defines, and is only
// there when it is switched on.
func TestNoiseHasTheSaidStrength(t *testing.T) {
	const rate = 250.0
	n := 900 * 250
	clean := make([]float64, n)
	var beats []int64
	for i := 100; i+100 < n; i += 200 {
		for j := -25; j <= 25; j++ {
			clean[i+j] = math.Exp(-float64(j*j) / 18)
		}
		beats = append(beats, int64(i))
	}
	for _, kind := range []Kind{Mains, Muscle, Wander, Electrode} {
		x := slices.Clone(clean)
		if err := AddNoise(x, beats, rate, kind, 0, 1); err != nil {
			t.Fatal(err)
		}
		whole, err := Noise(kind, rate, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		var added float64
		for i := range x {
			d := x[i] - clean[i]
			if on := i >= 300*250 && (i-300*250)%(240*250) < 120*250; !on && d != 0 {
				t.Fatalf("%s: sample %d is disturbed while the noise is off", kind, i)
			}
			added += d * d
		}
		// The gain makes the noise, had it been on all the time, an eighth of the
		// squared peak-to-peak value, 1 here.
		var on float64
		for i, v := range whole {
			if s := float64(i)/rate - 300; s >= 0 && math.Mod(s, 240) < 120 {
				on += v * v
			}
		}
		if want := on / meanSquare(whole) / 8; math.Abs(added/want-1) > 0.01 {
			t.Errorf("%s: energy %.1f, want %.1f", kind, added, want)
		}
	}
	if _, err := Noise("hum", rate, 10, 1); err == nil {
		t.Error("an unknown noise is accepted")
	}
}

func TestDisturbedRecordNeedsSamplesAndBeats(t *testing.T) {
	rec := wfdb.Microvolts("x", 250_000, make([]int32, 1000))
	if _, err := Disturb(rec, nil, Muscle, 0, 1, "x"); err == nil {
		t.Error("a record without normal beats is disturbed: its QRS has no size")
	}
	rec = wfdb.Microvolts("x", 250_000, []int32{1, Missing, 3})
	if _, err := Disturb(rec, []wfdb.Annotation{{Code: 1}}, Muscle, 0, 1, "x"); err == nil {
		t.Error("a record with missing samples is disturbed")
	}
}
