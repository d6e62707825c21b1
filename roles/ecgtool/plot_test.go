package ecgtool

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"statnet/ecg"
	"statnet/ecg/wfdb"
)

func TestTicksAreRoundAndFew(t *testing.T) {
	for _, tt := range []struct {
		low, high   float64
		first, last string
		n           int
	}{
		{0, 10, "0", "10", 11}, {-0.61, 0.96, "-0.6", "0.8", 8}, {520, 1130, "600", "1100", 6},
		{0, 30.1, "0", "30", 7}, {0, 1440, "0", "1400", 8}, {0.0012, 0.0019, "0.0012", "0.0019", 8},
	} {
		got := roundTicks(tt.low, tt.high)
		if len(got) != tt.n || got[0].Label != tt.first || got[len(got)-1].Label != tt.last {
			t.Errorf("roundTicks(%g, %g) = %d ticks %v, want %d from %s to %s", tt.low, tt.high, len(got), got, tt.n, tt.first, tt.last)
		}
	}
	for _, bad := range [][2]float64{{1, 1}, {2, 1}, {math.NaN(), 1}, {math.Inf(1), math.Inf(-1)}} {
		if got := roundTicks(bad[0], bad[1]); got != nil {
			t.Errorf("roundTicks(%g, %g) = %v, want none", bad[0], bad[1], got)
		}
	}
}

func TestEveryBeatHasItsMark(t *testing.T) {
	for _, tt := range []struct {
		flags ecg.Flags
		want  string
	}{
		{0, "accepted"}, {ecg.SearchBack, "accepted"}, {ecg.Jump, "rejected: counts in no query"},
		{ecg.First, "first of a segment: no interval"}, {ecg.First | ecg.Quality, "first of a segment: no interval"},
	} {
		if got := marks[markOf(tt.flags)].name; got != tt.want {
			t.Errorf("mark of flags %v = %q, want %q", tt.flags, got, tt.want)
		}
	}
}

// What has no beats, no intervals or no samples is drawn all the same.
func TestPlotsOfNearlyNothing(t *testing.T) {
	hole := make([]int32, 2000)
	for i := range hole {
		hole[i] = wfdb.Missing
	}
	for name, counts := range map[string][]int32{"nothing": {}, "one sample": {7}, "a flat line": make([]int32, 2000), "only missing samples": hole} {
		rec, err := wfdb.NewRecord(wfdb.OneSignal("x", 250_000, 800, "ECG"), [][]int32{counts})
		if err != nil {
			t.Fatal(err)
		}
		d, err := detect(rec, 0, ecg.DefaultTuning())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.svg")
		if err := plotDetection(path, d, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Contains(b, []byte("</svg>")) || bytes.Contains(b, []byte("NaN")) {
			t.Errorf("%s: plot has %d bytes, %v; want a whole one without NaN", name, len(b), err)
		}
	}
}
