package wfdb

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"statnet/ecg"
	"statnet/ecg/ecgtest"
)

func TestSharedRecordsMatchTheirChecksums(t *testing.T) {
	dir := ecgtest.Dir(t)
	for _, tt := range []struct {
		path        string
		signals     int
		first       []int32
		sums        []int16
		samples, hz int64
	}{
		{"mitdb/100", 2, []int32{995, 1011}, []int16{-22131, 20052}, 650_000, 360},
		{"mitdb/104", 2, nil, []int16{-14371, 17572}, 650_000, 360},
		{"mitdb130/100_130", 1, []int32{-116}, []int16{23917}, 234_723, 130},
	} {
		r, err := Open(filepath.Join(dir, tt.path))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Signals) != tt.signals || r.Samples != tt.samples || r.RateMilliHz != 1000*tt.hz {
			t.Errorf("%s: %d signals, %d samples, %d mHz", tt.path, len(r.Signals), r.Samples, r.RateMilliHz)
		}
		for i, want := range tt.sums {
			c, _ := r.Counts(i)
			if got := checksum(r.Signals[i].Format, c); got != want {
				t.Errorf("%s: checksum of signal %d = %d, want %d", tt.path, i, got, want)
			}
			if tt.first != nil && c[0] != tt.first[i] {
				t.Errorf("%s: first sample of signal %d = %d, want %d", tt.path, i, c[0], tt.first[i])
			}
		}
	}
}

func TestSharedAnnotations(t *testing.T) {
	dir := filepath.Join(ecgtest.Dir(t), "mitdb")
	raw, err := os.ReadFile(filepath.Join(dir, "100.atr"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{0x12, 0x70, 3, 0xfc, 0x28, 0x4e, 0, 0, 0x3b, 4, 0x25, 5}; !bytes.HasPrefix(raw, want) {
		t.Fatalf("100.atr starts % x, want % x", raw[:12], want)
	}
	ann, err := ParseAnnotations(raw)
	if err != nil {
		t.Fatal(err)
	}
	if a := ann[0]; a.Sample != 18 || a.Symbol() != "+" || a.Aux != "(N\x00" {
		t.Errorf("first annotation = %+v, want + at 18 with (N", a)
	}
	if ann[1].Sample != 77 || ann[2].Sample != 370 || !ann[1].IsNormal() || len(ann) != 2274 {
		t.Errorf("%d annotations, beats at %d and %d, want 2274, 77, 370", len(ann), ann[1].Sample, ann[2].Sample)
	}
	for _, name := range ecgtest.Names {
		raw, err := os.ReadFile(filepath.Join(dir, name+".atr"))
		if err != nil {
			t.Fatal(err)
		}
		ann, err := ParseAnnotations(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := AppendAnnotations(nil, ann)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := ParseAnnotations(back)
		if err != nil || !slices.Equal(again, ann) {
			t.Errorf("%s: annotations change on a round trip: %v", name, err)
		}
	}
}

func TestFormat212(t *testing.T) {
	b := []byte{0xe3, 0x33, 0xf3}
	if got := [2]int32{value212(b, 0), value212(b, 1)}; got != [2]int32{995, 1011} {
		t.Errorf("e3 33 f3 = %v, want 995 and 1011", got)
	}
	edge := []int32{-2047, 2047, 0, -1, Missing, 1, 5}
	data, err := encode(212, [][]int32{edge})
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != 11 {
		t.Errorf("seven values take %d bytes, want 11", len(data))
	}
	for _, d := range [][]byte{data, append(slices.Clone(data), 0)} {
		n, err := countSamples(212, int64(len(d)), 1, 7)
		if err != nil {
			t.Fatalf("%d bytes: %v", len(d), err)
		}
		if got := decode(212, d, 1, n)[0]; !slices.Equal(got, edge) {
			t.Errorf("round trip = %v, want %v", got, edge)
		}
	}
	for _, v := range []int32{2048, -2048} {
		if _, err := encode(212, [][]int32{{v}}); err == nil {
			t.Errorf("encode takes %d into 12 bits", v)
		}
	}
}

func TestHeaderDefaults(t *testing.T) {
	h, err := ParseHeader([]byte("x 2\r\n# note\r\nx.dat 16\r\nx.dat 16 0(3)/uV 12 7 -1 65535 0 lead II\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if h.RateMilliHz != 250_000 || h.Samples != 0 || h.Comments[0] != " note" {
		t.Errorf("header = %+v, want 250 Hz and unknown length", h)
	}
	if s := h.Signals[0]; s.Gain != 200 || s.Units != "mV" || s.Baseline != 0 || s.HasSum {
		t.Errorf("signal 0 = %+v, want gain 200 per mV", s)
	}
	if s := h.Signals[1]; s.Gain != 200 || s.Units != "uV" || s.Baseline != 3 || s.ADCZero != 7 || s.Checksum != -1 || s.Name != "lead II" {
		t.Errorf("signal 1 = %+v", s)
	}
	if h, _ = ParseHeader([]byte("x 1 360 10\nx.dat 212 200 11 1024 5\n")); h.Signals[0].Baseline != 1024 {
		t.Errorf("baseline = %d, want that of ADCZERO, 1024", h.Signals[0].Baseline)
	}
	if low, high := h.Signals[0].rails(); low != -1024 || high != 1023 {
		t.Errorf("rails = %d, %d, want -1024, 1023", low, high)
	}
}

func TestRefusedHeaders(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                   "",
		"segmented":               "x/3 1 360 10\nx.dat 16\n",
		"no signals":              "x 0 360 10\n",
		"33 signals":              "x 33 360 10\n" + strings.Repeat("x.dat 16\n", 33),
		"a signal too few":        "x 2 360 10\nx.dat 16\n",
		"a signal too many":       "x 1 360 10\nx.dat 16\nx.dat 16\n",
		"rate below 100 Hz":       "x 1 99 10\nx.dat 16\n",
		"rate above 1000 Hz":      "x 1 1001 10\nx.dat 16\n",
		"rate not a number":       "x 1 NaN 10\nx.dat 16\n",
		"negative length":         "x 1 360 -1\nx.dat 16\n",
		"absurd length":           "x 1 360 999999999999999\nx.dat 16\n",
		"path in the file name":   "x 1 360 10\n../x.dat 16\n",
		"backslash in the name":   "x 1 360 10\n..\\x.dat 16\n",
		"dot dot":                 "x 1 360 10\n.. 16\n",
		"standard input":          "x 1 360 10\n- 16\n",
		"record name with a dot":  "../x 1 360 10\nx.dat 16\n",
		"format 80":               "x 1 360 10\nx.dat 80\n",
		"two samples a frame":     "x 1 360 10\nx.dat 16x2\n",
		"skew":                    "x 1 360 10\nx.dat 16:3\n",
		"byte offset":             "x 1 360 10\nx.dat 16+512\n",
		"other units":             "x 1 360 10\nx.dat 16 200/V\n",
		"negative gain":           "x 1 360 10\nx.dat 16 -200\n",
		"infinite gain":           "x 1 360 10\nx.dat 16 1e999\n",
		"baseline beyond 32 bits": "x 1 360 10\nx.dat 16 200(99999999999)\n",
		"checksum of 17 bits":     "x 1 360 10\nx.dat 16 200 11 0 0 65536\n",
		"block size":              "x 1 360 10\nx.dat 16 200 11 0 0 0 512\n",
		"two formats in one file": "x 2 360 10\nx.dat 16\nx.dat 212\n",
		"a file in two places":    "x 3 360 10\nx.dat 16\ny.dat 16\nx.dat 16\n",
	} {
		if _, err := ParseHeader([]byte(text)); err == nil {
			t.Errorf("%s: header is accepted", name)
		}
	}
}

// writeSmall stores a record with a gap, 2 signals and a comment.
func writeSmall(t *testing.T, format int) (dir string, r *Record) {
	t.Helper()
	dir = t.TempDir()
	h := Header{Name: "small", RateMilliHz: 360_000, Comments: []string{" made by a test"}}
	for range 2 {
		h.Signals = append(h.Signals, Signal{File: "small.dat", Format: format, Gain: 200, Units: "mV", ADCRes: 11, ADCZero: 0, Name: "MLII"})
	}
	r, err := NewRecord(h, [][]int32{{1, 2, Missing, -4, 5}, {-1, 7, 8, 9, -2000}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir, r
}

func TestWrittenRecordsAreReadBack(t *testing.T) {
	for _, format := range []int{16, 212} {
		dir, want := writeSmall(t, format)
		got, err := Open(filepath.Join(dir, "small.hea"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.samples {
			if !slices.Equal(got.samples[i], want.samples[i]) {
				t.Errorf("format %d: signal %d = %v, want %v", format, i, got.samples[i], want.samples[i])
			}
		}
		if string(got.Text()) != string(want.Text()) {
			t.Errorf("format %d: header changes:\n%s\nwant\n%s", format, got.Text(), want.Text())
		}
	}
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	for name, damage := range map[string]func(dat, hea string) error{
		"one bit":        func(dat, _ string) error { return edit(dat, func(b []byte) []byte { b[3] ^= 1; return b }) },
		"a byte missing": func(dat, _ string) error { return edit(dat, func(b []byte) []byte { return b[:len(b)-1] }) },
		"a byte more":    func(dat, _ string) error { return edit(dat, func(b []byte) []byte { return append(b, 0) }) },
		"no data":        func(dat, _ string) error { return os.Remove(dat) },
		"a huge announced length": func(_, hea string) error {
			return edit(hea, func(b []byte) []byte { return bytes.Replace(b, []byte(" 5\n"), []byte(" 200000000000\n"), 1) })
		},
	} {
		dir, _ := writeSmall(t, 16)
		if err := damage(filepath.Join(dir, "small.dat"), filepath.Join(dir, "small.hea")); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(filepath.Join(dir, "small")); err == nil {
			t.Errorf("%s: record is accepted", name)
		}
	}
}

func edit(path string, f func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, f(b), 0o600)
}

func TestRefusedAnnotations(t *testing.T) {
	for name, b := range map[string][]byte{
		"no end mark":       {0x4d, 4},
		"half a word":       {0x4d},
		"AUX before any":    {0x02, 0xfc, 'h', 'i', 0, 0},
		"SUB before any":    {0x01, 0xf4, 0, 0},
		"AUX past the end":  {0x4d, 4, 0xff, 0xff, 'x', 0, 0},
		"SKIP past the end": {0, 0xec, 0, 0},
		"negative time":     {0, 0xec, 0xff, 0xff, 0xff, 0xff, 0, 4, 0, 0},
		"time beyond 2^40":  append(bytes.Repeat([]byte{0, 0xec, 0xff, 0x7f, 0xff, 0xff}, 600), 0, 4, 0, 0),
	} {
		if _, err := ParseAnnotations(b); err == nil {
			t.Errorf("%s: annotations are accepted", name)
		}
	}
	for name, a := range map[string]Annotation{
		"code 59": {Code: 59}, "aux of 1024 bytes": {Code: 1, Aux: strings.Repeat("x", 1024)}, "sub of 512": {Code: 1, Sub: 512},
		"negative time": {Code: 1, Sample: -1}, "an end mark": {},
	} {
		if _, err := AppendAnnotations(nil, []Annotation{a}); !errors.Is(err, ErrAnnotation) {
			t.Errorf("%s: AppendAnnotations = %v, want ErrAnnotation", name, err)
		}
	}
}

func TestAnnotationFields(t *testing.T) {
	want := []Annotation{
		{Sample: 0, Code: 22, Aux: "## time resolution: 1000"},
		{Sample: 5, Code: 1, Sub: -512, Chan: 3, Num: 200},
		{Sample: 1028, Code: 5, Sub: 511, Aux: "odd"},
		{Sample: 2052, Code: 1}, {Sample: 1 << 39, Code: 28, Aux: "(AFIB"}, {Sample: 1<<39 - 7, Code: 41},
	}
	b, err := AppendAnnotations(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseAnnotations(b)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("round trip = %+v, %v, want %+v", got, err, want)
	}
	if r := Ticks(got); r != "1000" {
		t.Errorf("Ticks = %q, want 1000", r)
	}
}

// A missing sample is a gap: no interval reaches over it.
func TestMissingSamplesAreGaps(t *testing.T) {
	counts := make([]int32, 40*250)
	for i := range counts {
		d := i%200 - 100
		if d > -8 && d < 8 {
			counts[i] = int32(1000 - 15*d*d)
		}
		counts[i] += int32(i % 7 * 3)
	}
	counts[5003] = Missing
	r := Microvolts("gap", 250_000, counts)
	var gaps, firsts int
	err := r.Beats(0, 0, ecg.DefaultTuning(), ecg.Sink{
		Beat: func(_ ecg.Peak, b ecg.Beat) error {
			if b.Flags&ecg.First != 0 {
				firsts++
			}
			return nil
		},
		Gap: func(from, to int64) error {
			if from != 5003*4000 || to != 5004*4000 {
				t.Errorf("gap from %d to %d us, want one sample at 20.012 s", from, to)
			}
			gaps++
			return nil
		},
	})
	if err != nil || gaps != 1 || firsts != 2 {
		t.Errorf("Beats = %v with %d gaps and %d first beats, want 1 and 2", err, gaps, firsts)
	}
}
