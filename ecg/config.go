package ecg

import (
	"errors"
	"fmt"
)

// Config describes the samples of one lead.
type Config struct {
	RateMilliHz      int64 // sampling rate, 100,000 to 1,000,000 thousandths of a hertz
	NanovoltPerCount int64 // 1 to 10,000,000
	RailLow          int32 // counts at or below it mean a saturated input
	RailHigh         int32 // counts at or above it do; both 0: no rails known
	Tuning           Tuning
}

// Tuning holds the detector's constants. A zero field means the constant of the
// paper, so Tuning{} is the detector as published; DefaultTuning is the set this
// project uses. Fractions are in 1/256, times in milliseconds.
type Tuning struct {
	LowPassMS    int32 `json:"low_pass_ms,omitempty" yaml:"low_pass_ms"`     // length of each low-pass boxcar, 30
	HighPassMS   int32 `json:"high_pass_ms,omitempty" yaml:"high_pass_ms"`   // length of the moving average that is subtracted, 160
	IntegrateMS  int32 `json:"integrate_ms,omitempty" yaml:"integrate_ms"`   // length of the integration window, 150
	ThresholdV   int32 `json:"threshold_v,omitempty" yaml:"threshold_v"`     // TH1 of the integrated signal, 64
	ThresholdF   int32 `json:"threshold_f,omitempty" yaml:"threshold_f"`     // TH1 of the filtered signal, 64
	SearchV      int32 `json:"search_v,omitempty" yaml:"search_v"`           // TH2 over TH1, integrated signal, 128
	SearchF      int32 `json:"search_f,omitempty" yaml:"search_f"`           // TH2 over TH1, filtered signal, 128
	SearchAfter  int32 `json:"search_after,omitempty" yaml:"search_after"`   // search-back after this many expected RR, 425
	SearchWeight int32 `json:"search_weight,omitempty" yaml:"search_weight"` // weight of a beat found by search-back, 64
	SignalWeight int32 `json:"signal_weight,omitempty" yaml:"signal_weight"` // weight of a beat in the signal levels, 32
	NoiseWeight  int32 `json:"noise_weight,omitempty" yaml:"noise_weight"`   // weight of noise in the noise levels, 32
	TWaveMS      int32 `json:"t_wave_ms,omitempty" yaml:"t_wave_ms"`         // slope is compared up to here after a beat, 360
	TWaveSlope   int32 `json:"t_wave_slope,omitempty" yaml:"t_wave_slope"`   // share of the last beat's slope that a beat must have, 128
	RefractoryMS int32 `json:"refractory_ms,omitempty" yaml:"refractory_ms"` // no two beats are closer, 200
	FloorUV      int32 `json:"floor_uv,omitempty" yaml:"floor_uv"`           // smaller peaks are noise at once, microvolts, 50
	LearnMS      int32 `json:"learn_ms,omitempty" yaml:"learn_ms"`           // learning period, 4000
	FiducialMS   int32 `json:"fiducial_ms,omitempty" yaml:"fiducial_ms"`     // R is sought this far around the filtered peak, 50
	FitMS        int32 `json:"fit_ms,omitempty" yaml:"fit_ms"`               // half width of the parabola, 10
}

// ErrConfig reports a configuration that New refuses.
var ErrConfig = errors.New("detector configuration")

// DefaultTuning returns the constants that gateways and commands use. They meet
// the accuracy gates on the twelve shared MIT-BIH records, which the papers' own
// miss; each was moved for all records together and sits inside a range that is
// as good, never for one record. On those records (EC57 view: missed, invented,
// F1; worst record), added one after the other:
//
//	papers' constants                         122  43  99.636 %  98.35 %
//	low-pass of 25 ms for 30                  109  40  99.671 %  98.52 %
//	high-pass of 120 ms for 160                91  25  99.744 %  98.90 %
//	TH1 of m at 0.19 for 0.25                  74  31  99.769 %  99.15 %
//	search-back after 1.80 for 1.66 intervals  75  29  99.771 %  99.13 %
//
// The last keeps muscle noise out: PPV of record 119 at 0 dB is 94.5 instead of
// 92.1 %.
func DefaultTuning() Tuning {
	return Tuning{LowPassMS: 25, HighPassMS: 120, ThresholdV: 48, SearchAfter: 461}
}

// limit is a tunable's paper constant and its allowed range, inclusive.
type limit struct {
	name         string
	value        *int32
	paper        int32
	lowest, most int32
}

func (t *Tuning) limits() []limit {
	return []limit{
		{"low_pass_ms", &t.LowPassMS, 30, 5, 60},
		{"high_pass_ms", &t.HighPassMS, 160, 60, 300},
		{"integrate_ms", &t.IntegrateMS, 150, 50, 200},
		{"threshold_v", &t.ThresholdV, 64, 8, 192},
		{"threshold_f", &t.ThresholdF, 64, 8, 192},
		{"search_v", &t.SearchV, 128, 8, 256},
		{"search_f", &t.SearchF, 128, 8, 256},
		{"search_after", &t.SearchAfter, 425, 282, 768},
		{"search_weight", &t.SearchWeight, 64, 1, 256},
		{"signal_weight", &t.SignalWeight, 32, 1, 256},
		{"noise_weight", &t.NoiseWeight, 32, 1, 256},
		{"t_wave_ms", &t.TWaveMS, 360, 200, 500},
		{"t_wave_slope", &t.TWaveSlope, 128, 16, 240},
		{"refractory_ms", &t.RefractoryMS, 200, 200, 300},
		{"floor_uv", &t.FloorUV, 50, 10, 500},
		{"learn_ms", &t.LearnMS, 4000, 2000, 8000},
		{"fiducial_ms", &t.FiducialMS, 50, 20, 80},
		{"fit_ms", &t.FitMS, 10, 1, 20},
	}
}

// WithDefaults replaces zero fields by the papers' constants.
func (t Tuning) WithDefaults() Tuning {
	for _, l := range t.limits() {
		if *l.value == 0 {
			*l.value = l.paper
		}
	}
	return t
}

// Validate reports every field outside its range, by name, with an example.
func (t Tuning) Validate() error {
	t = t.WithDefaults()
	var errs []error
	for _, l := range t.limits() {
		if *l.value < l.lowest || *l.value > l.most {
			errs = append(errs, fmt.Errorf("%s: %d is outside [%d, %d], e.g. %d", l.name, *l.value, l.lowest, l.most, l.paper))
		}
	}
	return errors.Join(errs...)
}

// Validate reports everything that New would refuse.
func (c Config) Validate() error {
	var errs []error
	if c.RateMilliHz < 100_000 || c.RateMilliHz > 1_000_000 {
		errs = append(errs, fmt.Errorf("rate: %d mHz is outside [100, 1000] Hz, e.g. 250 Hz", c.RateMilliHz))
	}
	if c.NanovoltPerCount < 1 || c.NanovoltPerCount > 10_000_000 {
		errs = append(errs, fmt.Errorf("nanovolt per count: %d is outside [1, 10000000], e.g. 5000", c.NanovoltPerCount))
	}
	if c.RailLow > c.RailHigh {
		errs = append(errs, fmt.Errorf("rails: low %d above high %d", c.RailLow, c.RailHigh))
	}
	errs = append(errs, c.Tuning.Validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}
