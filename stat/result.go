package stat

import (
	"encoding/json"
	"strconv"
)

// Hint stands beside every screening flag, wherever it is shown.
const Hint = "screening hint, not a diagnosis; not a medical device"

// Decimal is an exact number rounded half away from zero to at most six places,
// as text: "11853.25". The empty Decimal is an absent value; it marshals to
// JSON null, never to 0 or NaN.
type Decimal string

// Absent tells whether there is no value.
func (d Decimal) Absent() bool { return d == "" }

// Float returns the nearest float64, for charts; ok is false if d is absent.
func (d Decimal) Float() (f float64, ok bool) {
	f, err := strconv.ParseFloat(string(d), 64)
	return f, err == nil
}

// MarshalJSON writes a JSON number with exactly the digits of d, or null.
func (d Decimal) MarshalJSON() ([]byte, error) {
	if d == "" {
		return []byte("null"), nil
	}
	return json.Marshal(json.Number(d))
}

// Cell is a count that is hidden when it describes fewer than K patients.
type Cell struct {
	Count uint64 // 0 if hidden
	Below uint64 // if not 0: hidden, and the count lies below it ("<K")
}

// String returns the count, or "<K".
func (c Cell) String() string {
	if c.Below != 0 {
		return "<" + strconv.FormatUint(c.Below, 10)
	}
	return strconv.FormatUint(c.Count, 10)
}

// MarshalJSON writes a JSON number, or the string "<K".
func (c Cell) MarshalJSON() ([]byte, error) {
	if c.Below != 0 {
		return json.Marshal(c.String())
	}
	return []byte(c.String()), nil
}

// Result is the answer to a Question. Its JSON fields are those of
// statnet.query.v1 and may be embedded there: it has no MarshalJSON of its own.
type Result struct {
	Statistic Statistic   `json:"stat"`
	Signal    Signal      `json:"signal"`
	Unit      string      `json:"unit"`                 // of Value; "mixed" when its members name their own
	Value     Value       `json:"value"`                // null when absent
	Resolved  *Resolution `json:"resolution,omitempty"` // of values read from the histogram
	Also      []Labelled  `json:"also,omitempty"`       // related but different numbers
	Beats     Cell        `json:"beats"`                // accepted beats
	Patients  Cell        `json:"patients"`             // patients with accepted beats
	Sums      Opened      `json:"sums"`                 // the opened integers, to recompute Value from
	Parts     *Parts      `json:"parts,omitempty"`
	Notes     []string    `json:"notes,omitempty"` // what a reader must know, in words

	// ObservedSeconds and RejectedBeats belong to the coverage of the output.
	ObservedSeconds Cell `json:"-"`
	RejectedBeats   Cell `json:"-"`
}

// Value is a number, or one of HistogramValue, Members, SeriesPoint, []SeriesPoint.
type Value struct {
	Number Decimal
	Object any
}

// Absent tells whether there is no value to show.
func (v Value) Absent() bool { return v.Object == nil && v.Number.Absent() }

// MarshalJSON writes the number, the object, or null.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.Object != nil {
		return json.Marshal(v.Object)
	}
	return v.Number.MarshalJSON()
}

// Quantity is a value with its unit.
type Quantity struct {
	Value Decimal `json:"value"`
	Unit  string  `json:"unit"`
}

// Labelled is a named quantity.
type Labelled struct {
	Label string `json:"label"`
	Quantity
}

// Resolution is the bin that a value was read from: the true value lies in it.
type Resolution struct {
	From  Decimal `json:"from"`
	To    Decimal `json:"to"`
	Width Decimal `json:"width"`
	Unit  string  `json:"unit"`
	Rule  string  `json:"rule"` // how the value was placed in the bin
}

// Parts splits a variance: within + between = total, exactly, also as printed.
//
// Within is W/(N−1), W the squared deviations of each patient's beats from the
// patient's own mean, but at most the total (W may be one unit a patient too
// large); between is the rest. For stddev the parts are those of the variance,
// because roots do not add.
type Parts struct {
	Within  Decimal `json:"within"`
	Between Decimal `json:"between"`
	Unit    string  `json:"unit"`
}

// Opened are the opened integers by name, in plaintext order. It marshals to a
// JSON object; only components that were selected appear.
type Opened []OpenedSum

// OpenedSum is one opened integer, or the 64 bins.
type OpenedSum struct {
	Name string
	Unit string // "1" for counts
	Sum  uint64
	Bins []Cell // histogram only
}

// HistogramValue is the value of Histogram.
type HistogramValue struct {
	Unit string         `json:"unit"` // of the edges
	Bins []HistogramBin `json:"bins"`
}

// HistogramBin counts the beats in [From, To); the last bin includes To.
type HistogramBin struct {
	From  Decimal `json:"from"`
	To    Decimal `json:"to"`
	Count Cell    `json:"count"`
}

// Members is the value of Summary and Arrhythmia: named quantities in a fixed
// order, then screening flags. It marshals to a JSON object.
type Members struct {
	Quantities []Labelled
	Flags      []Flag // Arrhythmia only
}

// Flag is a screening rule applied to the window.
type Flag struct {
	Rule      string  `json:"rule"`
	Raised    *bool   `json:"raised"` // nil: not enough beats to say
	Value     Decimal `json:"value"`
	Threshold Decimal `json:"threshold"`
	Unit      string  `json:"unit"`
	Hint      string  `json:"hint"` // always Hint
}

// SeriesPoint is one hour of a series. An hour that was not answered has null
// everywhere: not even a count of 0 is known.
type SeriesPoint struct {
	From     int64    `json:"from,omitempty"` // Unix seconds, set by Join
	To       int64    `json:"to,omitempty"`
	Mean     Quantity `json:"mean"`
	StdDev   Quantity `json:"stddev"`
	Beats    *Cell    `json:"beats"`
	Patients *Cell    `json:"patients"`
}
