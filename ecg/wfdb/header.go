package wfdb

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"statnet/ecg"
)

const (
	maxHeader  = 1 << 20
	maxSignals = 32
	maxSamples = 1 << 38 // per signal, as many as the detector's clock can name
)

// Header is a record's .hea file.
type Header struct {
	Name        string
	RateMilliHz int64
	Samples     int64 // per signal; 0 unknown
	Signals     []Signal
	Comments    []string // without "#", in order
}

// Signal is one signal line of a header.
type Signal struct {
	File     string
	Format   int     // 16 or 212
	Gain     float64 // counts per unit
	Units    string  // "mV" or "uV"
	Baseline int32   // count at 0 V
	ADCRes   int     // bits; 0 unknown
	ADCZero  int32   // count at the middle of the converter's range
	Init     int32   // first sample
	Checksum int16
	HasSum   bool // the header has a checksum
	Name     string
}

// rails returns the lowest and highest count of the converter after the
// baseline is subtracted; 0, 0 if the resolution is unknown.
func (s Signal) rails() (low, high int32) {
	if s.ADCRes < 1 || s.ADCRes > 16 {
		return 0, 0
	}
	half := int64(1) << (s.ADCRes - 1)
	mid := int64(s.ADCZero) - int64(s.Baseline)
	return saturate(mid - half), saturate(mid + half - 1)
}

// ReadHeader reads a .hea file.
func ReadHeader(path string) (Header, error) {
	text, err := readBounded(path, maxHeader)
	if err != nil {
		return Header{}, fmt.Errorf("read header: %w", err)
	}
	h, err := ParseHeader(text)
	if err != nil {
		return Header{}, fmt.Errorf("read header %s: %w", path, err)
	}
	return h, nil
}

// TimeNs returns the time of sample i, 0 <= i <= 2^38, in nanoseconds.
func (h Header) TimeNs(i int64) int64 { return ecg.SampleTime(i, h.RateMilliHz) }

// ParseHeader reads a header. Every refusal names the line.
func ParseHeader(text []byte) (Header, error) {
	var h Header
	want := -1 // signal lines, -1 before the record line
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		var err error
		switch {
		case line == "":
		case line[0] == '#':
			h.Comments = append(h.Comments, strings.TrimPrefix(line, "#"))
		case want < 0:
			want, err = h.recordLine(line)
		case len(h.Signals) == want:
			err = fmt.Errorf("more than %d signal lines", want)
		default:
			err = h.signalLine(line)
		}
		if err != nil {
			return Header{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if want < 0 {
		return Header{}, errors.New("no record line")
	}
	if len(h.Signals) != want {
		return Header{}, fmt.Errorf("%d signal lines, the record line announces %d", len(h.Signals), want)
	}
	return h, nil
}

// recordLine reads `NAME NSIG [FS[/COUNTER[(BASE)]] [NSAMP [TIME [DATE]]]]`.
func (h *Header) recordLine(line string) (signals int, err error) {
	f := strings.Fields(line)
	if len(f) < 2 {
		return 0, fmt.Errorf("record line %q: want NAME NSIG", line)
	}
	if strings.Contains(f[0], "/") {
		return 0, fmt.Errorf("record %q is segmented: not supported", f[0])
	}
	if !validName(f[0]) {
		return 0, fmt.Errorf("record name %q: want letters, digits, - and _", f[0])
	}
	h.Name = f[0]
	signals, err = strconv.Atoi(f[1])
	if err != nil || signals < 1 || signals > maxSignals {
		return 0, fmt.Errorf("%q signals: want 1 to %d", f[1], maxSignals)
	}
	h.RateMilliHz = 250_000
	if len(f) > 2 {
		if h.RateMilliHz, err = parseRate(f[2]); err != nil {
			return 0, err
		}
	}
	if len(f) > 3 {
		h.Samples, err = strconv.ParseInt(f[3], 10, 64)
		if err != nil || h.Samples < 0 || h.Samples > maxSamples {
			return 0, fmt.Errorf("%q samples: want 0 to %d", f[3], int64(maxSamples))
		}
	}
	return signals, nil
}

// parseRate reads `FS[/COUNTER[(BASE)]]`; the counter is of no use here.
func parseRate(s string) (int64, error) {
	fs, _, _ := strings.Cut(s, "/")
	v, err := strconv.ParseFloat(fs, 64)
	if err != nil || !(v >= 0) {
		return 0, fmt.Errorf("rate %q: not a number of hertz", s)
	}
	if v == 0 {
		return 250_000, nil
	}
	milli := math.Round(v * 1000)
	if milli < 100_000 || milli > 1_000_000 {
		return 0, fmt.Errorf("rate %q: outside [100, 1000] Hz", s)
	}
	return int64(milli), nil
}

var (
	formatField = regexp.MustCompile(`^([0-9]+)(x[0-9]+)?(:[0-9]+)?(\+[0-9]+)?$`)
	gainField   = regexp.MustCompile(`^([0-9.eE+-]+)(\((-?[0-9]+)\))?(/(.+))?$`)
)

// signalLine reads `FILE FMT [GAIN[(BASELINE)][/UNITS] [ADCRES [ADCZERO [INIT
// [CHECKSUM [BLOCK [NAME]]]]]]]`.
func (h *Header) signalLine(line string) error {
	f := strings.Fields(line)
	if len(f) < 2 {
		return fmt.Errorf("signal line %q: want FILE FORMAT", line)
	}
	s := Signal{File: f[0], Gain: 200, Units: "mV"}
	if strings.ContainsAny(s.File, `/\:`) || s.File == "." || s.File == ".." || s.File == "-" {
		return fmt.Errorf("signal file %q: want a plain file name", s.File)
	}
	if err := s.format(f[1]); err != nil {
		return err
	}
	hasBaseline := false
	if len(f) > 2 {
		var err error
		if hasBaseline, err = s.gain(f[2]); err != nil {
			return err
		}
	}
	if err := s.numbers(f); err != nil {
		return err
	}
	if !hasBaseline {
		s.Baseline = s.ADCZero
	}
	if len(f) > 8 {
		s.Name = strings.Join(f[8:], " ")
	}
	if k := len(h.Signals); k > 0 {
		for i, o := range h.Signals {
			if o.File == s.File && (o.Format != s.Format || h.Signals[k-1].File != s.File) {
				return fmt.Errorf("signal file %q: signals %d and %d share it but not its format and place", s.File, i, k)
			}
		}
	}
	h.Signals = append(h.Signals, s)
	return nil
}

func (s *Signal) format(field string) error {
	m := formatField.FindStringSubmatch(field)
	if m == nil || m[1] != "16" && m[1] != "212" {
		return fmt.Errorf("format %q: want 16 or 212", field)
	}
	if m[2] != "" && m[2] != "x1" || m[3] != "" && m[3] != ":0" || m[4] != "" && m[4] != "+0" {
		return fmt.Errorf("format %q: several samples per frame, skew and offset are not supported", field)
	}
	s.Format, _ = strconv.Atoi(m[1])
	return nil
}

func (s *Signal) gain(field string) (hasBaseline bool, err error) {
	m := gainField.FindStringSubmatch(field)
	if m == nil {
		return false, fmt.Errorf("gain %q: want GAIN(BASELINE)/UNITS, e.g. 200(0)/mV", field)
	}
	g, err := strconv.ParseFloat(m[1], 64)
	if err != nil || !(g >= 0) || math.IsInf(g, 0) {
		return false, fmt.Errorf("gain %q: want a positive number of counts per unit", field)
	}
	if g != 0 {
		s.Gain = g
	}
	if m[3] != "" {
		v, err := strconv.ParseInt(m[3], 10, 32)
		if err != nil {
			return false, fmt.Errorf("baseline %q: %w", m[3], err)
		}
		s.Baseline, hasBaseline = int32(v), true
	}
	switch m[5] {
	case "", "mV":
	case "uV":
		s.Units = "uV"
	default:
		return false, fmt.Errorf("units %q: want mV or uV", m[5])
	}
	return hasBaseline, nil
}

// numbers reads the fields after the gain.
func (s *Signal) numbers(f []string) error {
	names := [...]string{3: "ADC resolution", "ADC zero", "first sample", "checksum", "block size"}
	for i := 3; i < min(len(f), len(names)); i++ {
		v, err := strconv.ParseInt(f[i], 10, 32)
		if err != nil {
			return fmt.Errorf("%s %q: not a number", names[i], f[i])
		}
		switch i {
		case 3:
			if v < 0 || v > 32 {
				return fmt.Errorf("ADC resolution %d: want 0 to 32 bits", v)
			}
			s.ADCRes = int(v)
		case 4:
			s.ADCZero = int32(v)
		case 5:
			s.Init = int32(v)
		case 6:
			// Some writers print the 16 bits unsigned; both name the same sum.
			if v < math.MinInt16 || v > math.MaxUint16 {
				return fmt.Errorf("checksum %d: want 16 bits", v)
			}
			s.Checksum, s.HasSum = int16(v), true
		case 7:
			if v != 0 {
				return fmt.Errorf("block size %d: not supported", v)
			}
		}
	}
	return nil
}

func validName(s string) bool {
	for _, c := range s {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-') {
			return false
		}
	}
	return s != ""
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: larger than %d bytes", path, limit)
	}
	return b, nil
}
