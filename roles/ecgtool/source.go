package ecgtool

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"statnet/ecg"
	"statnet/ecg/wfdb"
	"statnet/internal/cli"
)

// badInput is the error for a file that is not what it should be.
func badInput(err error, next string) error {
	return &cli.Error{Code: cli.Usage, What: err.Error(), Cause: "the file is missing, damaged or of a kind that is not supported", Next: next, Err: err}
}

// openRecord opens a WFDB record, or a CSV file of microvolts at rateHz.
func openRecord(path string, rateHz float64) (*wfdb.Record, error) {
	if !strings.HasSuffix(path, ".csv") {
		r, err := wfdb.Open(path)
		if err != nil {
			return nil, badInput(err, "statnet ecg detect DIR/100   (the record's name, next to 100.hea and 100.dat)")
		}
		return r, nil
	}
	if !(rateHz >= 100 && rateHz <= 1000) {
		return nil, cli.Usagef("statnet ecg detect "+path+" --rate 250", "--rate %g: a CSV file needs its sampling rate, 100 to 1000 Hz, e.g. 250", rateHz)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, badInput(fmt.Errorf("read samples: %w", err), "ls "+filepath.Dir(path))
	}
	defer f.Close()
	uv, err := wfdb.ReadMicrovolts(f)
	if err != nil {
		return nil, badInput(fmt.Errorf("read samples %s: %w", path, err), "put one number of microvolts on each line")
	}
	name := strings.TrimSuffix(filepath.Base(path), ".csv")
	return wfdb.Microvolts(name, int64(math.Round(rateHz*1000)), uv), nil
}

// readTuning reads detector constants from a YAML file; what it does not name
// keeps the papers' value. No file means the project's own set.
func readTuning(path string) (ecg.Tuning, error) {
	if path == "" {
		return ecg.DefaultTuning(), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ecg.Tuning{}, badInput(fmt.Errorf("read tuning: %w", err), "ls "+filepath.Dir(path))
	}
	var t ecg.Tuning
	// Strict: an unknown or repeated key is an error with its line.
	if err := yaml.UnmarshalWithOptions(data, &t, yaml.Strict()); err != nil {
		return t, badInput(fmt.Errorf("read tuning %s: %w", path, err), "write e.g. `threshold_v: 48` on a line")
	}
	if err := t.Validate(); err != nil {
		return t, badInput(fmt.Errorf("read tuning %s: %w", path, err), "correct "+path)
	}
	return t, nil
}

// found is one detected beat with its place in the record.
type found struct {
	ecg.Beat
	offset int64 // 1/1024 samples from the record's start
	at     int64 // sample, for plots
}

// detection is what the detector found in one record.
type detection struct {
	record   *wfdb.Record
	beats    []found
	observed int // seconds with signal
	gaps     []gap
}

// gap is a stretch without samples, before the beat with index before.
type gap struct {
	before       int
	fromUs, toUs int64
}

// detect runs the detector over one signal; times count from the first sample.
func detect(r *wfdb.Record, signal int, t ecg.Tuning) (*detection, error) {
	d := &detection{record: r}
	err := r.Beats(signal, 0, t, ecg.Sink{
		Beat: func(p ecg.Peak, b ecg.Beat) error {
			d.beats = append(d.beats, found{b, p.Offset(), p.Index})
			return nil
		},
		Second: func(int64) error { d.observed++; return nil },
		Gap: func(from, to int64) error {
			d.gaps = append(d.gaps, gap{len(d.beats), from, to})
			return nil
		},
	})
	if err != nil {
		return nil, badInput(err, "statnet ecg detect --help")
	}
	return d, nil
}

// tally counts beats by what became of them.
type tally struct {
	Detected int `json:"detected"`
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
	First    int `json:"first"`
}

func count(beats []found) (t tally) {
	t.Detected = len(beats)
	for _, b := range beats {
		switch {
		case b.Flags.Accepted():
			t.Accepted++
		case b.Flags.Rejected():
			t.Rejected++
		default:
			t.First++
		}
	}
	return t
}
