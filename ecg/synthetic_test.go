package ecg_test

import (
	"fmt"
	"math"
	"testing"

	"statnet/ecg"
	"statnet/ecg/synth"
)

// rails of a synthetic patch, counts of 1 uV.
func patch(hz int64, t ecg.Tuning) ecg.Config {
	return ecg.Config{RateMilliHz: hz * 1000, NanovoltPerCount: 1000, RailLow: -synth.RailUV, RailHigh: synth.RailUV, Tuning: t}
}

// result is what a line found in a synthetic record, and the truth.
type result struct {
	peaks   []ecg.Peak
	beats   []ecg.Beat
	seconds int
	truth   []synth.Beat
}

func detectSynth(t testing.TB, cfg ecg.Config, s synth.Config, seconds int64) result {
	t.Helper()
	s.RateMilliHz = cfg.RateMilliHz
	g, err := synth.New(s)
	if err != nil {
		t.Fatal(err)
	}
	line, err := ecg.NewLine(cfg, 0)
	if err != nil {
		t.Fatal(err)
	}
	var r result
	sink := ecg.Sink{
		Beat: func(p ecg.Peak, b ecg.Beat) error {
			r.peaks = append(r.peaks, p)
			r.beats = append(r.beats, b)
			return nil
		},
		Second: func(int64) error { r.seconds++; return nil },
	}
	for range seconds * cfg.RateMilliHz / 1000 {
		x := g.Next()
		if x == synth.Missing {
			err = line.Gap(1, sink)
		} else {
			err = line.Put(x, sink)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := line.End(sink); err != nil {
		t.Fatal(err)
	}
	r.truth = g.Truth(nil)
	return r
}

// match pairs peaks with true beats within 100 ms; it returns for every peak the
// index of its beat or -1, and the number of beats without a peak.
func (r result) match() (of []int, missed int) {
	j, hit := 0, 0
	for _, b := range r.beats {
		us := b.At
		for j < len(r.truth) && r.truth[j].AtNs/1000 < us-100_000 {
			j++
		}
		if j < len(r.truth) && r.truth[j].AtNs/1000 <= us+100_000 {
			of = append(of, j)
			hit++
			j++
			continue
		}
		of = append(of, -1)
	}
	return of, len(r.truth) - hit
}

// meanRRError is the mean |RR error| in ms between neighbours, with the
// detector's full resolution.
func (r result) meanRRError(hz int64) float64 {
	of, _ := r.match()
	var sum float64
	n := 0
	for i := 1; i < len(of); i++ {
		if of[i] < 0 || of[i-1] < 0 || of[i] != of[i-1]+1 {
			continue
		}
		got := float64(r.peaks[i].Offset()-r.peaks[i-1].Offset()) / 1024 / float64(hz) * 1000
		want := float64(r.truth[of[i]].AtNs-r.truth[of[i]-1].AtNs) / 1e6
		sum += math.Abs(got - want)
		n++
	}
	return sum / float64(n)
}

// The gates for synthetic truth: every beat found, none invented, and intervals
// far better than the sampling step.
func TestSyntheticTruth(t *testing.T) {
	for _, hz := range []int64{125, 130, 200, 250, 360, 500, 512, 1000} {
		t.Run(fmt.Sprintf("%d Hz", hz), func(t *testing.T) {
			limit := 0.25
			if hz < 200 {
				limit = 0.30
			}
			r := detectSynth(t, patch(hz, ecg.DefaultTuning()), synth.Config{Seed: 1}, 300)
			of, missed := r.match()
			extra := 0
			for _, j := range of {
				if j < 0 {
					extra++
				}
			}
			if last := r.truth[len(r.truth)-1]; missed > 0 && last.AtNs > 299_800_000_000 {
				missed-- // its peak lies beyond the last sample
			}
			if missed != 0 || extra != 0 {
				t.Errorf("missed %d, invented %d of %d beats, want none", missed, extra, len(r.truth))
			}
			got := r.meanRRError(hz)
			three := detectSynth(t, patch(hz, with(func(t *ecg.Tuning) { t.FitMS = 1 })), synth.Config{Seed: 1}, 300).meanRRError(hz)
			t.Logf("mean RR error %.3f ms, with the narrowest parabola %.3f ms", got, three)
			if !(got <= limit) {
				t.Errorf("mean RR error = %.3f ms, want at most %.2f", got, limit)
			}
		})
	}
}

func with(change func(*ecg.Tuning)) ecg.Tuning {
	t := ecg.DefaultTuning()
	change(&t)
	return t
}

func TestRhythmsAreFollowed(t *testing.T) {
	for _, rhythm := range []synth.Rhythm{synth.Sinus, synth.AF, synth.PVC, synth.Brady, synth.Tachy, synth.Pause} {
		r := detectSynth(t, patch(250, ecg.DefaultTuning()), synth.Config{Rhythm: rhythm, Seed: 2}, 300)
		of, missed := r.match()
		extra := 0
		for _, j := range of {
			if j < 0 {
				extra++
			}
		}
		if missed > 1 || extra > 0 {
			t.Errorf("%s: missed %d, invented %d of %d beats", rhythm, missed, extra, len(r.truth))
		}
	}
}

// A lead that is flat, saturated or silent for ten seconds: no beat in it, no
// interval over it, and the seconds are not observed.
func TestNoBeatAndNoIntervalWithoutSignal(t *testing.T) {
	for _, rhythm := range []synth.Rhythm{synth.Flat, synth.Rail, synth.Drop} {
		t.Run(string(rhythm), func(t *testing.T) {
			r := detectSynth(t, patch(250, ecg.DefaultTuning()), synth.Config{Rhythm: rhythm, Seed: 3}, 300)
			firsts := 0
			for i, b := range r.beats {
				if s := b.At / 1_000_000 % 60; s >= 31 && s < 39 {
					t.Errorf("beat at %d us, where there is no signal", b.At)
				}
				if b.Flags&ecg.First != 0 {
					firsts++
				} else if off := b.At/60_000_000*60 + 35; i > 0 && r.beats[i-1].At < off*1e6 && b.At > off*1e6 {
					t.Errorf("interval of %d ms reaches over the lead-off at %d s", b.RR, off)
				}
			}
			if firsts != 6 {
				t.Errorf("%d stretches, want 6", firsts)
			}
			if _, missed := r.match(); missed > 20 {
				t.Errorf("missed %d of %d beats, want at most four around each lead-off", missed, len(r.truth))
			}
			if r.seconds < 240 || r.seconds > 250 {
				t.Errorf("observed %d s, want about 250 of 300", r.seconds)
			}
		})
	}
}

func TestHeartRateIsAbsentWithoutSignal(t *testing.T) {
	d, err := ecg.New(patch(250, ecg.DefaultTuning()))
	if err != nil {
		t.Fatal(err)
	}
	if d.HasSignal() {
		t.Error("HasSignal before the first second, want false")
	}
	g, _ := synth.New(synth.Config{RateMilliHz: 250_000, Rhythm: synth.Flat, Seed: 1})
	for i := range 60 * 250 {
		d.Put(g.Next(), nil)
		if want := i < 30*250 || i >= 40*250; i%250 == 249 && (i < 29*250 || i > 32*250) && d.HasSignal() != want {
			t.Errorf("HasSignal after %d s = %v, want %v", i/250+1, d.HasSignal(), want)
		}
	}
}

// A patch whose baseline steps by up to twice a beat's height, between beats:
// no beat is missed, none is invented, and no interval moves.
func TestStepsOfTheBaselineAreNoBeats(t *testing.T) {
	for _, hz := range []int64{250, 360, 1000} {
		cfg := patch(hz, ecg.DefaultTuning())
		x := samples(hz, 120, synth.Sinus, 5)
		want := peaksOf(t, cfg, x)
		steps := 0
		for k := 12; k+1 < len(want); k += 7 {
			height := int32(400 * (k%5 + 1))
			if k%2 == 0 {
				height = -height
			}
			steps++
			for i := (want[k].Index + 2*want[k+1].Index) / 3; i < int64(len(x)); i++ {
				x[i] += height
			}
		}
		got := peaksOf(t, cfg, x)
		if len(got) != len(want) {
			t.Errorf("%d Hz: %d beats with %d steps of the baseline, want %d", hz, len(got), steps, len(want))
			continue
		}
		for i := range got {
			if got[i].Index != want[i].Index {
				t.Errorf("%d Hz: beat %d is at %d, without steps at %d", hz, i, got[i].Index, want[i].Index)
			}
		}
	}
}
