package wfdb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// NewRecord builds a record from counts, one slice per signal and all of the
// same length. Samples, Init and Checksum of h are computed.
func NewRecord(h Header, counts [][]int32) (*Record, error) {
	if len(counts) == 0 || len(counts) != len(h.Signals) {
		return nil, fmt.Errorf("build record %s: %d signals described, %d given", h.Name, len(h.Signals), len(counts))
	}
	h.Signals = append([]Signal(nil), h.Signals...)
	h.Samples = int64(len(counts[0]))
	for i, c := range counts {
		if int64(len(c)) != h.Samples {
			return nil, fmt.Errorf("build record %s: signal %d has %d samples, signal 0 has %d", h.Name, i, len(c), h.Samples)
		}
		s := &h.Signals[i]
		s.Checksum, s.HasSum = checksum(s.Format, c), true
		if len(c) > 0 && c[0] != Missing {
			s.Init = c[0]
		}
	}
	if _, err := ParseHeader(h.Text()); err != nil {
		return nil, fmt.Errorf("build record %s: %w", h.Name, err)
	}
	return &Record{Header: h, samples: counts}, nil
}

// Text writes the header; ParseHeader of it returns the same.
func (h Header) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %d %s", h.Name, len(h.Signals), strconv.FormatFloat(float64(h.RateMilliHz)/1000, 'f', -1, 64))
	fmt.Fprintf(&b, " %d\n", h.Samples)
	for _, s := range h.Signals {
		fmt.Fprintf(&b, "%s %d %s(%d)/%s %d %d", s.File, s.Format, strconv.FormatFloat(s.Gain, 'g', -1, 64), s.Baseline, s.Units, s.ADCRes, s.ADCZero)
		if s.HasSum {
			fmt.Fprintf(&b, " %d %d 0 %s", s.Init, s.Checksum, s.Name)
		}
		b.WriteByte('\n')
	}
	for _, c := range h.Comments {
		fmt.Fprintf(&b, "#%s\n", c)
	}
	return b.Bytes()
}

// Write stores the record in dir: its header, and its signals in one file in the
// format of the first.
func (r *Record) Write(dir string) error {
	for i, s := range r.Signals {
		if s.File != r.Signals[0].File || s.Format != r.Signals[0].Format {
			return fmt.Errorf("write record %s: signal %d is not in the file and format of signal 0", r.Name, i)
		}
	}
	data, err := encode(r.Signals[0].Format, r.samples)
	if err != nil {
		return fmt.Errorf("write record %s: %w", r.Name, err)
	}
	return errors.Join(
		writeFile(filepath.Join(dir, r.Signals[0].File), data),
		writeFile(filepath.Join(dir, r.Name+".hea"), r.Text()))
}

// WriteAnnotations stores annotations as path.
func WriteAnnotations(path string, ann []Annotation) error {
	b, err := AppendAnnotations(nil, ann)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, b)
}

func writeFile(path string, b []byte) error {
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// OneSignal describes a record with a single signal in format 16.
func OneSignal(name string, rateMilliHz int64, countsPerMV float64, lead string) Header {
	return Header{Name: name, RateMilliHz: rateMilliHz, Signals: []Signal{{
		File: strings.TrimSpace(name) + ".dat", Format: 16, Gain: countsPerMV, Units: "mV", ADCRes: 16, Name: lead,
	}}}
}
