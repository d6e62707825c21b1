package wfdb

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"statnet/ecg"
)

func readAll(text string, startUs int64) ([]ecg.Beat, error) {
	var out []ecg.Beat
	err := ReadRR(strings.NewReader(text), startUs, func(b ecg.Beat) error { out = append(out, b); return nil })
	return out, err
}

func TestRRListIsJudged(t *testing.T) {
	got, err := readAll("time_ms,rr_ms\n1000,800\n1800,800\n2800,1000\r\n3300,500\n9300,700\n10050,750\n10850,0\n11650,800", 7_000_000)
	want := []ecg.Beat{
		{At: 7_200_000, Flags: ecg.First}, // the beat that began the first interval
		{At: 8_000_000, RR: 800},
		{At: 8_800_000, RR: 800},
		{At: 9_800_000, RR: 1000, Flags: ecg.Jump},
		{At: 10_300_000, RR: 500, Flags: ecg.Jump | ecg.Early},
		{At: 15_600_000, Flags: ecg.First}, // five seconds are missing
		{At: 16_300_000, RR: 700},
		{At: 17_050_000, RR: 750},
		{At: 17_850_000, Flags: ecg.First}, // interval unknown
		{At: 18_650_000, RR: 800},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadRR = %v, %v\nwant %v", got, err, want)
	}
}

// A row that overlaps the one before cannot have begun where it says: its beat
// starts a segment and its interval is not used.
func TestOverlappingIntervalIsNotUsed(t *testing.T) {
	got, err := readAll("time_ms,rr_ms\n1000,800\n1300,800\n2100,800\n", 0)
	if err != nil || len(got) != 4 || got[2].Flags != ecg.First || got[2].RR != 0 || got[3].RR != 800 {
		t.Errorf("ReadRR = %v, %v, want the overlapping row as a first beat", got, err)
	}
}

func TestIntervalsAreTakenAsTheyAre(t *testing.T) {
	got, err := readAll("time_ms,rr_ms\n0,0\n801,800\n1600,800\n", 0) // times rounded elsewhere
	if err != nil || len(got) != 3 || got[1].RR != 800 || got[2].RR != 800 {
		t.Errorf("ReadRR = %v, %v, want intervals of 800", got, err)
	}
}

func TestRefusedRRLists(t *testing.T) {
	for name, tt := range map[string]struct{ text, line string }{
		"no header":            {"1000,800\n", "line 1"},
		"one column":           {"time_ms,rr_ms\n1000\n", "line 2"},
		"three columns":        {"time_ms,rr_ms\n1000,800,1\n", "line 2"},
		"a fraction":           {"time_ms,rr_ms\n1000.5,800\n", "line 2"},
		"negative":             {"time_ms,rr_ms\n1000,-800\n", "line 2"},
		"leading zero":         {"time_ms,rr_ms\n01000,800\n", "line 2"},
		"time not rising":      {"time_ms,rr_ms\n1000,800\n1000,800\n", "line 3"},
		"beyond the year 5138": {"time_ms,rr_ms\n100000000000001,800\n", "line 2"},
		"a line of 70 kB":      {"time_ms,rr_ms\n" + strings.Repeat("1", 70_000), "line 2"},
		"empty line":           {"time_ms,rr_ms\n\n1000,800\n", "line 2"},
	} {
		if _, err := readAll(tt.text, 0); err == nil || !strings.Contains(err.Error(), tt.line) {
			t.Errorf("%s: ReadRR = %v, want an error that names %s", name, err, tt.line)
		}
	}
}

func TestMicrovoltColumn(t *testing.T) {
	got, err := ReadMicrovolts(strings.NewReader("uV\n1\n-2.5\n\n1e3\n"))
	if want := []int32{1, -3, Missing, 1000}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadMicrovolts = %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"1\nx\n", "1\nNaN\n", "1\nInf\n", "1\n1e10\n"} {
		if _, err := ReadMicrovolts(strings.NewReader(bad)); err == nil {
			t.Errorf("ReadMicrovolts(%q) is accepted", bad)
		}
	}
}

// dayList is an RR list of 302,400 rows.
func dayList() []byte {
	var b bytes.Buffer
	b.WriteString(rrHeader + "\n")
	at := 0
	for i := range 302_400 {
		rr := 760 + i%97
		at += rr
		fmt.Fprintf(&b, "%d,%d\n", at, rr)
	}
	return b.Bytes()
}

func BenchmarkReadRR(b *testing.B) {
	list := dayList()
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		n := 0
		count := func(b ecg.Beat) error {
			if b.Flags&ecg.First == 0 {
				n++
			}
			return nil
		}
		if err := ReadRR(bytes.NewReader(list), 0, count); err != nil || n != 302_400 {
			b.Fatal(n, err)
		}
	}
}

func FuzzReadRR(f *testing.F) {
	f.Add("time_ms,rr_ms\n1000,800\n1800,800\n")
	f.Fuzz(func(t *testing.T, text string) {
		last := int64(-1)
		ReadRR(strings.NewReader(text), 0, func(b ecg.Beat) error {
			if b.At <= last || b.RR < 0 || b.RR == 0 && b.Flags&ecg.First == 0 {
				t.Errorf("beat %+v after %d", b, last)
			}
			last = b.At
			return nil
		})
		ReadMicrovolts(strings.NewReader(text))
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("100 2 360 650000\n100.dat 212 200 11 1024 995 -22131 0 MLII\n100.dat 212 200 11 1024 1011 20052 0 V5\n# 69 M\n")
	f.Add("x 1 250.5/1(2) 0 12:00 1/1/2000\nx.dat 16x1:0+0 200(3)/uV\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHeader([]byte(text))
		if err != nil {
			return
		}
		back, err := ParseHeader(h.Text())
		if err != nil {
			t.Fatalf("header written as %q is refused: %v", h.Text(), err)
		}
		if string(back.Text()) != string(h.Text()) {
			t.Errorf("header changes on a round trip:\n%s\n%s", h.Text(), back.Text())
		}
	})
}

func FuzzAnnotations(f *testing.F) {
	f.Add([]byte{0x12, 0x70, 3, 0xfc, 0x28, 0x4e, 0, 0, 0x3b, 4, 0x25, 5, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		ann, err := ParseAnnotations(b)
		if err != nil {
			return
		}
		out, err := AppendAnnotations(nil, ann)
		if err != nil {
			return // a code 0 without a step cannot be written
		}
		if back, err := ParseAnnotations(out); err != nil || !slices.Equal(back, ann) {
			t.Errorf("round trip of %v = %v, %v", ann, back, err)
		}
	})
}

func FuzzSignal(f *testing.F) {
	f.Add([]byte{0xe3, 0x33, 0xf3}, true)
	f.Fuzz(func(t *testing.T, data []byte, packed bool) {
		format := 16
		if packed {
			format = 212
		}
		n, err := countSamples(format, int64(len(data)), 1, 0)
		if err != nil {
			return
		}
		got := decode(format, data, 1, n)
		back, err := encode(format, got)
		if err != nil {
			t.Fatal(err)
		}
		if again := decode(format, back, 1, n); !slices.Equal(again[0], got[0]) {
			t.Errorf("round trip of %v = %v", got, again)
		}
	})
}
