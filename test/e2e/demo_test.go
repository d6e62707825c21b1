//go:build e2e

package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// totals are the sums of some beats, computed here a second time, from the text
// that `statnet ecg detect` prints or from an RR list.
type totals struct {
	n, s1, s2, m, d2, nn50, h1, rejected int64
	prev                                 int64 // of the last beat, if accepted
}

func (s *totals) accept(rr int64) {
	s.n++
	s.s1 += rr
	s.s2 += rr * rr
	s.h1 += (1_200_000 + rr) / (2 * rr)
	if s.prev > 0 {
		d := rr - s.prev
		s.m++
		s.d2 += d * d
		if d > 50 || d < -50 {
			s.nn50++
		}
	}
	s.prev = rr
}

// detected adds the beats of one record.
func (s *totals) detected(t *testing.T, record string) {
	t.Helper()
	out, errs, code := run(t, "ecg", "detect", record, "--output", "csv")
	if code != 0 {
		t.Fatalf("ecg detect %s = %d\n%s", record, code, errs)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	s.prev = 0
	for _, row := range rows[1:] {
		flags := "+" + row[3] + "+"
		switch {
		case strings.Contains(flags, "+first+"):
			s.prev = 0
		case strings.Contains(flags, "+range+"), strings.Contains(flags, "+jump+"), strings.Contains(flags, "+quality+"):
			s.rejected++
			s.prev = 0
		default:
			rr, err := strconv.ParseInt(row[2], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			s.accept(rr)
		}
	}
}

// sharedRecords finds the real records, or skips.
func sharedRecords(t *testing.T, names ...string) []string {
	t.Helper()
	dir := os.Getenv("STATNET_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	var out []string
	for _, n := range names {
		path, err := filepath.Abs(filepath.Join(dir, "ecg", "mitdb", n))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".hea"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("real ECG records are missing: %v", err)
			}
			t.Skipf("real ECG records are missing (set STATNET_DATA): %v", err)
		}
		out = append(out, path)
	}
	return out
}

// TestDemoOfRealRecordsIsExact compares what the whole system says about real
// ECG with what a few lines compute from the detector's output.
func TestDemoOfRealRecordsIsExact(t *testing.T) {
	records := sharedRecords(t, "100", "119", "208")
	var want totals
	args := []string{"demo", "--quiet", "--output", "json"}
	for _, r := range records {
		want.detected(t, r)
		args = append(args, "--record", r)
	}
	mean := float64(want.s1) / float64(want.n)
	variance := (float64(want.s2) - mean*float64(want.s1)) / float64(want.n-1)
	for _, tt := range []struct {
		stat, signal string
		value        float64
		sums         map[string]int64
	}{
		{"variance", "rr", variance, map[string]int64{"count": want.n, "sum": want.s1, "sum_squares": want.s2, "rejected_beats": want.rejected}},
		{"mean", "rr", mean, map[string]int64{"count": want.n, "sum": want.s1}},
		{"rmssd", "rr", math.Sqrt(float64(want.d2) / float64(want.m)), map[string]int64{"pairs": want.m, "sum_squared_differences": want.d2}},
		{"pnn50", "rr", float64(want.nn50) / float64(want.m), map[string]int64{"pairs": want.m, "nn50": want.nn50}},
		{"mean", "hr", 60000 / mean, map[string]int64{"count": want.n, "sum": want.s1, "sum_heart_rate": want.h1}},
	} {
		t.Run(tt.stat+" of "+tt.signal, func(t *testing.T) {
			out, errs, code := run(t, append(args, "--stat", tt.stat, "--signal", tt.signal)...)
			if code != 0 {
				t.Fatalf("demo = %d\n%s", code, errs)
			}
			a := parse(t, out)
			for name, sum := range tt.sums {
				if got := a.sum(t, name); got != sum {
					t.Errorf("sums.%s = %d, want %d", name, got, sum)
				}
			}
			got, err := strconv.ParseFloat(string(a.Value), 64)
			if err != nil || math.Abs(got-tt.value) > 1e-5*max(1, tt.value*1e-3) {
				t.Errorf("value = %s, want %.6f", a.Value, tt.value)
			}
		})
	}
}

// rrList writes n intervals that the 20 % rule accepts, and returns their sums.
func rrList(t *testing.T, file string, n int, seed uint64, rr func(*rand.Rand) int64) totals {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "time_ms,rr_ms")
	var s totals
	random := rand.New(rand.NewPCG(seed, 1))
	at := int64(0)
	for range n {
		x := rr(random)
		at += x
		s.accept(x)
		fmt.Fprintf(w, "%d,%d\n", at, x)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDemoOf302400RowsAGatewayIsExact is the customer's size: three days of
// beats on each of three gateways.
func TestDemoOf302400RowsAGatewayIsExact(t *testing.T) {
	args := []string{"demo", "--quiet", "--output", "json", "--stat", "variance"}
	var want totals
	for i := range uint64(3) {
		file := filepath.Join(t.TempDir(), fmt.Sprintf("rr%d.csv", i))
		s := rrList(t, file, 302_400, i, func(r *rand.Rand) int64 { return 800 + r.Int64N(100) })
		want.n, want.s1, want.s2 = want.n+s.n, want.s1+s.s1, want.s2+s.s2
		args = append(args, "--rr", file)
	}
	out, errs, code := run(t, args...)
	if code != 0 {
		t.Fatalf("demo = %d\n%s", code, errs)
	}
	a := parse(t, out)
	for name, sum := range map[string]int64{"count": want.n, "sum": want.s1, "sum_squares": want.s2, "rejected_beats": 0} {
		if got := a.sum(t, name); got != sum {
			t.Errorf("sums.%s = %d, want %d", name, got, sum)
		}
	}
	if want.n != 3*302_400 {
		t.Errorf("the test itself made %d intervals", want.n)
	}
}

// TestLogsOfEveryNodeLeakNothing runs a demo at debug level with intervals that
// occur nowhere else, and looks for them, for patients and for keys in every
// log.
func TestLogsOfEveryNodeLeakNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	file := filepath.Join(t.TempDir(), "rr.csv")
	const marked = 1777
	s := rrList(t, file, 600, 1, func(*rand.Rand) int64 { return marked })
	out, errs, code := run(t, "demo", "--keep", dir, "--log-level", "debug", "--rr", file, "--stat", "mean", "--output", "json")
	if code != 0 {
		t.Fatalf("demo = %d\n%s", code, errs)
	}
	parse(t, out)
	forbidden := []*regexp.Regexp{
		regexp.MustCompile(fmt.Sprintf(`\b%d\b`, marked)), // an interval, and the mean
		regexp.MustCompile(fmt.Sprintf(`\b%d\b`, s.s1)),   // a gateway's sum
		regexp.MustCompile(fmt.Sprintf(`\b%d\b`, 3*s.s1)), // the result
		regexp.MustCompile(`\bp-000[0-9]\b`),              // a patient
	}
	for _, key := range secretKeys(t, dir) {
		forbidden = append(forbidden, regexp.MustCompile(regexp.QuoteMeta(hex.EncodeToString(key))),
			regexp.MustCompile(regexp.QuoteMeta(base64.StdEncoding.EncodeToString(key))))
	}
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
	if err != nil || len(logs) != 9 {
		t.Fatalf("logs = %v, %v, want 9", logs, err)
	}
	for _, l := range logs {
		text, err := os.ReadFile(l)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 {
			t.Errorf("%s is empty: nothing was tested", l)
		}
		for _, re := range forbidden {
			if at := re.FindIndex(text); at != nil {
				t.Errorf("%s shows %q", filepath.Base(l), text[max(0, at[0]-80):min(len(text), at[1]+40)])
			}
		}
	}
}

// secretKeys collects the secret part of every key file.
func secretKeys(t *testing.T, dir string) [][]byte {
	t.Helper()
	var keys [][]byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".key" {
			return err
		}
		data, err := os.ReadFile(path)
		if block, _ := pem.Decode(data); block != nil {
			keys = append(keys, block.Bytes[max(0, len(block.Bytes)-32):])
		}
		return err
	})
	if err != nil || len(keys) < 9 {
		t.Fatalf("%d keys found: %v", len(keys), err)
	}
	return keys
}
