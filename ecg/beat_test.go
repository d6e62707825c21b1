package ecg

import (
	"errors"
	"math"
	"testing"
)

func TestCleanerJudgesIntervals(t *testing.T) {
	const ms = 1_000_000
	tests := []struct {
		name  string
		times []int64 // device ns
		rr    int32   // of the last beat
		flags Flags
	}{
		{"the first beat has no interval", []int64{0}, 0, First},
		{"the second has no predecessor to jump from", []int64{0, 800 * ms}, 800, 0},
		{"exactly 20 % is no jump", []int64{0, 1000 * ms, 1800 * ms}, 800, 0},
		{"more than 20 % shorter is early", []int64{0, 1000 * ms, 1799 * ms}, 799, Jump | Early},
		{"more than 20 % longer is a jump", []int64{0, 1000 * ms, 2201 * ms}, 1201, Jump},
		{"a jump is measured from a rejected beat, too", []int64{0, 1000 * ms, 1500 * ms, 2500 * ms}, 1000, Jump},
		{"no jump from an interval out of range", []int64{0, 4000 * ms, 4800 * ms}, 800, 0},
		{"200 ms is in range", []int64{0, 200 * ms}, 200, 0},
		{"199 ms is not", []int64{0, 199 * ms}, 199, Range},
		{"3000 ms is in range", []int64{0, 3000 * ms}, 3000, 0},
		{"3001 ms is not", []int64{0, 3001 * ms}, 3001, Range},
		{"half a millisecond rounds up", []int64{0, 800*ms + 500_000}, 801, 0},
		{"just below it rounds down", []int64{0, 800*ms + 499_999}, 800, 0},
		{"less than half a millisecond is no interval", []int64{0, 499_999}, 0, First},
		{"an absurd interval saturates", []int64{0, math.MaxInt64 - ms}, math.MaxInt32, Range},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c Cleaner
			var b Beat
			for i, at := range tt.times {
				var err error
				if b, err = c.Put(Peak{}, at, int64(i+1)); err != nil {
					t.Fatal(err)
				}
			}
			if b.RR != tt.rr || b.Flags != tt.flags {
				t.Errorf("beat = %d ms %v, want %d ms %v", b.RR, b.Flags, tt.rr, tt.flags)
			}
		})
	}
}

func TestAFirstPeakHasNoInterval(t *testing.T) {
	for name, restart := range map[string]func(*Cleaner) Flags{
		"flag":  func(*Cleaner) Flags { return First },
		"reset": func(c *Cleaner) Flags { c.Reset(); return 0 },
	} {
		var c Cleaner
		for i := range int64(3) {
			if _, err := c.Put(Peak{}, i*800_000_000, i+1); err != nil {
				t.Fatal(err)
			}
		}
		b, err := c.Put(Peak{Flags: restart(&c)}, 2_400_000_000, 10)
		if err != nil || b.RR != 0 || b.Flags != First {
			t.Errorf("%s: beat %+v, %v, want no interval", name, b, err)
		}
		if b, err = c.Put(Peak{}, 2_900_000_000, 11); err != nil || b.RR != 500 || b.Flags != 0 {
			t.Errorf("%s: next beat %+v, %v, want 500 ms and no jump from before", name, b, err)
		}
	}
}

func TestCleanerRefusesTimesThatDoNotRise(t *testing.T) {
	var c Cleaner
	put := func(ns, us int64, f Flags) error { _, err := c.Put(Peak{Flags: f}, ns, us); return err }
	if err := put(1000, 10, 0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		ns, us int64
		flags  Flags
		want   error
	}{
		{"the same device time", 1000, 11, 0, ErrTime},
		{"the same label", 2000, 10, 0, ErrTime},
		{"an old label in a new segment", 5, 10, First, ErrTime},
		{"a new segment starts its own device clock", 5, 11, First, nil},
	} {
		if err := put(tt.ns, tt.us, tt.flags); !errors.Is(err, tt.want) {
			t.Errorf("%s: Put = %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestEveryBeatIsAcceptedRejectedOrFirst(t *testing.T) {
	for f := Flags(0); f < flagEnd; f++ {
		n := 0
		for _, is := range []bool{f.Accepted(), f.Rejected(), f&First != 0} {
			if is {
				n++
			}
		}
		if n != 1 {
			t.Errorf("flags %v are %d of accepted, rejected and first", f, n)
		}
		if back, err := ParseFlags(f.String()); err != nil || back != f {
			t.Errorf("ParseFlags(%q) = %v, %v, want %v", f.String(), back, err, f)
		}
	}
	if _, err := ParseFlags("ok+jump"); err == nil {
		t.Error("ParseFlags takes a word that no beat prints")
	}
}

func TestOnlyBitsZeroToThreeReject(t *testing.T) {
	for f, want := range map[Flags]bool{0: true, SearchBack | Learned | Early: true, First: false, Range: false, Jump: false, Quality: false} {
		if got := f.Accepted(); got != want {
			t.Errorf("(%v).Accepted = %v, want %v", f, got, want)
		}
	}
}

// Rounded device times give the interval that exact rounding of the sample
// difference gives, at every rate a patch has.
func TestIntervalEqualsExactRounding(t *testing.T) {
	for _, hz := range []int64{125, 128, 130, 200, 250, 256, 360, 500, 512, 1000} {
		for step := hz / 5; step <= 3*hz; step++ {
			for _, from := range []int64{0, 1, 77, 999_983} {
				ns := SampleTime(from+step, hz*1000) - SampleTime(from, hz*1000)
				want := (2*1000*step + hz) / (2 * hz) // half up
				if got := (ns + 500_000) / 1_000_000; got != want {
					t.Fatalf("%d Hz, %d samples from %d: RR = %d ms, want %d", hz, step, from, got, want)
				}
			}
		}
	}
}
