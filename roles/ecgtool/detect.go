package ecgtool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"statnet/ecg"
	"statnet/ecg/wfdb"
	"statnet/internal/cli"
)

// detectOptions are the flags of `ecg detect`.
type detectOptions struct {
	signal   int
	output   string // csv json yaml table rr atr
	samples  bool   // sample indices only
	decimals int
	outDir   string
	tuning   string
	rateHz   float64
	plot     string
}

var detectFormats = []string{"csv", "json", "yaml", "table", "rr", "atr"}

// extension of a file in --out-dir, by format; "" is the list of samples.
var extension = map[string]string{"": ".txt", "csv": ".csv", "json": ".json", "yaml": ".yaml", "table": ".table", "rr": ".rr", "atr": ".atr"}

// detectAll runs `ecg detect`. Records are handled one after the other; the
// first error ends the run.
func detectAll(w io.Writer, records []string, o detectOptions) error {
	if err := o.check(len(records)); err != nil {
		return err
	}
	tuning, err := readTuning(o.tuning)
	if err != nil {
		return err
	}
	var all []*detection
	for _, path := range records {
		r, err := openRecord(path, o.rateHz)
		if err != nil {
			return err
		}
		d, err := detect(r, o.signal, tuning)
		if err != nil {
			return err
		}
		if o.plot != "" {
			if err := plotDetection(o.plot, d, o.signal); err != nil {
				return err
			}
		}
		if o.outDir == "" {
			all = append(all, d)
		} else if err := o.store(d); err != nil {
			return err
		}
	}
	if o.outDir != "" {
		return nil
	}
	return o.print(w, all)
}

func (o *detectOptions) check(records int) error {
	help := "statnet ecg detect --help"
	switch {
	case o.decimals < 0 || o.decimals > 3:
		return cli.Usagef(help, "--decimals %d: must be 0 to 3, e.g. 2", o.decimals)
	case o.samples && o.output != "":
		return cli.Usagef(help, "--samples-only --output %s: choose one of the two", o.output)
	case o.plot != "" && records > 1:
		return cli.Usagef(help, "--plot %s: takes one record, not %d", o.plot, records)
	}
	if o.output == "" && o.outDir != "" {
		o.samples = true // a directory is for scoring unless a format is named
	}
	if o.output == "" && !o.samples {
		o.output = "csv"
	}
	if o.samples {
		o.output = ""
	} else if _, ok := extension[o.output]; !ok {
		return cli.Usagef(help, "--output %s: must be one of %v, e.g. csv", o.output, detectFormats)
	}
	if records > 1 && o.outDir == "" && o.output != "json" && o.output != "yaml" && o.output != "table" {
		return cli.Usagef(help, "%d records in one stream cannot be told apart: add --out-dir DIR, or --output json", records)
	}
	return nil
}

// store writes one record's result to its file in --out-dir.
func (o *detectOptions) store(d *detection) error {
	if err := os.MkdirAll(o.outDir, 0o755); err != nil {
		return fmt.Errorf("make directory for results: %w", err)
	}
	var buf bytes.Buffer
	if err := o.print(&buf, []*detection{d}); err != nil {
		return err
	}
	path := filepath.Join(o.outDir, d.record.Name+extension[o.output])
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write result %s: %w", path, err)
	}
	return nil
}

func (o *detectOptions) print(w io.Writer, all []*detection) error {
	var out []byte
	switch o.output {
	case "":
		out = all[0].sampleList(o.decimals)
	case "csv":
		out = all[0].csv()
	case "rr":
		out = all[0].rrList()
	case "atr":
		b, err := wfdb.AppendAnnotations(nil, all[0].annotations())
		if err != nil {
			return err
		}
		out = b
	default:
		return cli.Print(w, cli.Format(o.output), detectionValue(all), detectionTable(all))
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// appendFixed appends x/den with exactly so many decimals, half up; x >= 0.
func appendFixed(b []byte, x, den int64, decimals int) []byte {
	scale := int64(1)
	for range decimals {
		scale *= 10
	}
	whole, rest := x/den, x%den
	part := (2*rest*scale + den) / (2 * den)
	whole, part = whole+part/scale, part%scale
	b = strconv.AppendInt(b, whole, 10)
	if decimals == 0 {
		return b
	}
	b = append(b, '.')
	digits := strconv.FormatInt(part+scale, 10) // a leading 1 keeps the zeros
	return append(b, digits[1:]...)
}

// place is the beat's position in 1/1024 samples; a fit that points before the
// first sample means the first.
func (f found) place() int64 { return max(f.offset, 0) }

func (d *detection) sampleList(decimals int) []byte {
	var b []byte
	for _, f := range d.beats {
		b = append(appendFixed(b, f.place(), 1024, decimals), '\n')
	}
	return b
}

func (d *detection) csv() []byte {
	b := []byte("sample,time_s,rr_ms,flags\n")
	for _, f := range d.beats {
		b = append(appendFixed(b, f.place(), 1024, 3), ',')
		b = append(appendFixed(b, max(f.At, 0), 1_000_000, 6), ',')
		if f.Flags&ecg.First == 0 {
			b = strconv.AppendInt(b, int64(f.RR), 10)
		}
		b = append(append(append(b, ','), f.Flags.String()...), '\n')
	}
	return b
}

// rrList writes intervals, with a mark where one is missing.
func (d *detection) rrList() []byte {
	var b []byte
	for i, f := range d.beats {
		switch {
		case f.Flags&ecg.First == 0:
			b = append(strconv.AppendInt(b, int64(f.RR), 10), '\n')
		case i > 0:
			b = append(b, "# gap\n"...)
		}
	}
	return b
}

func (d *detection) annotations() []wfdb.Annotation {
	var out []wfdb.Annotation
	for _, f := range d.beats {
		out = append(out, wfdb.Annotation{Sample: (f.place() + 512) / 1024, Code: wfdb.CodeNormal})
	}
	return out
}

type beatValue struct {
	Sample float64 `json:"sample"`
	TimeUs int64   `json:"time_us"`
	RR     *int32  `json:"rr_ms"` // null for a first beat
	Flags  string  `json:"flags"`
}

type recordValue struct {
	Record   string      `json:"record"`
	RateHz   float64     `json:"rate_hz"`
	Observed int         `json:"observed_s"`
	Counts   tally       `json:"counts"`
	Beats    []beatValue `json:"beats"`
}

func detectionValue(all []*detection) []recordValue {
	var out []recordValue
	for _, d := range all {
		v := recordValue{Record: d.record.Name, RateHz: float64(d.record.RateMilliHz) / 1000, Observed: d.observed, Counts: count(d.beats), Beats: []beatValue{}}
		for _, f := range d.beats {
			b := beatValue{Sample: float64(f.place()) / 1024, TimeUs: f.At, Flags: f.Flags.String()}
			if f.Flags&ecg.First == 0 {
				rr := f.RR
				b.RR = &rr
			}
			v.Beats = append(v.Beats, b)
		}
		out = append(out, v)
	}
	return out
}

func detectionTable(all []*detection) cli.Rows {
	rows := cli.Rows{Head: []string{"record", "rate", "observed", "beats", "accepted", "rejected", "first"}}
	for _, d := range all {
		c := count(d.beats)
		rows.Add(d.record.Name, fmt.Sprintf("%g Hz", float64(d.record.RateMilliHz)/1000), fmt.Sprintf("%d s", d.observed), c.Detected, c.Accepted, c.Rejected, c.First)
	}
	return rows
}
