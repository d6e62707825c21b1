// Package wfdb reads and writes the files of PhysioNet: header, signal formats
// 16 and 212, annotations; and two simple lists, RR intervals and microvolts.
//
//	100.hea ─▶ Header ─┐
//	100.dat ───────────┴▶ Record ──Beats──▶ ecg.Beat
//	100.atr ─▶ []Annotation
//
// Everything that is not understood exactly is refused, by file and line or
// byte. It does not read segmented records, signals with several samples per
// frame or skew, or units other than mV and uV.
package wfdb

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"statnet/ecg"
)

// Record is a header with its samples in memory.
type Record struct {
	Header
	samples [][]int32 // per signal; Missing where nothing was recorded
}

// Missing is the count of a sample that was not recorded.
const Missing int32 = -1 << 31

// maxFile bounds what is read into memory: a week of 12 leads at 1000 Hz.
const maxFile = 1 << 34

// Open reads a record: path names its header, with or without ".hea". The size
// of every signal file must be what the header announces, and a signal with a
// checksum must match it.
func Open(path string) (*Record, error) {
	path = strings.TrimSuffix(path, ".hea") + ".hea"
	h, err := ReadHeader(path)
	if err != nil {
		return nil, err
	}
	r := &Record{Header: h, samples: make([][]int32, len(h.Signals))}
	for first := 0; first < len(h.Signals); {
		n := group(h.Signals[first:])
		if err := r.readFile(filepath.Dir(path), first, n); err != nil {
			return nil, err
		}
		first += n
	}
	return r, nil
}

// group counts the signals at the front that share one file.
func group(s []Signal) int {
	n := 1
	for n < len(s) && s[n].File == s[0].File {
		n++
	}
	return n
}

// readFile reads the n interleaved signals from the file of signal first.
func (r *Record) readFile(dir string, first, n int) error {
	sig := r.Signals[first : first+n]
	path := filepath.Join(dir, sig[0].File)
	size, err := fileSize(path)
	if err != nil {
		return fmt.Errorf("read signal: %w", err)
	}
	samples, err := countSamples(sig[0].Format, size, n, r.Samples)
	if err != nil {
		return fmt.Errorf("read signal %s: %w", path, err)
	}
	data, err := readBounded(path, size)
	if err != nil {
		return fmt.Errorf("read signal: %w", err)
	}
	if int64(len(data)) != size {
		return fmt.Errorf("read signal %s: size changed from %d to %d bytes", path, size, len(data))
	}
	r.Samples = samples
	out := decode(sig[0].Format, data, n, samples)
	for i := range sig {
		if got := checksum(sig[i].Format, out[i]); sig[i].HasSum && got != sig[i].Checksum {
			return fmt.Errorf("read signal %s: checksum of signal %d is %d, the header says %d", path, first+i, got, sig[i].Checksum)
		}
		r.samples[first+i] = out[i]
	}
	return nil
}

// Counts returns the samples of a signal; Missing marks absent ones. The
// caller must not change them.
func (r *Record) Counts(signal int) ([]int32, error) {
	if signal < 0 || signal >= len(r.samples) {
		return nil, fmt.Errorf("record %s: no signal %d, it has 0 to %d", r.Name, signal, len(r.samples)-1)
	}
	return r.samples[signal], nil
}

// Config returns the detector's configuration for a signal: counts are those
// after the baseline is subtracted.
func (r *Record) Config(signal int, t ecg.Tuning) (ecg.Config, error) {
	if signal < 0 || signal >= len(r.Signals) {
		return ecg.Config{}, fmt.Errorf("record %s: no signal %d, it has 0 to %d", r.Name, signal, len(r.Signals)-1)
	}
	s := r.Signals[signal]
	unit := 1e6 // nanovolt per millivolt
	if s.Units == "uV" {
		unit = 1e3
	}
	nv := math.Round(unit / s.Gain)
	if !(nv >= 1 && nv <= 10_000_000) {
		return ecg.Config{}, fmt.Errorf("record %s: signal %d: gain %g per %s is outside what the detector takes", r.Name, signal, s.Gain, s.Units)
	}
	c := ecg.Config{RateMilliHz: r.RateMilliHz, NanovoltPerCount: int64(nv), Tuning: t}
	c.RailLow, c.RailHigh = s.rails()
	return c, c.Validate()
}

// Beats runs the detector over one signal whose first sample was taken at
// startUs (Unix microseconds). It is the one path from a file to beats: the
// command and the gateway both use it, so that they find the same.
func (r *Record) Beats(signal int, startUs int64, t ecg.Tuning, sink ecg.Sink) error {
	cfg, err := r.Config(signal, t)
	if err != nil {
		return err
	}
	line, err := ecg.NewLine(cfg, startUs)
	if err != nil {
		return fmt.Errorf("record %s: %w", r.Name, err)
	}
	if err := feed(line, r.samples[signal], r.Signals[signal].Baseline, sink); err != nil {
		return fmt.Errorf("record %s: %w", r.Name, err)
	}
	return nil
}

// feed puts counts into a line; a run of missing samples is one gap.
func feed(line *ecg.Line, counts []int32, baseline int32, sink ecg.Sink) error {
	missing := int64(0)
	for _, c := range counts {
		if c == Missing {
			missing++
			continue
		}
		if missing > 0 {
			if err := line.Gap(missing, sink); err != nil {
				return err
			}
			missing = 0
		}
		if err := line.Put(saturate(int64(c)-int64(baseline)), sink); err != nil {
			return err
		}
	}
	if missing > 0 {
		if err := line.Gap(missing, sink); err != nil {
			return err
		}
	}
	return line.End(sink)
}

func saturate(x int64) int32 { return int32(min(max(x, math.MinInt32), math.MaxInt32)) }

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s: not a regular file", path)
	}
	return info.Size(), nil
}
