package ecgtool

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"statnet/ecg"
	"statnet/ecg/ecgtest"
	"statnet/ecg/score"
	"statnet/ecg/screen"
	"statnet/ecg/wfdb"
	"statnet/internal/cli"
	"statnet/stat"
)

// run executes `ecg ARGS` and returns what it prints.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := Command()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&bytes.Buffer{})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.PersistentFlags().String(cli.FlagOutput, "", "")
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		t.Fatalf("ecg %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// The sums that a few lines compute from the printed CSV are those that the
// gateway adds up from the same record.
func TestPrintedBeatsGiveTheGatewaysSums(t *testing.T) {
	path := filepath.Join(ecgtest.Dir(t), "mitdb", "119")
	rows, err := csv.NewReader(strings.NewReader(mustRun(t, "detect", path, "--output", "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "sample,time_s,rr_ms,flags" {
		t.Fatalf("header = %q", got)
	}
	var got, want stat.Totals
	prev := int32(0)
	for _, r := range rows[1:] {
		flags, err := ecg.ParseFlags(r[3])
		if err != nil {
			t.Fatal(err)
		}
		rr, _ := strconv.Atoi(r[2])
		prev = add(&got, flags, int32(rr), prev)
	}
	rec, err := wfdb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	prev = 0
	err = rec.Beats(0, 1_800_000_000_000_000, ecg.DefaultTuning(), ecg.Sink{Beat: func(_ ecg.Peak, b ecg.Beat) error {
		prev = add(&want, b.Flags, b.RR, prev)
		return nil
	}})
	if err != nil || got != want || got.N == 0 {
		t.Errorf("sums from the CSV = %+v, from the gateway's call = %+v, %v", got, want, err)
	}
}

func add(t *stat.Totals, f ecg.Flags, rr, prev int32) int32 {
	switch {
	case f.Accepted():
		t.Accept(rr, prev)
		return rr
	case f.Rejected():
		t.Reject()
	}
	return 0
}

func TestDetectFormats(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "s")
	mustRun(t, "synth", "--out", base, "--seconds", "90", "--rhythm", "drop", "--seed", "3")
	table := mustRun(t, "detect", base, "--output", "table")
	if !strings.Contains(table, "accepted") {
		t.Errorf("table = %q", table)
	}
	var value []recordValue
	if err := json.Unmarshal([]byte(mustRun(t, "detect", base, "--output", "json")), &value); err != nil {
		t.Fatal(err)
	}
	c := value[0].Counts
	if c.Detected != c.Accepted+c.Rejected+c.First || c.First != 2 || value[0].Beats[0].RR != nil {
		t.Errorf("counts = %+v, want two first beats without an interval", c)
	}
	rr := mustRun(t, "detect", base, "--output", "rr")
	if strings.Count(rr, "\n") != c.Detected-1 || strings.Count(rr, "# gap\n") != 1 {
		t.Errorf("RR list has %d lines for %d beats, %d gaps", strings.Count(rr, "\n"), c.Detected, strings.Count(rr, "# gap"))
	}
	ann, err := wfdb.ParseAnnotations([]byte(mustRun(t, "detect", base, "--output", "atr")))
	if err != nil || len(ann) != c.Detected {
		t.Errorf("%d annotations, %v, want %d", len(ann), err, c.Detected)
	}
	truth, err := wfdb.ReadAnnotations(base + ".atr")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ann {
		near := false
		for _, b := range truth {
			near = near || a.Sample-b.Sample <= 2 && b.Sample-a.Sample <= 2
		}
		if !near {
			t.Errorf("beat at %d is not in the truth", a.Sample)
		}
	}
}

func TestSamplesRoundHalfUp(t *testing.T) {
	for _, tt := range []struct {
		x        int64
		decimals int
		want     string
	}{{0, 0, "0"}, {511, 0, "0"}, {512, 0, "1"}, {1023, 2, "1.00"}, {1024 + 5, 2, "1.00"}, {1024 + 6, 2, "1.01"}, {1024*1000 + 256, 3, "1000.250"}} {
		if got := string(appendFixed(nil, tt.x, 1024, tt.decimals)); got != tt.want {
			t.Errorf("%d/1024 with %d decimals = %s, want %s", tt.x, tt.decimals, got, tt.want)
		}
	}
}

func TestDetectThenScore(t *testing.T) {
	ref := filepath.Join(ecgtest.Dir(t), "mitdb")
	det := t.TempDir()
	mustRun(t, "detect", filepath.Join(ref, "100"), filepath.Join(ref, "104.hea"), "--samples-only", "--decimals", "2", "--out-dir", det)
	out := mustRun(t, "score", ref, det, "--records", "100,104")
	if !strings.HasPrefix(out, "# "+det+" vs "+ref+"  window 150 ms  per-record view: ec57\n") || !strings.Contains(out, "G:full") {
		t.Errorf("score prints\n%s", out)
	}
	_, err := run(t, "score", ref, det)
	if cli.CodeOf(err) != cli.Partial {
		t.Errorf("score with missing records = %v, exit %d, want %d", err, cli.CodeOf(err), cli.Partial)
	}
	jsonFile := filepath.Join(det, "out.json")
	mustRun(t, "score", ref, det, "--allow-missing", "--json", jsonFile)
	var report score.Report
	b, err := os.ReadFile(jsonFile)
	if err == nil {
		err = json.Unmarshal(b, &report)
	}
	if err != nil || len(report.Records) != 2 || report.Gross["full"].TP == 0 {
		t.Errorf("JSON report = %+v, %v", report, err)
	}
}

// reference is a row of hrv_reference.json.
type reference map[string]json.Number

func TestHRVEqualsReference(t *testing.T) {
	dir := ecgtest.Dir(t)
	raw, err := os.ReadFile(filepath.Join(dir, "hrv_reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range ecgtest.Names {
		var want map[string]json.RawMessage
		if err := json.Unmarshal(all[name], &want); err != nil {
			t.Fatal(err)
		}
		for _, beats := range []string{"nn", "all"} {
			var ref reference
			if err := json.Unmarshal(want[beats], &ref); err != nil {
				t.Fatal(err)
			}
			got := hrvOf(t, filepath.Join(dir, "mitdb", name), "--from", "atr", "--beats", beats)
			compare(t, name+" "+beats, ref, got)
		}
	}
}

func hrvOf(t *testing.T, args ...string) hrvResult {
	t.Helper()
	var r hrvResult
	if err := json.Unmarshal([]byte(mustRun(t, append([]string{"hrv", "--output", "json"}, args...)...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// compare checks every figure to the last printed digit.
func compare(t *testing.T, name string, want reference, got hrvResult) {
	t.Helper()
	s, d := got.Sums, got.Derived
	for key, v := range map[string]uint64{"n": s.N, "sum": s.S1, "sumsq": s.S2, "m": s.M, "sumdsq": s.D2, "nn50": s.NN50} {
		if string(want[key]) != strconv.FormatUint(v, 10) {
			t.Errorf("%s: %s = %d, want %s", name, key, v, want[key])
		}
	}
	for key, v := range map[string]*float64{"mean_rr_ms": d.MeanRR, "mean_hr_bpm": d.MeanHR, "var_ms2": d.Variance, "sdnn_ms": d.SDNN,
		"rmssd_ms": d.RMSSD, "pnn50": d.PNN50, "cv": d.CV, "nrmssd": d.NRMSSD} {
		w, err := want[key].Float64()
		if err != nil || v == nil || math.Round(*v*1e6) != math.Round(w*1e6) {
			t.Errorf("%s: %s = %v, want %s", name, key, v, want[key])
		}
	}
}

// The vectors of the design for the rules of beats, on the labelled beats.
func TestCleanedAndScreenedVectors(t *testing.T) {
	dir := filepath.Join(ecgtest.Dir(t), "mitdb")
	for _, tt := range []struct {
		name     string
		rejected int
		sums     screen.Sums
		h1       uint64
		screen   screen.Counts
	}{
		{"100", 70, screen.Sums{N: 2202, S1: 1750261, S2: 1394073461, M: 2166, D2: 1644194, NN50: 116}, 1665656, screen.Counts{Windows: 17, Largest: 24}},
		{"119", 1158, screen.Sums{N: 828, S1: 743165, S2: 668472353, M: 672, D2: 714770, NN50: 87}, 554870, screen.Counts{Windows: 15, Irregular: 9, Largest: 106}},
		{"203", 1857, screen.Sums{N: 1122, S1: 665307, S2: 431497601, M: 451, D2: 2034344, NN50: 207}, 1260360, screen.Counts{Windows: 23, Irregular: 23, Largest: 116, Tachycardia: 1429}},
		{"207", 207, screen.Sums{N: 1646, S1: 1451210, S2: 1314754264, M: 1623, D2: 1747876, NN50: 169}, 1159397, screen.Counts{Windows: 12, Irregular: 1, Largest: 91, Tachycardia: 99, Bradycardia: 2}},
		{"208", 1495, screen.Sums{N: 1459, S1: 814996, S2: 460312916, M: 941, D2: 2636611, NN50: 316}, 1584638, screen.Counts{Windows: 22, Irregular: 20, Largest: 127, Tachycardia: 1144, Pauses: 1}},
		{"232", 627, screen.Sums{N: 1152, S1: 894587, S2: 753430417, M: 854, D2: 423888, NN50: 10}, 918674, screen.Counts{Windows: 6, Irregular: 3, Largest: 89, Bradycardia: 63, Pauses: 31}},
	} {
		got := hrvOf(t, filepath.Join(dir, tt.name), "--from", "atr", "--beats", "clean")
		if got.Counts.Rejected != tt.rejected || got.Sums != tt.sums || got.Screening != tt.screen {
			t.Errorf("%s: %d rejected, %+v, %+v\nwant %d, %+v, %+v", tt.name, got.Counts.Rejected, got.Sums, got.Screening, tt.rejected, tt.sums, tt.screen)
		}
		var totals stat.Totals
		beats, _, _, err := annotated(filepath.Join(dir, tt.name))
		if err != nil {
			t.Fatal(err)
		}
		prev := int32(0)
		for _, b := range beats {
			prev = add(&totals, b.Flags, b.RR, prev)
		}
		if totals.H1 != tt.h1 || totals.D2 != tt.sums.D2 || totals.REJ != uint64(tt.rejected) {
			t.Errorf("%s: stat has H1 %d, D2 %d, REJ %d, want %d, %d, %d", tt.name, totals.H1, totals.D2, totals.REJ, tt.h1, tt.sums.D2, tt.rejected)
		}
	}
	for name, want := range map[string][2]uint64{"104": {0, 17}, "108": {0, 13}, "113": {0, 14}, "116": {0, 18}, "200": {20, 20}, "222": {17, 19}} {
		got := hrvOf(t, filepath.Join(dir, name), "--from", "atr", "--beats", "clean").Screening
		if got.Irregular != want[0] || got.Windows != want[1] {
			t.Errorf("%s: %d of %d windows irregular, want %d of %d", name, got.Irregular, got.Windows, want[0], want[1])
		}
	}
	for _, tt := range []struct {
		name, beats string
		want        screen.Sums
	}{
		{"208", "all", screen.Sums{N: 2953, S1: 1802133, S2: 1147439151, M: 2951, D2: 122555627, NN50: 2191}},
		{"232", "nn", screen.Sums{N: 117, S1: 189741, S2: 343229729, M: 27, D2: 29971121, NN50: 22}},
		{"232", "all", screen.Sums{N: 1748, S1: 1683548, S2: 2060191484, M: 1716, D2: 783541438, NN50: 760}},
	} {
		if got := hrvOf(t, filepath.Join(dir, tt.name), "--from", "atr", "--beats", tt.beats, "--limits", "200-3000").Sums; got != tt.want {
			t.Errorf("%s %s within 200-3000 ms = %+v, want %+v", tt.name, tt.beats, got, tt.want)
		}
	}
}

func TestHRVOfDetectedBeats(t *testing.T) {
	dir := filepath.Join(ecgtest.Dir(t), "mitdb")
	for _, tt := range []struct {
		name string
		err  float64 // of mean RR against the labels, cleaned; ms
	}{{"100", 0.2}, {"113", 0.5}, {"208", 5}} {
		want := hrvOf(t, filepath.Join(dir, tt.name), "--from", "atr", "--beats", "clean").Derived
		got := hrvOf(t, filepath.Join(dir, tt.name)).Derived
		if d := math.Abs(*got.MeanRR - *want.MeanRR); d > tt.err {
			t.Errorf("%s: mean RR %.3f ms, labels give %.3f", tt.name, *got.MeanRR, *want.MeanRR)
		}
	}
}

func TestAFlatRecordHasNoHeartRate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flat.csv")
	if err := os.WriteFile(path, []byte(strings.Repeat("0\n", 2500)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := hrvOf(t, path, "--rate", "250")
	if got.Counts.Detected != 0 || got.Derived.MeanHR != nil || got.Rejected != nil {
		t.Errorf("flat line: %+v", got)
	}
	if out := mustRun(t, "hrv", path, "--rate", "250"); !strings.Contains(out, "absent") {
		t.Errorf("table does not say that the heart rate is absent:\n%s", out)
	}
}

func TestSynthWithNoise(t *testing.T) {
	dir := t.TempDir()
	base, noisy := filepath.Join(dir, "clean"), filepath.Join(dir, "noisy")
	mustRun(t, "synth", "--out", base, "--seconds", "480", "--rate", "130", "--seed", "2")
	mustRun(t, "synth", "--record", base, "--noise", "ma:12", "--seed", "2", "--out", noisy)
	got, want := hrvOf(t, noisy, "--from", "detect").Counts, hrvOf(t, base, "--from", "atr", "--beats", "all").Counts
	if d := got.Detected - want.Detected; d < -2 || d > 2 {
		t.Errorf("%d beats detected in noise, truth has %d", got.Detected, want.Detected)
	}
	truth, err := os.ReadFile(base + ".csv")
	if err != nil || !strings.HasPrefix(string(truth), "time_ns,kind\n") || strings.Count(string(truth), "\n") != want.Detected+1 {
		t.Errorf("truth has %d lines, %v, want %d", strings.Count(string(truth), "\n"), err, want.Detected+1)
	}
}

func TestPlots(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "s")
	mustRun(t, "synth", "--out", base, "--seconds", "20")
	for i, args := range [][]string{{"detect", base}, {"hrv", base}} {
		svg := filepath.Join(dir, fmt.Sprint(i, ".svg"))
		mustRun(t, append(args, "--plot", svg)...)
		if b, err := os.ReadFile(svg); err != nil || !bytes.Contains(b, []byte("<svg")) || !bytes.Contains(b, []byte("tachogram")) || !bytes.Contains(b, []byte("rejected: counts in no query")) {
			t.Errorf("%v: plot has %d bytes, %v", args, len(b), err)
		}
	}
}

func TestUsageErrorsNameFlagValueAndExample(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "s")
	mustRun(t, "synth", "--out", base, "--seconds", "5")
	tuning := filepath.Join(dir, "t.yaml")
	if err := os.WriteFile(tuning, []byte("threshold_v: 500\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unknown := filepath.Join(dir, "u.yaml")
	if err := os.WriteFile(unknown, []byte("treshold_v: 50\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"detect"}, "needs a record"},
		{[]string{"detect", base + "x"}, "sx.hea"},
		{[]string{"detect", base, "--signal", "1"}, "no signal 1"},
		{[]string{"detect", base, "--output", "xml"}, "--output xml: must be one of"},
		{[]string{"detect", base, base}, "add --out-dir"},
		{[]string{"detect", base, "--decimals", "4"}, "--decimals 4: must be 0 to 3"},
		{[]string{"detect", base, "--tuning", tuning}, "threshold_v: 500 is outside"},
		{[]string{"detect", base, "--tuning", unknown}, "treshold_v"},
		{[]string{"detect", base + ".csv"}, "--rate 0: a CSV file needs its sampling rate"},
		{[]string{"hrv", base, "--limits", "3000-200"}, "--limits 3000-200: must be LOW-HIGH"},
		{[]string{"hrv", base, "--from", "x"}, "--from x: must be atr or detect"},
		{[]string{"hrv", base, "--beats", "nn"}, "--beats nn: needs beat labels"},
		{[]string{"hrv", base, "--pause-ms", "1"}, "pause_ms: 1 is outside"},
		{[]string{"synth"}, "--out: required"},
		{[]string{"synth", "--out", base, "--rate", "50"}, "--rate 50: must be 100 to 1000"},
		{[]string{"synth", "--out", base, "--rhythm", "waltz"}, "--rhythm waltz: must be one of"},
		{[]string{"synth", "--out", base, "--noise", "em:0"}, "needs --record"},
		{[]string{"synth", "--out", base, "--record", base, "--noise", "em"}, "--noise em: must be KIND:DECIBEL"},
		{[]string{"score", dir, dir, "--window-ms", "0"}, "--window-ms 0: must be above 0"},
		{[]string{"score", dir}, "1 arguments"},
	} {
		_, err := run(t, tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) || cli.CodeOf(err) != cli.Usage {
			t.Errorf("ecg %v: %v (exit %d), want %q and exit 2", tt.args, err, cli.CodeOf(err), tt.want)
		}
	}
}
