package screen

import "testing"

// feed puts the same interval n times.
func feed(c *Counter, rr int32, n int) {
	for range n {
		c.Put(rr)
	}
}

func counter(t *testing.T, l Limits) *Counter {
	t.Helper()
	c, err := NewCounter(l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPaceAtItsEdges(t *testing.T) {
	for _, tt := range []struct {
		name         string
		rr           int32
		n            int
		tachy, brady uint64
	}{
		{"nine fast intervals decide nothing", 500, 9, 0, 0},
		{"ten do", 500, 10, 1, 0},
		{"600 ms is exactly 100 a minute: not fast", 600, 50, 0, 0},
		{"599 ms is", 599, 11, 2, 0},
		{"1200 ms is exactly 50 a minute: not slow", 1200, 50, 0, 0},
		{"1201 ms is", 1201, 12, 0, 3},
	} {
		c := counter(t, Limits{})
		feed(c, tt.rr, tt.n)
		if got := c.Counts(); got.Tachycardia != tt.tachy || got.Bradycardia != tt.brady {
			t.Errorf("%s: %d fast, %d slow, want %d, %d", tt.name, got.Tachycardia, got.Bradycardia, tt.tachy, tt.brady)
		}
	}
}

func TestRunsAndWindowsEndAtGapsAndRange(t *testing.T) {
	for name, cut := range map[string]func(*Counter){
		"gap":       (*Counter).Gap,
		"too short": func(c *Counter) { c.Put(MinRR - 1) },
		"too long":  func(c *Counter) { c.Put(MaxRR + 1) },
	} {
		c := counter(t, Limits{})
		feed(c, 800, Window-1)
		cut(c)
		feed(c, 500, 9) // with one of the 800 they would be fast
		if got := c.Counts(); got.Windows != 0 || got.Tachycardia != 0 {
			t.Errorf("%s: %+v, want no window and no fast run", name, got)
		}
		feed(c, 800, Window-9)
		if got := c.Counts(); got.Windows != 1 {
			t.Errorf("%s: %d windows, want one of its own", name, got.Windows)
		}
	}
}

func TestPauses(t *testing.T) {
	c := counter(t, Limits{})
	for _, rr := range []int32{3000, 3001, 5900, 100_000} {
		c.Put(rr)
	}
	if got := c.Counts().Pauses; got != 3 {
		t.Errorf("%d pauses, want 3: above 3000 ms", got)
	}
	strict := counter(t, Limits{PauseMS: 2000})
	strict.Put(2001)
	if got := strict.Counts().Pauses; got != 1 {
		t.Errorf("%d pauses above 2000 ms, want 1", got)
	}
}

// A window with so many differences just over 6.25 % of its median, 800 ms.
func TestIrregularityAtItsEdges(t *testing.T) {
	for _, tt := range []struct {
		name  string
		step  int32
		jumps int
		want  bool
	}{
		{"50 ms of 800 is exactly 6.25 %: no difference", 50, 127, false},
		{"51 ms is one, 73 of them are irregular", 51, 73, true},
		{"72 are not", 51, 72, false},
	} {
		c := counter(t, Limits{})
		var irregular bool
		for i := range Window {
			rr := int32(800)
			if i >= Window-tt.jumps && (i-Window+tt.jumps)%2 == 0 {
				rr -= tt.step // alternating at the end, so that the median stays 800
			}
			_, irregular = c.Put(rr)
		}
		if irregular != tt.want {
			t.Errorf("%s: irregular = %v, want %v (%d differences)", tt.name, irregular, tt.want, c.Counts().Largest)
		}
	}
}

func TestLimitsAreChecked(t *testing.T) {
	for _, l := range []Limits{{TachySumMS: 13_000}, {BradySumMS: 40_000}, {PauseMS: 999}, {Irregular: 128}, {DifferPart: 1}, {PauseMS: -1}} {
		if _, err := NewCounter(l); err == nil {
			t.Errorf("limits %+v are accepted", l)
		}
	}
}

func TestSumsOfPartsAreSumsOfTheWhole(t *testing.T) {
	var whole, a, b Sums
	prev := int32(0)
	for i := range int32(500) {
		rr := 600 + i*i%400
		whole.Put(rr, prev)
		if i < 200 {
			a.Put(rr, prev)
		} else {
			b.Put(rr, prev)
		}
		prev = rr
	}
	if a.Add(b); a != whole {
		t.Errorf("parts = %+v, whole = %+v", a, whole)
	}
}

func TestDerivedFiguresAreAbsentWithoutDivisor(t *testing.T) {
	var s Sums
	if d := s.Derive(); d != (Derived{}) {
		t.Errorf("figures of nothing = %+v, want all absent", d)
	}
	s.Put(800, 0)
	if d := s.Derive(); d.MeanRR == nil || *d.MeanRR != 800 || *d.MeanHR != 75 || d.Variance != nil || d.RMSSD != nil || d.PNN50 != nil {
		t.Errorf("figures of one interval = %+v, want mean and rate only", d)
	}
	s.Put(850, 800)
	if d := s.Derive(); *d.Variance != 1250 || *d.RMSSD != 50 || *d.PNN50 != 0 {
		t.Errorf("variance %v, RMSSD %v, pNN50 %v, want 1250, 50, 0: 50 ms is not above 50", *d.Variance, *d.RMSSD, *d.PNN50)
	}
}

// The pooled row of all 48 records: large sums keep every digit.
func TestPooledVector(t *testing.T) {
	d := Sums{N: 82809, S1: 66375764, S2: 56528846236, M: 78364, D2: 711801965, NN50: 16738}.Derive()
	for _, tt := range []struct {
		name      string
		got, want float64
	}{{"mean", *d.MeanRR, 801.5525}, {"variance", *d.Variance, 40155.3502}, {"RMSSD", *d.RMSSD, 95.3062}} {
		if diff := tt.got - tt.want; diff > 5e-5 || diff < -5e-5 {
			t.Errorf("%s = %.6f, want %.4f", tt.name, tt.got, tt.want)
		}
	}
}
