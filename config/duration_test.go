package config

import (
	"testing"
	"time"
)

func TestDurationReadsWhatPeopleWrite(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration
	}{
		{"0s", 0},
		{"90s", 90 * time.Second},
		{"1h30m", 90 * time.Minute},
		{"7d", 7 * 24 * time.Hour},
		{"2w", 14 * 24 * time.Hour},
		{"1d12h", 36 * time.Hour},
		{"1.5d", 36 * time.Hour},
		{"-1h", -time.Hour},
		{"+5m", 5 * time.Minute},
		{"250us", 250 * time.Microsecond},
		{"15250w", 15250 * 7 * 24 * time.Hour}, // the largest whole number of weeks is 15250
	} {
		got, err := ParseDuration(tt.text)
		if err != nil || got.Std() != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", tt.text, got.Std(), err, tt.want)
		}
	}
}

func TestDurationRefusesTheRest(t *testing.T) {
	for _, text := range []string{"", "30", "0", "-", "d", "5 m", "1y", "5m30", "1..5h", "h1", "1e3s", "15251w", "200000d", "9999999999999h", "9223372036s9223372036s", "--1h", "\x00"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got.Std())
		}
	}
}

func TestDurationIsShort(t *testing.T) {
	for _, tt := range []struct {
		in   time.Duration
		want string
	}{
		{0, "0s"}, {time.Minute, "1m"}, {time.Hour, "1h"}, {36 * time.Hour, "36h"}, {24 * time.Hour, "1d"},
		{14 * 24 * time.Hour, "2w"}, {90 * time.Second, "1m30s"}, {time.Hour + time.Second, "1h0m1s"}, {-time.Minute, "-1m"},
	} {
		if got := Duration(tt.in).String(); got != tt.want {
			t.Errorf("Duration(%v).String() = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzDuration: what is read is written back to the same value.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1d12h", "-1.5w", "9ns", "30", "1h0m1s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		back, err := ParseDuration(d.String())
		if err != nil || back != d {
			t.Errorf("%q is read as %d, written as %q, read as %d (%v)", s, d, d.String(), back, err)
		}
	})
}
