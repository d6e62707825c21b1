package stat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"statnet/stat"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// ward are two patients with different means, as one gateway's window.
func ward(t *testing.T) stat.Sums {
	t.Helper()
	var slow, fast stat.Totals
	prev := int32(0)
	for i := range 200 {
		rr := int32(1000 + i%7*10)
		slow.Accept(rr, prev)
		prev = rr
	}
	prev = 0
	for i := range 300 {
		rr := int32(600 + i%5*40)
		fast.Accept(rr, prev)
		prev = rr
	}
	slow.OBS, fast.OBS, fast.REJ = 300, 290, 80
	return openParts(t, [][]stat.Totals{{slow}, {fast}})
}

// TestGoldenResults pins the JSON of every question. Rewrite with -update and
// read the difference: it is what users see.
func TestGoldenResults(t *testing.T) {
	s := ward(t)
	var got bytes.Buffer
	for _, q := range append(questions(), stat.Question{Statistic: stat.Histogram, Signal: stat.RR, Bins: 8}) {
		for _, k := range []uint64{1, 3} {
			s.Sel = q.Selection()
			r, err := stat.ComputeCohort(q, s, k)
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if k == 3 && !strings.Contains(string(b), `"patients":"\u003c3"`) {
				t.Errorf("%s of %s of 2 patients, at least 3 wanted: not hidden", q.Statistic, q.Signal)
			}
			if k == 1 || q == (stat.Question{Statistic: stat.Mean, Signal: stat.RR}) {
				got.Write(append(b, '\n'))
			}
		}
	}
	path := filepath.Join("testdata", "results.golden.json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("results differ from %s; run with -update and read the difference", path)
	}
}

// TestAbsentValues: a divisor of zero gives no value, never 0 or NaN.
func TestAbsentValues(t *testing.T) {
	none := stat.Sums{Providers: 1, Sel: 0xffff}
	var beat stat.Totals
	beat.Accept(800, 0)
	one := openParts(t, [][]stat.Totals{{beat}})
	for _, q := range questions() {
		r, err := stat.Compute(q, none)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]stat.Statistic{stat.Count, stat.Sum}, q.Statistic) {
			if r.Value.Number != "0" {
				t.Errorf("%s of no beats = %s, want 0", q.Statistic, r.Value.Number)
			}
		} else if r.Value.Object == nil && !r.Value.Absent() {
			t.Errorf("%s of no beats = %s, want an absent value", q.Statistic, r.Value.Number)
		}
		if bytes.Contains(b, []byte("NaN")) || r.Parts != nil || len(r.Notes) == 0 {
			t.Errorf("%s of no beats: %s, want no parts, no NaN and a note", q.Statistic, b)
		}
		r, err = stat.Compute(q, one)
		if err != nil {
			t.Fatal(err)
		}
		needsTwo := slices.Contains([]stat.Statistic{stat.Variance, stat.StdDev, stat.RMSSD, stat.PNN50, stat.CV}, q.Statistic)
		if needsTwo != r.Value.Absent() {
			t.Errorf("%s of one beat: absent = %v, want %v", q.Statistic, r.Value.Absent(), needsTwo)
		}
	}
}

// TestPartsAddUp: within + between = total for any cohort, as printed, and a
// single patient has nothing between.
func TestPartsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		patients := make([]stat.Totals, 1+r.IntN(5))
		for p := range patients {
			mean := 400 + r.IntN(900)
			for range 2 + r.IntN(40) {
				patients[p].Accept(int32(mean+r.IntN(100)), 0)
			}
		}
		s := openParts(t, [][]stat.Totals{patients})
		for _, signal := range []stat.Signal{stat.RR, stat.HR} {
			res, err := stat.Compute(stat.Question{Statistic: stat.Variance, Signal: signal}, s)
			if err != nil {
				t.Fatal(err)
			}
			total, _ := res.Value.Number.Float()
			within, _ := res.Parts.Within.Float()
			between, ok := res.Parts.Between.Float()
			if !ok || within < 0 || between < 0 || math.Abs(within+between-total) > 1e-9*total {
				t.Fatalf("%s: within %v + between %v != total %v", signal, res.Parts.Within, res.Parts.Between, res.Value.Number)
			}
			if len(patients) == 1 && res.Parts.Between != "0" {
				t.Fatalf("%s: between one patient = %v, want 0", signal, res.Parts.Between)
			}
		}
	}
}

// TestVarianceIsExact: sums near 2^62 that a float64 cannot hold.
func TestVarianceIsExact(t *testing.T) {
	const n = 3_000_000_000
	s := stat.Sums{Providers: 1, Patients: 1, N: n, S1: n*1000 + 1, S2: n*1_000_000 + 2001, Sel: 0xffff}
	r, err := stat.Compute(stat.Question{Statistic: stat.Variance, Signal: stat.RR}, s)
	if err != nil {
		t.Fatal(err)
	}
	// Σ(x−1000)² = 2001 − 2000·1 = 1, so the variance is 1/n to ten places.
	if r.Value.Number != "0" {
		t.Errorf("variance of n equal intervals and one 1 ms longer = %s, want 0 (3.3e-10 rounded)", r.Value.Number)
	}
}

func TestQuantilesLieInTheirBin(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		var x stat.Totals
		var values []int32
		for range 1 + r.IntN(300) {
			rr := int32(stat.MinRR + r.IntN(2801))
			values = append(values, rr)
			x.Accept(rr, 0)
		}
		slices.Sort(values)
		s := openParts(t, [][]stat.Totals{{x}})
		ppm := uint32(1 + r.IntN(999_999))
		rank := int((uint64(len(values))*uint64(ppm) + 999_999) / 1_000_000) // smallest rank reaching the quantile
		for _, tt := range []struct {
			q    stat.Question
			want int32
		}{
			{stat.Question{Statistic: stat.Quantile, Signal: stat.RR, QuantilePPM: ppm}, values[rank-1]},
			{stat.Question{Statistic: stat.Min, Signal: stat.RR}, values[0]},
			{stat.Question{Statistic: stat.Max, Signal: stat.RR}, values[len(values)-1]},
		} {
			res, err := stat.Compute(tt.q, s)
			if err != nil {
				t.Fatal(err)
			}
			from, _ := res.Resolved.From.Float()
			to, _ := res.Resolved.To.Float()
			got, _ := res.Value.Number.Float()
			if float64(tt.want) < from || float64(tt.want) > to || got < from || got > to {
				t.Fatalf("%s at %d ppm = %v in [%v, %v], true value %d", tt.q.Statistic, ppm, got, from, to, tt.want)
			}
		}
	}
}

// TestRateQuantilesMirrorIntervals: a heart rate below which 10 % lie belongs to
// the interval above which 10 % lie.
func TestRateQuantilesMirrorIntervals(t *testing.T) {
	s := ward(t)
	for _, tt := range []struct{ hr, rr stat.Statistic }{{stat.Min, stat.Max}, {stat.Max, stat.Min}} {
		hr, err1 := stat.Compute(stat.Question{Statistic: tt.hr, Signal: stat.HR}, s)
		rr, err2 := stat.Compute(stat.Question{Statistic: tt.rr, Signal: stat.RR}, s)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		x, _ := hr.Value.Number.Float()
		y, _ := rr.Value.Number.Float()
		if math.Abs(x-60_000/y) > 1e-6 {
			t.Errorf("%s heart rate = %v, want 60000/%v", tt.hr, x, y)
		}
	}
}

func TestSmallCellsAreHidden(t *testing.T) {
	var a stat.Totals
	for rr, n := range map[int32]int{500: 40, 700: 60, 900: 2, 1100: 7} {
		for range n {
			a.Accept(rr, 0)
		}
	}
	patients := []stat.Totals{a, a, a}
	for i := range patients {
		patients[i].Bins[stat.Bin(900)] = 0
		patients[i].Bins[stat.Bin(700)] += 2
	}
	patients[0].Bins[stat.Bin(900)], patients[0].Bins[stat.Bin(700)] = 2, 60
	s := openParts(t, [][]stat.Totals{patients})
	r, err := stat.ComputeCohort(stat.Question{Statistic: stat.Histogram, Signal: stat.RR}, s, 3)
	if err != nil {
		t.Fatal(err)
	}
	bins := r.Value.Object.(stat.HistogramValue).Bins
	if got := bins[stat.Bin(900)].Count.String(); got != "<3" {
		t.Errorf("bin of 2 beats = %s, want <3", got)
	}
	// One hidden cell would be the total less the others: the next one hides it.
	if got := bins[stat.Bin(1100)].Count.String(); got != "<22" {
		t.Errorf("smallest cell that is left = %s, want <22", got)
	}
	if got := bins[stat.Bin(500)].Count.String(); got != "120" {
		t.Errorf("large cell = %s, want 120", got)
	}
	// The bin that holds the maximum has 21 beats.
	for k, absent := range map[uint64]bool{21: false, 22: true} {
		s.Patients = k
		r, err := stat.ComputeCohort(stat.Question{Statistic: stat.Max, Signal: stat.RR}, s, k)
		if err != nil || r.Value.Absent() != absent {
			t.Errorf("maximum in a bin of 21 beats, k = %d: absent = %v, %v, want %v", k, r.Value.Absent(), err, absent)
		}
		all, err := stat.ComputeCohort(stat.Question{Statistic: stat.Summary, Signal: stat.RR}, s, k)
		if err != nil {
			t.Fatal(err)
		}
		if q, _ := all.Value.Object.(stat.Members).Get("max"); q.Value.Absent() != absent {
			t.Errorf("maximum in the summary, k = %d: %q, want absent = %v", k, q.Value, absent)
		}
	}
	r, err = stat.ComputeCohort(stat.Question{Statistic: stat.Histogram, Signal: stat.RR, Bins: 8}, s, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Sums.Get("bins"); ok {
		t.Error("fine bins are shown beside wide ones: their difference shows hidden cells")
	}
}

func TestComputeRefusesOtherSums(t *testing.T) {
	s := ward(t)
	s.Sel = stat.Question{Statistic: stat.Mean, Signal: stat.RR}.Selection()
	if _, err := stat.Compute(stat.Question{Statistic: stat.Variance, Signal: stat.RR}, s); !errors.Is(err, stat.ErrNotOpened) {
		t.Errorf("variance of sums without squares: %v, want ErrNotOpened", err)
	}
	if _, err := stat.Compute(stat.Question{Statistic: "mode", Signal: stat.RR}, s); !errors.Is(err, stat.ErrQuestion) {
		t.Errorf("unknown statistic: %v, want ErrQuestion", err)
	}
}

func TestScreeningFlagIsLabelled(t *testing.T) {
	r, err := stat.Compute(stat.Question{Statistic: stat.Arrhythmia, Signal: stat.RR}, ward(t))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const line = "screening hint, not a diagnosis; not a medical device"
	if strings.Count(string(b), line) != 2 {
		t.Errorf("%s\nwant the line %q in the flag and in the notes", b, line)
	}
	if strings.Contains(string(b), "fibrillation") {
		t.Error("the flag says irregular, never atrial fibrillation")
	}
}
