package stat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Statistic names what is asked. The text is part of the signed question.
type Statistic string

// The statistics.
const (
	Count      Statistic = "count"      // accepted beats
	Sum        Statistic = "sum"        // sum of intervals or of instantaneous heart rates
	Mean       Statistic = "mean"       // mean interval; for HR 60000/mean RR
	Variance   Statistic = "variance"   // divisor N−1, with its within- and between-patient parts
	StdDev     Statistic = "stddev"     // root of Variance; SDNN for RR
	RMSSD      Statistic = "rmssd"      // root mean square of successive differences, RR only
	PNN50      Statistic = "pnn50"      // share of successive differences above 50 ms, RR only
	CV         Statistic = "cv"         // stddev/mean, RR only
	Min        Statistic = "min"        // lower edge of the lowest filled histogram bin
	Max        Statistic = "max"        // upper edge of the highest filled histogram bin
	Median     Statistic = "median"     // Quantile 0.5
	Quantile   Statistic = "quantile"   // interpolated inside a histogram bin
	Histogram  Statistic = "histogram"  // counts by bin
	Summary    Statistic = "summary"    // all of the above at once
	Arrhythmia Statistic = "arrhythmia" // HRV measures and the screening flag, RR only
	Series     Statistic = "series"     // mean and stddev of one hour; see Hours
)

// Statistics lists every statistic in the order of the documentation.
func Statistics() []Statistic {
	return []Statistic{Count, Sum, Mean, Variance, StdDev, RMSSD, PNN50, CV, Min, Max, Median, Quantile,
		Histogram, Summary, Arrhythmia, Series}
}

// Signal names what the statistic is taken of.
type Signal string

// The signals.
const (
	RR Signal = "rr" // intervals between accepted beats, ms
	HR Signal = "hr" // heart rate, 1/min
)

// Question is one thing a querier may ask about a cohort and a window, which
// are not part of it. The zero value is refused.
type Question struct {
	Statistic   Statistic
	Signal      Signal
	QuantilePPM uint32 // Quantile only: 1..999,999 parts per million
	Bins        int    // Histogram only: 2..64 output bins, 0 = 64
}

// ErrQuestion reports a question that cannot be asked.
var ErrQuestion = errors.New("not a question that statnet answers")

// rrOnly are defined on intervals: TF has no successive differences of rates.
var rrOnly = []Statistic{RMSSD, PNN50, CV, Arrhythmia}

// Validate reports every problem of q at once, each with a value that works.
func (q Question) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains(Statistics(), q.Statistic) {
		add("statistic %.40q: unknown, e.g. mean", string(q.Statistic))
	}
	if q.Signal != RR && q.Signal != HR {
		add("signal %.40q: must be rr or hr", string(q.Signal))
	}
	if q.Signal == HR && slices.Contains(rrOnly, q.Statistic) {
		add("signal hr: %s is defined on rr only", q.Statistic)
	}
	if q.Statistic == Quantile && (q.QuantilePPM < 1 || q.QuantilePPM > 999_999) {
		add("quantile %d ppm: must lie strictly between 0 and 1, e.g. 0.9", q.QuantilePPM)
	}
	if q.Statistic != Quantile && q.QuantilePPM != 0 {
		add("quantile %d ppm: only for statistic quantile", q.QuantilePPM)
	}
	if q.Statistic == Histogram && q.Bins != 0 && (q.Bins < 2 || q.Bins > NumBins) {
		add("bins %d: must be 2..64, e.g. 16", q.Bins)
	}
	if q.Statistic != Histogram && q.Bins != 0 {
		add("bins %d: only for statistic histogram", q.Bins)
	}
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrQuestion, errors.Join(errs...))
	}
	return nil
}

// maxParams bounds what ParseQuestion looks at; the longest encoding is shorter.
const maxParams = 64

// Params returns the canonical parameters of a valid q: readable text such as
// "v1 rr", "v1 rr quantile=900000" or "v1 hr bins=16". There is one encoding of
// each question, so equal questions have equal bytes and digests.
func (q Question) Params() []byte {
	s := "v1 " + string(q.Signal)
	if q.QuantilePPM != 0 {
		s += " quantile=" + strconv.FormatUint(uint64(q.QuantilePPM), 10)
	}
	if q.Bins != 0 && q.Bins != NumBins {
		s += " bins=" + strconv.Itoa(q.Bins)
	}
	return []byte(s)
}

// ParseQuestion reads a question from a registered query. It accepts exactly
// the bytes that Params writes for a valid question.
func ParseQuestion(statistic string, params []byte) (Question, error) {
	if len(params) > maxParams {
		return Question{}, fmt.Errorf("parse question: %d bytes of parameters, at most %d: %w", len(params), maxParams, ErrQuestion)
	}
	fields := strings.Split(string(params), " ")
	if len(fields) < 2 || fields[0] != "v1" {
		return Question{}, fmt.Errorf("parse question: parameters %q do not start with a known version: %w", params, ErrQuestion)
	}
	q := Question{Statistic: Statistic(statistic), Signal: Signal(fields[1])}
	for _, f := range fields[2:] {
		name, text, _ := strings.Cut(f, "=")
		n, err := strconv.ParseUint(text, 10, 31) // 31 bits: Bins is an int, also on 32-bit machines
		if err != nil {
			return Question{}, fmt.Errorf("parse question: parameter %q: %w", f, ErrQuestion)
		}
		switch name {
		case "quantile":
			q.QuantilePPM = uint32(n)
		case "bins":
			q.Bins = int(n)
		default:
			return Question{}, fmt.Errorf("parse question: parameter %q is unknown: %w", name, ErrQuestion)
		}
	}
	if err := q.Validate(); err != nil {
		return Question{}, fmt.Errorf("parse question: %w", err)
	}
	// Comparing with the one canonical encoding refuses leading zeros, repeated
	// or reordered fields and written-out defaults in a single place.
	if string(q.Params()) != string(params) {
		return Question{}, fmt.Errorf("parse question: parameters %q, canonical is %q: %w", params, q.Params(), ErrQuestion)
	}
	return q, nil
}
