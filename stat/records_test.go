package stat_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"statnet/stat"
)

// sharedRecords are the records of the MIT-BIH Arrhythmia Database (Moody and
// Mark 2001) that travel with the project's data.
var sharedRecords = []string{"100", "104", "108", "113", "116", "119", "200", "203", "207", "208", "222", "232"}

// dataFile returns a file of the shared data, or skips the test without it.
func dataFile(t testing.TB, name ...string) string {
	t.Helper()
	root := os.Getenv("STATNET_DATA")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil; _, err = os.Stat(filepath.Join(dir, "go.mod")) {
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared", "data")
	}
	path := filepath.Join(append([]string{root}, name...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("shared data: %v", err)
		}
		t.Skipf("shared data absent (set STATNET_DATA): %v", err)
	}
	return path
}

// annotation is one entry of a .atr file at 360 Hz.
type annotation struct {
	sample int64
	code   uint16
}

// readAnnotations reads MIT format annotations: 16-bit little-endian words, six
// bits of code over ten bits of time difference (WFDB Applications Guide, annot(5)).
func readAnnotations(t testing.TB, record string) (out []annotation) {
	t.Helper()
	b, err := os.ReadFile(dataFile(t, "ecg", "mitdb", record+".atr"))
	if err != nil {
		t.Fatal(err)
	}
	word := func(i int) uint16 { return binary.LittleEndian.Uint16(b[i:]) }
	var at int64
	for i := 0; i+2 <= len(b); i += 2 {
		code, n := word(i)>>10, int64(word(i)&0x3ff)
		switch {
		case code == 0 && n == 0:
			return out
		case code == 59: // SKIP: a long difference follows, high half first
			at += int64(int32(uint32(word(i+2))<<16 | uint32(word(i+4))))
			i += 4
		case code == 63: // AUX: n bytes of text
			i += int(n+1) &^ 1
		case code >= 60: // NUM, SUB, CHN
		default:
			at += n
			out = append(out, annotation{at, code})
		}
	}
	return out
}

func isBeat(code uint16) bool {
	return code >= 1 && code <= 13 || slices.Contains([]uint16{25, 30, 34, 35, 38, 41}, code)
}

func isNormal(code uint16) bool { return slices.Contains([]uint16{1, 2, 3, 11, 34}, code) } // N L R j e

func isFlutter(code uint16) bool { return code >= 31 && code <= 33 } // ! [ ]

// interval is the RR that ends in a beat; rr is 0 at the start and over flutter.
type interval struct {
	at int64 // ms
	rr int32
	nn bool // both beats normal
}

func intervals(anns []annotation) (out []interval) {
	var last *annotation
	for i := range anns {
		a := &anns[i]
		switch {
		case isFlutter(a.code):
			last = nil
		case isBeat(a.code):
			iv := interval{at: a.sample * 1000 / 360}
			if last != nil {
				iv.rr = int32(((a.sample-last.sample)*1000 + 180) / 360)
				iv.nn = isNormal(a.code) && isNormal(last.code)
			}
			out = append(out, iv)
			last = a
		}
	}
	return out
}

// clean adds the intervals to totals under the range and 20 % rules (Malik), and
// calls f, if not nil, before each beat.
func clean(ivs []interval, f func(interval)) (t stat.Totals) {
	var prev, lastAccepted int32
	for _, iv := range ivs {
		if f != nil {
			f(iv)
		}
		jump := prev >= stat.MinRR && prev <= stat.MaxRR && 5*max(iv.rr-prev, prev-iv.rr) > prev
		switch {
		case iv.rr == 0:
			lastAccepted = 0
		case iv.rr < stat.MinRR || iv.rr > stat.MaxRR || jump:
			t.Reject()
			lastAccepted = 0
		default:
			t.Accept(iv.rr, lastAccepted)
			lastAccepted = iv.rr
		}
		prev = iv.rr
	}
	return t
}

// rawWindow is the irregularity of 128 raw intervals.
type rawWindow struct {
	at        int64 // of its last beat, ms
	irregular bool
}

// rawWindows cuts the intervals into windows of 128, begun anew after a gap or
// an interval out of range, and applies the raw rule: of the 127 differences at
// least 73 exceed 6.25 % of the 65th smallest interval.
func rawWindows(ivs []interval) (out []rawWindow, largest int) {
	var run []int32
	for _, iv := range ivs {
		if iv.rr < stat.MinRR || iv.rr > stat.MaxRR {
			run = nil
			continue
		}
		if run = append(run, iv.rr); len(run) < 128 {
			continue
		}
		med := slices.Sorted(slices.Values(run))[64]
		n := 0
		for i := 1; i < len(run); i++ {
			if 16*max(run[i]-run[i-1], run[i-1]-run[i]) > med {
				n++
			}
		}
		out, largest, run = append(out, rawWindow{iv.at, n >= 73}), max(largest, n), nil
	}
	return out, largest
}
