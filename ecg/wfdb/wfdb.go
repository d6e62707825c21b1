// Package wfdb reads and writes the files of PhysioNet: header, signal formats
// 16 and 212, annotations; and two simple lists, RR intervals and microvolts.
//
//	100.hea ─▶ Header ─┐
//	100.dat ───────────┴▶ Record ──Beats──▶ ecg.Beat
//	100.atr ─▶ []Annotation
//
// Everything that is not understood exactly is refused by name. It does not
// read segmented records, signals with several samples per frame, or units
// other than mV and uV.
package wfdb

import "statnet/ecg"

// Signal is one signal line of a header.
type Signal struct {
	File     string
	Format   int     // 16 or 212
	Gain     float64 // counts per unit
	Units    string  // "mV" or "uV"
	Baseline int32   // count at 0 V
	ADCRes   int     // bits, 0 unknown
	ADCZero  int32
	Init     int32
	Checksum int16
	HasSum   bool // the header has a checksum
	Name     string
}

// Header is a record's .hea file.
type Header struct {
	Name        string
	RateMilliHz int64
	Samples     int64 // per signal; 0 unknown
	Signals     []Signal
	Comments    []string
}

// Record is a header with its samples in memory.
type Record struct {
	Header
	samples [][]int32
}

// Missing is the count of a sample that was not recorded.
const Missing int32 = -1 << 31

// Open reads NAME.hea (path with or without extension) and its signal files.
func Open(path string) (*Record, error) { return nil, nil }

// Counts returns the samples of a signal; Missing marks absent ones. The
// caller must not change them.
func (r *Record) Counts(signal int) ([]int32, error) { return nil, nil }

// Beats runs the detector over one signal whose first sample was taken at
// startUs (Unix microseconds). It is the one path from a file to beats: the
// command and the gateway both use it, so that they find the same.
func (r *Record) Beats(signal int, startUs int64, t ecg.Tuning, sink ecg.Sink) error { return nil }

// Annotation is one label of an .atr file.
type Annotation struct {
	Sample int64
	Code   uint8
	Sub    int16
	Chan   uint8
	Num    uint8
	Aux    string
}

// ReadAnnotations reads an annotation file.
func ReadAnnotations(path string) ([]Annotation, error) { return nil, nil }

// RRBeats reads a CSV of `time_ms,rr_ms` and delivers its beats; times are
// added to startUs. A beat whose time minus RR is not the previous beat's time
// starts a new segment.
func RRBeats(path string, startUs int64, sink func(ecg.Beat) error) error { return nil }
