package stat_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"statnet/stat"
)

// The known answers of the epoch and the window circuits: (RR, gap before) of
// six beats; a beat after a gap makes no pair.
func exampleEpoch() (t stat.Totals) {
	var prev int32
	for _, b := range []struct {
		rr  int32
		gap int64
	}{{800, 1795330200200}, {800, 0}, {900, 0}, {600, 0}, {640, 5000}, {639, 0}} {
		if b.gap != 0 {
			prev = 0
		}
		t.Accept(b.rr, prev)
		prev = b.rr
	}
	t.OBS, t.REJ = 10, 2
	return t
}

func TestKnownEpoch(t *testing.T) {
	want := stat.Totals{N: 6, M: 4, NN50: 2, NIRR: 2, S1: 4379, S2: 3267921, D2: 100001, H1: 5044, H2: 4331454, OBS: 10, REJ: 2}
	for bin, n := range map[int]uint64{15: 1, 16: 1, 17: 1, 25: 2, 30: 1} {
		want.Bins[bin] = n
	}
	if got := exampleEpoch(); got != want {
		t.Errorf("totals of the known epoch =\n%+v, want\n%+v", got, want)
	}
}

func TestKnownWindowPlaintext(t *testing.T) {
	head := []uint16{1, 1, 0, 0, 0, 6, 0, 0, 0, 283, 1, 0, 0, 3409, 797, 0, 0, 4, 0, 0, 0, 1697, 24, 0, 0, 2, 0, 0, 0, 2,
		0, 0, 0, 948, 1, 0, 0, 1982, 1057, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 2349, 17, 0, 0, 1020, 22, 0, 0}
	var want stat.Plaintext
	copy(want[:], head)
	for _, at := range []int{158, 160, 162, 188} {
		want[at] = 1
	}
	want[178] = 2
	got, err := stat.Encode([]stat.Totals{exampleEpoch()}, 0xffff)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("plaintext of the known window =\n%v, want\n%v", got, want)
	}
	s, err := stat.Decode(widen(got), 0xffff)
	if err != nil {
		t.Fatal(err)
	}
	if s.WRR != 71981 || s.WH != 91132 || s.Providers != 1 || s.Patients != 1 {
		t.Errorf("W_RR, W_h, providers, patients = %d, %d, %d, %d, want 71981, 91132, 1, 1", s.WRR, s.WH, s.Providers, s.Patients)
	}
}

// TestKnownRates checks heart rate and bin of intervals at both sides of every
// change of bin width.
func TestKnownRates(t *testing.T) {
	for _, tt := range []struct {
		rr   int32
		bin  int
		rate int32
	}{{200, 0, 3000}, {243, 1, 2469}, {399, 4, 1504}, {400, 5, 1500}, {799, 24, 751}, {855, 27, 702}, {1000, 35, 600},
		{1199, 44, 500}, {1200, 45, 500}, {1499, 54, 400}, {1500, 55, 400}, {1999, 59, 300}, {2000, 60, 300},
		{2749, 62, 218}, {2750, 63, 218}, {3000, 63, 200}} {
		if got := stat.Bin(tt.rr); got != tt.bin {
			t.Errorf("Bin(%d) = %d, want %d", tt.rr, got, tt.bin)
		}
		if got := stat.Rate(tt.rr); got != tt.rate {
			t.Errorf("Rate(%d) = %d, want %d", tt.rr, got, tt.rate)
		}
	}
	for rr := int32(stat.MinRR); rr <= stat.MaxRR; rr++ {
		k := stat.Bin(rr)
		if rr < stat.BinEdge(k) || (rr >= stat.BinEdge(k+1) && rr != stat.MaxRR) {
			t.Fatalf("Bin(%d) = %d with edges [%d, %d)", rr, k, stat.BinEdge(k), stat.BinEdge(k+1))
		}
		if got, want := stat.Rate(rr), int32(math.Floor(600_000/float64(rr)+0.5)); got != want {
			t.Fatalf("Rate(%d) = %d, want %d", rr, got, want)
		}
	}
}

// TestCleanRecords checks the sums of all annotated beats under the range and
// 20 % rules.
func TestCleanRecords(t *testing.T) {
	for _, tt := range []struct {
		record                             string
		rejected                           uint64
		n, s1, s2, m, d2, nn50, h1         uint64
		irregular, windows, largestCounted int
	}{
		{"100", 70, 2202, 1750261, 1394073461, 2166, 1644194, 116, 1665656, 0, 17, 24},
		{"119", 1158, 828, 743165, 668472353, 672, 714770, 87, 554870, 9, 15, 106},
		{"203", 1857, 1122, 665307, 431497601, 451, 2034344, 207, 1260360, 23, 23, 116},
		{"207", 207, 1646, 1451210, 1314754264, 1623, 1747876, 169, 1159397, 1, 12, 91},
		{"208", 1495, 1459, 814996, 460312916, 941, 2636611, 316, 1584638, 20, 22, 127},
		{"232", 627, 1152, 894587, 753430417, 854, 423888, 10, 918674, 3, 6, 89},
	} {
		ivs := intervals(readAnnotations(t, tt.record))
		got := clean(ivs, nil)
		want := stat.Totals{N: tt.n, S1: tt.s1, S2: tt.s2, M: tt.m, D2: tt.d2, NN50: tt.nn50, H1: tt.h1, REJ: tt.rejected,
			H2: got.H2, NIRR: got.NIRR, Bins: got.Bins} // no reference for these three
		if got != want {
			t.Errorf("%s: totals = %+v, want %+v", tt.record, got, want)
		}
		windows, largest := rawWindows(ivs)
		n := 0
		for _, w := range windows {
			if w.irregular {
				n++
			}
		}
		if n != tt.irregular || len(windows) != tt.windows || largest != tt.largestCounted {
			t.Errorf("%s: irregular windows = %d/%d, %d, want %d/%d, %d", tt.record, n, len(windows), largest, tt.irregular, tt.windows, tt.largestCounted)
		}
	}
}

// TestIrregularityThreshold reproduces the error that IrregularityPPM states.
func TestIrregularityThreshold(t *testing.T) {
	type outcome struct{ flagged, irregular bool }
	epochs, records := map[outcome]int{}, map[outcome]int{}
	for _, record := range sharedRecords {
		ivs := intervals(readAnnotations(t, record))
		windows, _ := rawWindows(ivs)
		votes := map[int64]int{} // irregular minus regular windows, by epoch
		seen := map[int64]bool{}
		all := 0
		for _, w := range windows {
			vote := -1
			if w.irregular {
				vote = 1
			}
			votes[w.at/300_000] += vote
			seen[w.at/300_000] = true
			all += vote
		}
		at := byEpoch(ivs)
		var total stat.Totals
		for e, x := range at {
			total.Add(x)
			if seen[int64(e)] && e < 6 { // the seventh has five seconds
				epochs[outcome{raised(t, x), votes[int64(e)] > 0}]++
			}
		}
		records[outcome{raised(t, total), all > 0}]++
	}
	if tp, fn, tn, fp := epochs[outcome{true, true}], epochs[outcome{false, true}], epochs[outcome{false, false}], epochs[outcome{true, false}]; tp != 25 || fn != 1 || tn != 40 || fp != 3 {
		t.Errorf("epochs: hit %d, missed %d, quiet %d, false %d, want 25, 1, 40, 3", tp, fn, tn, fp)
	}
	if records[outcome{true, true}] != 5 || records[outcome{false, false}] != 7 {
		t.Errorf("records: %v, want 5 irregular and 7 not, all as the raw index", records)
	}
}

// byEpoch splits the totals of a record at five-minute boundaries.
func byEpoch(ivs []interval) []stat.Totals {
	out := make([]stat.Totals, 7)
	var prev stat.Totals
	for e := range out {
		var until []interval
		for _, iv := range ivs {
			if iv.at < int64(e+1)*300_000 {
				until = append(until, iv)
			}
		}
		now := clean(until, nil)
		out[e], _ = now.Sub(prev)
		prev = now
	}
	return out
}

func raised(t *testing.T, x stat.Totals) bool {
	t.Helper()
	s := stat.Sums{Providers: 1, Patients: 1, N: x.N, S1: x.S1, S2: x.S2, M: x.M, D2: x.D2, NN50: x.NN50, NIRR: x.NIRR, REJ: x.REJ, Sel: 0xffff}
	r, err := stat.Compute(stat.Question{Statistic: stat.Arrhythmia, Signal: stat.RR}, s)
	if err != nil {
		t.Fatal(err)
	}
	return *r.Value.Object.(stat.Members).Flags[0].Raised
}

type hrv struct {
	N, Sum, Sumsq, M, Sumdsq, NN50 uint64
	MeanRR                         float64 `json:"mean_rr_ms"`
	MeanHR                         float64 `json:"mean_hr_bpm"`
	Var                            float64 `json:"var_ms2"`
	SDNN                           float64 `json:"sdnn_ms"`
	RMSSD                          float64 `json:"rmssd_ms"`
	PNN50                          float64
	CV                             float64
}

// TestReferenceToolbox compares derived values with those of a published HRV
// toolbox, record by record and pooled, to its six printed decimals.
func TestReferenceToolbox(t *testing.T) {
	b, err := os.ReadFile(dataFile(t, "ecg", "hrv_reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows map[string]map[string]json.RawMessage
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for record, row := range rows {
		for kind, raw := range row {
			var want hrv
			if json.Unmarshal(raw, &want) != nil || want.N == 0 {
				continue // "beats": a number
			}
			checked++
			if want.MeanRR == 0 { // the pooled row has sums only
				continue
			}
			compareReference(t, record+" "+kind, want)
		}
	}
	if checked < 24 {
		t.Errorf("checked %d rows of hrv_reference.json, want at least 24", checked)
	}
}

func compareReference(t *testing.T, name string, want hrv) {
	t.Helper()
	s := stat.Sums{Providers: 1, Patients: 1, N: want.N, S1: want.Sum, S2: want.Sumsq, M: want.M, D2: want.Sumdsq, NN50: want.NN50, Sel: 0xffff}
	for _, tt := range []struct {
		q    stat.Question
		want float64
	}{
		{stat.Question{Statistic: stat.Mean, Signal: stat.RR}, want.MeanRR},
		{stat.Question{Statistic: stat.Mean, Signal: stat.HR}, want.MeanHR},
		{stat.Question{Statistic: stat.Variance, Signal: stat.RR}, want.Var},
		{stat.Question{Statistic: stat.StdDev, Signal: stat.RR}, want.SDNN},
		{stat.Question{Statistic: stat.RMSSD, Signal: stat.RR}, want.RMSSD},
		{stat.Question{Statistic: stat.PNN50, Signal: stat.RR}, want.PNN50},
		{stat.Question{Statistic: stat.CV, Signal: stat.RR}, want.CV},
	} {
		r, err := stat.Compute(tt.q, s)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := r.Value.Number.Float(); math.Abs(got-tt.want) > 1.5e-6 {
			t.Errorf("%s: %s of %s = %s, want %f", name, tt.q.Statistic, tt.q.Signal, r.Value.Number, tt.want)
		}
	}
}

// TestPooledRecords checks the arithmetic on the normal intervals of all 48
// records, of which only the sums are shared.
func TestPooledRecords(t *testing.T) {
	s := stat.Sums{Patients: 48, N: 82809, S1: 66375764, S2: 56528846236, M: 78364, D2: 711801965, NN50: 16738, Sel: 0xffff}
	for statistic, want := range map[stat.Statistic]float64{stat.Mean: 801.5525, stat.Variance: 40155.3502, stat.RMSSD: 95.3062} {
		r, err := stat.Compute(stat.Question{Statistic: statistic, Signal: stat.RR}, s)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := r.Value.Number.Float(); math.Abs(got-want) > 5e-5 {
			t.Errorf("pooled %s = %s, want %.4f", statistic, r.Value.Number, want)
		}
	}
}

// TestAnnotatedIntervals checks that the sums of one record's intervals, taken
// from its annotations, equal the reference integers.
func TestAnnotatedIntervals(t *testing.T) {
	for _, tt := range []struct {
		record                 string
		nn                     bool
		n, s1, s2, m, d2, nn50 uint64
	}{
		{"100", true, 2204, 1752197, 1395859515, 2169, 1639192, 116},
		{"100", false, 2272, 1805309, 1439900145, 2271, 9082666, 218},
		{"108", true, 1718, 1762400, 1826603540, 1697, 13249639, 671},
		{"113", true, 1782, 1795708, 1825559716, 1775, 15637557, 994},
		{"203", true, 2201, 1406745, 974810781, 1931, 94552633, 1520},
		{"207", true, 1438, 1297421, 1182330553, 1428, 1479311, 145},
		{"208", false, 2953, 1802133, 1147439151, 2951, 122555627, 2191},
		{"232", true, 117, 189741, 343229729, 27, 29971121, 22},
		{"232", false, 1748, 1683548, 2060191484, 1716, 783541438, 760},
	} {
		var got stat.Totals
		var prev int32
		for _, iv := range intervals(readAnnotations(t, tt.record)) {
			rr := iv.rr
			if rr < stat.MinRR || rr > stat.MaxRR || (tt.nn && !iv.nn) {
				rr = 0
			}
			if rr != 0 {
				got.Accept(rr, prev)
			}
			prev = rr
		}
		if got.N != tt.n || got.S1 != tt.s1 || got.S2 != tt.s2 || got.M != tt.m || got.D2 != tt.d2 || got.NN50 != tt.nn50 {
			t.Errorf("%s nn=%v: %d %d %d %d %d %d, want %d %d %d %d %d %d", tt.record, tt.nn,
				got.N, got.S1, got.S2, got.M, got.D2, got.NN50, tt.n, tt.s1, tt.s2, tt.m, tt.d2, tt.nn50)
		}
	}
}

func widen(p stat.Plaintext) []uint32 {
	out := make([]uint32, len(p))
	for i, v := range p {
		out[i] = uint32(v)
	}
	return out
}
