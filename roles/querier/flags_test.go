package querier

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"statnet/internal/cli"
)

// TestFlagErrors: every error names the flag, the value and one that works.
func TestFlagErrors(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	good := flags{stat: "mean", signal: "rr", window: "24h", timeout: 2 * time.Minute}
	var out bytes.Buffer
	for _, tt := range []struct {
		name   string
		change func(f *flags)
	}{
		{"no statistic", func(f *flags) { f.stat = "" }},
		{"unknown statistic", func(f *flags) { f.stat = "entropy" }},
		{"unknown signal", func(f *flags) { f.signal = "spo2" }},
		{"signal that the statistic has not", func(f *flags) { f.stat, f.signal = "rmssd", "hr" }},
		{"negative window", func(f *flags) { f.window = "-1h" }},
		{"window without unit", func(f *flags) { f.window = "30" }},
		{"window and from", func(f *flags) { f.from = "2h" }},
		{"no window", func(f *flags) { f.window = "" }},
		{"from without to", func(f *flags) { f.window, f.from = "", "2h" }},
		{"from after to", func(f *flags) { f.window, f.from, f.to = "", "1h", "2h" }},
		{"from that is no time", func(f *flags) { f.window, f.from, f.to = "", "yesterday", "1h" }},
		{"quantile of 1", func(f *flags) { f.stat, f.quantile = "quantile", 1 }},
		{"negative quantile", func(f *flags) { f.stat, f.quantile = "quantile", -0.5 }},
		{"no quantile", func(f *flags) { f.stat = "quantile" }},
		{"65 bins", func(f *flags) { f.stat, f.bins = "histogram", 65 }},
		{"timeout of 9 s", func(f *flags) { f.timeout = 9 * time.Second }},
		{"timeout of 25 h", func(f *flags) { f.timeout = 25 * time.Hour }},
		{"patient and cohort", func(f *flags) { f.patients, f.cohort = []string{"p-0001"}, "ward-a" }},
	} {
		f := good
		tt.change(&f)
		_, err := f.ask(now)
		fmt.Fprintf(&out, "# %s\n", tt.name)
		if code := cli.Report(&out, err); code != cli.Usage {
			t.Errorf("%s: exit code %d, want %d: %v", tt.name, code, cli.Usage, err)
		}
	}
	golden(t, "flags.txt", out.Bytes())
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		f        flags
		from, to time.Duration // before now
	}{
		{"window ends where epochs have settled", flags{window: "1h"}, time.Hour + settle, settle},
		{"durations back", flags{from: "3h", to: "1h"}, 3 * time.Hour, time.Hour},
		{"times", flags{from: "2026-11-20T00:00:00Z", to: "2026-11-20T12:00:00+01:00"}, 12 * time.Hour, time.Hour},
	} {
		from, to, err := tt.f.times(now)
		if err != nil || !from.Equal(now.Add(-tt.from)) || !to.Equal(now.Add(-tt.to)) {
			t.Errorf("%s: [%v, %v), %v", tt.name, from, to, err)
		}
	}
}
