package stat

import (
	"errors"
	"fmt"
)

// Value numbers of the plaintext: value j occupies coefficients 1+4j..4+4j.
const (
	valuePatients = iota // patients with at least one accepted beat
	valueN
	valueS1
	valueS2
	valueM
	valueD2
	valueNN50
	valueNIRR
	valueH1
	valueH2
	valueOBS
	valueREJ
	valueWRR
	valueWH
	numValues
)

var componentNames = [numValues]string{"patients", "count", "sum", "sum of squares", "pairs",
	"sum of squared differences", "NN50", "irregular pairs", "sum of heart rates", "sum of squared heart rates",
	"observed seconds", "rejected beats", "within-patient squares (RR)", "within-patient squares (heart rate)"}

// Selection is the public 16-bit mask of the components a question opens. Bit j
// < 14 selects value j; every component that is not selected is zero in the
// plaintext, so a question opens what it needs and nothing else.
type Selection uint16

const (
	// SelFirstPart marks a gateway's first vector for a question: coefficient 0
	// is 1 there and 0 in its later parts, so that the sum counts gateways.
	SelFirstPart Selection = 1 << 14
	// SelHistogram selects all 64 bins.
	SelHistogram Selection = 1 << 15

	selPatients Selection = 1 << valuePatients
)

// ErrSelection reports a selection mask that no question has.
var ErrSelection = errors.New("selection mask is not valid")

// LaterPart returns the mask of a gateway's second and later parts: the same
// components, without counting the gateway again.
func (s Selection) LaterPart() Selection { return s &^ SelFirstPart }

// Histogram tells whether the histogram is selected.
func (s Selection) Histogram() bool { return s&SelHistogram != 0 }

func (s Selection) has(value int) bool { return s>>value&1 != 0 }

// Validate refuses a mask without the number of patients: every answer must say
// how many people it describes, or a small cohort could not be recognised.
func (s Selection) Validate() error {
	if s&selPatients == 0 {
		return fmt.Errorf("check selection %04x: bit 0 (patients) is not set: %w", uint16(s), ErrSelection)
	}
	return nil
}

func selectValues(values ...int) Selection {
	// Observed seconds and rejected beats belong to every answer: a number
	// without its data quality misleads.
	s := SelFirstPart
	for _, v := range append(values, valuePatients, valueN, valueOBS, valueREJ) {
		s |= 1 << v
	}
	return s
}

// Selection returns the components that q opens: the fewest from which its
// value, parts and data quality follow. Gateways, verifiers and the querier
// derive it separately from the registered question. It returns 0, which
// Validate refuses, if q is not valid.
func (q Question) Selection() Selection {
	if q.Validate() != nil {
		return 0
	}
	hr := q.Signal == HR
	moments := selectValues(valueS1, valueS2, valueWRR)
	if hr {
		moments = selectValues(valueH1, valueH2, valueWH)
	}
	switch q.Statistic {
	case Count:
		return selectValues()
	case Sum:
		if hr {
			return selectValues(valueH1)
		}
		return selectValues(valueS1)
	case Mean:
		if hr {
			return selectValues(valueS1, valueH1)
		}
		return selectValues(valueS1)
	case Variance, StdDev:
		return moments
	case Series:
		return moments | 1<<valueS1
	case CV:
		return selectValues(valueS1, valueS2)
	case RMSSD:
		return selectValues(valueM, valueD2)
	case PNN50:
		return selectValues(valueM, valueNN50)
	case Min, Max, Median, Quantile, Histogram:
		return selectValues() | SelHistogram
	case Summary:
		if hr {
			return moments | 1<<valueS1 | SelHistogram
		}
		return moments | selectValues(valueM, valueD2, valueNN50) | SelHistogram
	default: // Arrhythmia
		return moments | selectValues(valueM, valueD2, valueNN50, valueNIRR)
	}
}
