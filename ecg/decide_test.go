package ecg

import "testing"

// decided is a detector at 1000 Hz whose levels are known: TH1 = 250 for m and
// 2000 for b, and one beat at 10 s with slope 1000.
func decided(t *testing.T) *Detector {
	t.Helper()
	d, err := New(config(1000))
	if err != nil {
		t.Fatal(err)
	}
	d.learning = false
	d.v, d.b = level{signal: 1000}, level{signal: 8000}
	d.recent, d.last = true, candidate{p: 10_000, index: 10_000, v: 1000, f: 8000, slope: 1000}
	return d
}

func TestDecisionInOrder(t *testing.T) {
	tests := []struct {
		name string
		c    candidate
		beat bool
		list int // candidates that search-back can return to
	}{
		{"a beat", candidate{index: 10_800, v: 1000, f: 8000, slope: 900}, true, 0},
		{"199 ms after a beat it is dropped", candidate{index: 10_199, v: 1000, f: 8000, slope: 900}, false, 0},
		{"200 ms after it counts", candidate{index: 10_200, v: 1000, f: 8000, slope: 900}, true, 0},
		{"below TH1 of the integrated signal", candidate{index: 10_800, v: 250, f: 8000, slope: 900}, false, 1},
		{"just above it", candidate{index: 10_800, v: 251, f: 8000, slope: 900}, true, 0},
		{"below TH1 of the filtered signal", candidate{index: 10_800, v: 1000, f: 2000, slope: 900}, false, 1},
		{"just above it", candidate{index: 10_800, v: 1000, f: 2001, slope: 900}, true, 0},
		{"a T wave: close and half as steep", candidate{index: 10_359, v: 1000, f: 8000, slope: 499}, false, 1},
		{"close and steep enough", candidate{index: 10_359, v: 1000, f: 8000, slope: 500}, true, 0},
		{"flat, but 360 ms later", candidate{index: 10_360, v: 1000, f: 8000, slope: 499}, true, 0},
		{"below 50 uV it is noise at once", candidate{index: 10_800, v: 1000, f: 399, slope: 900}, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := decided(t)
			if tt.c.f < 400 {
				d.b = level{} // so that only the floor refuses
			}
			tt.c.p = tt.c.index
			got := d.decide(tt.c, nil)
			if (len(got) == 1) != tt.beat || d.noise.n != tt.list {
				t.Errorf("decide: beat %v with %d listed, want %v with %d", len(got) == 1, d.noise.n, tt.beat, tt.list)
			}
		})
	}
}

func TestLevelsMoveByAnEighth(t *testing.T) {
	d := decided(t)
	d.decide(candidate{p: 10_800, index: 10_800, v: 1800, f: 8800, slope: 900}, nil)
	if d.v.signal != 1100 || d.b.signal != 8100 {
		t.Errorf("signal levels after a beat = %d, %d, want 1100, 8100", d.v.signal, d.b.signal)
	}
	d.decide(candidate{p: 11_600, index: 11_600, v: 80, f: 800, slope: 90}, nil)
	if d.v.noise != 10 || d.b.noise != 100 {
		t.Errorf("noise levels after noise = %d, %d, want 10, 100", d.v.noise, d.b.noise)
	}
	before := *d
	d.decide(candidate{p: 10_900, index: 10_900, v: 9999, f: 99_999, slope: 9999}, nil)
	if d.v != before.v || d.b != before.b {
		t.Error("a candidate in the refractory period moved a level")
	}
}

func TestSearchBackTakesTheLargestWithWeightOneQuarter(t *testing.T) {
	d := decided(t)
	d.noise.push(candidate{p: 10_700, at: 10_900, index: 10_700, v: 126, f: 1001, slope: 900})
	d.noise.push(candidate{p: 11_000, at: 11_200, index: 11_000, v: 200, f: 1600, slope: 900})
	d.noise.push(candidate{p: 11_300, at: 11_500, index: 11_300, v: 125, f: 1001, slope: 900})
	got := d.searchBack(11_700, nil)
	if len(got) != 1 || got[0].Index != 11_000 || got[0].Flags&SearchBack == 0 {
		t.Fatalf("searchBack = %v, want the candidate at 11000", got)
	}
	if d.v.signal != 800 || d.b.signal != 6400 {
		t.Errorf("signal levels = %d, %d, want a quarter of the way: 800, 6400", d.v.signal, d.b.signal)
	}
	if d.noise.n != 1 || d.noise.of[0].p != 11_300 {
		t.Errorf("list holds %d, want the later candidate only", d.noise.n)
	}
}

func TestSearchBackKeepsTheOtherRules(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    candidate
	}{
		{"at TH2 of the integrated signal", candidate{index: 10_800, v: 125, f: 8000, slope: 900}},
		{"at TH2 of the filtered signal", candidate{index: 10_800, v: 1000, f: 1000, slope: 900}},
		{"refractory", candidate{index: 10_100, v: 1000, f: 8000, slope: 900}},
		{"T wave", candidate{index: 10_300, v: 1000, f: 8000, slope: 100}},
		{"not yet decided at that sample", candidate{index: 10_800, at: 20_000, v: 1000, f: 8000, slope: 900}},
	} {
		d := decided(t)
		tt.c.p = tt.c.index
		d.noise.push(tt.c)
		if got := d.searchBack(11_700, nil); len(got) != 0 {
			t.Errorf("%s: searchBack = %v, want none", tt.name, got)
		}
	}
}

// A pause is no interval to expect again.
func TestIntervalsOfThreeSecondsAreNotAveraged(t *testing.T) {
	for _, tt := range []struct{ rr, averaged int64 }{{2999, 1}, {3000, 0}} {
		d := decided(t)
		at := d.last.index + tt.rr
		d.decide(candidate{p: at, index: at, v: 1000, f: 8000, slope: 900}, nil)
		if d.rate.nAll != tt.averaged {
			t.Errorf("interval of %d ms: %d averaged, want %d", tt.rr, d.rate.nAll, tt.averaged)
		}
	}
}

func TestExpectedInterval(t *testing.T) {
	var r rates
	if got := r.patience(256, 1000); got != 1000 {
		t.Errorf("without intervals = %d, want one second", got)
	}
	r.put(800)
	if got := r.patience(256, 1000); got != 1000 {
		t.Errorf("with one interval = %d, want one second", got)
	}
	r.put(800)
	r.put(400) // outside 92 to 116 %: only the first average takes it
	if got := r.patience(256, 1000); got != 666 {
		t.Errorf("expected interval = %d, want the smaller average 666", got)
	}
	for range 8 {
		r.put(1200) // neither near the second average
	}
	if got := r.patience(256, 1000); got != 800 {
		t.Errorf("expected interval = %d, want the regular average 800", got)
	}
}

func TestMedianOfMaxima(t *testing.T) {
	var m maxima
	if got := m.median(8); got != 0 {
		t.Errorf("median of nothing = %d, want 0", got)
	}
	for i, want := range []int64{9, 5, 3, 4, 4} {
		m.add([]int64{9, 1, 3, 5, 4}[i])
		if got := m.median(8); got != want {
			t.Errorf("median of %d maxima = %d, want %d", i+1, got, want)
		}
	}
	for range 20 {
		m.add(7)
	}
	if got := m.median(8); got != 7 {
		t.Errorf("median after eight sevens = %d, want 7", got)
	}
}

func TestQueueLosesTheOldest(t *testing.T) {
	var q candidates
	for i := range int64(listed + 5) {
		q.push(candidate{p: i})
	}
	if q.n != listed || q.of[0].p != 5 {
		t.Errorf("queue holds %d from %d, want %d from 5", q.n, q.of[0].p, listed)
	}
	q.dropUntil(10)
	if q.of[0].p != 11 {
		t.Errorf("oldest after dropUntil(10) = %d, want 11", q.of[0].p)
	}
}
