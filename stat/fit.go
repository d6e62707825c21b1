package stat

import (
	"errors"
	"fmt"
)

// MaxEpochs is the longest window: 2^17 epochs, 455 days.
const MaxEpochs = 1 << 17

// maxHistogramPatientEpochs keeps a packed histogram bin (31 bits) of a part
// from carrying into its neighbour: patients·epochs·1280 < 2^31.
const maxHistogramPatientEpochs = (1<<31 - 1) / MaxEpochBeats // 1,677,721

// ErrOverflow reports that a sum could exceed what its limbs or the plaintext
// modulus can hold. It would wrap and decrypt to a wrong number without any
// error, so the question is refused before anything is encrypted.
var ErrOverflow = errors.New("sum could exceed what the plaintext holds")

// MaxEpochRR bounds Σ RR of the accepted beats of one patient's epoch, in ms.
// Intervals do not overlap, so they cover the epoch (last beat at most at
// 299,999 ms) at most once; the first may begin MaxRR earlier, and rounding each
// interval singly may add 8 + 1024 ms (the allowance of the epoch proof). The
// store counts beats beyond it as rejected.
const MaxEpochRR = EpochSeconds*1000 - 1 + MaxRR + 8 + 1024 // 304,031

const maxRate = 10 * 60_000 / MinRR // 3000, in 0.1/min

// epochLimits are the largest contributions of one patient's epoch, in plaintext
// order.
//
//   - D2: Δ² <= 2800·|Δ|, and |x−y| <= x+y−2·MinRR, so Σ|Δ| <= 2·ΣRR plus the
//     interval before the epoch.
//   - W_x <= Σx², because it subtracts something.
//   - Of H2 nothing better than beats·3000² holds: 1280 beats of 200 ms fit.
var epochLimits = [numValues]uint64{
	valuePatients: 1, // whatever the window: never the component that overflows
	valueN:        MaxEpochBeats,
	valueS1:       MaxEpochRR,
	valueS2:       MaxRR * MaxEpochRR,
	valueM:        MaxEpochBeats,
	valueD2:       (MaxRR - MinRR) * (2*MaxEpochRR + MaxRR),
	valueNN50:     MaxEpochBeats,
	valueNIRR:     MaxEpochBeats,
	valueH1:       MaxEpochBeats * maxRate,
	valueH2:       MaxEpochBeats * maxRate * maxRate,
	valueOBS:      EpochSeconds,
	valueREJ:      MaxEpochRejected,
	valueWRR:      MaxRR * MaxEpochRR,
	valueWH:       MaxEpochBeats * maxRate * maxRate,
}

// CheckFit tells whether the answer to a question with selection sel over a
// window of so many epochs fits the plaintext, whatever the beats are: parts is
// the number of vectors that will be added (one a gateway, more if a gateway has
// more than patientsPerPart patients).
//
// It returns an error wrapping ErrOverflow that names the component and the
// longest window that fits. The querier checks it before it asks, verifiers at
// registration, and each gateway again. Query step Q1.
func CheckFit(parts, patientsPerPart int, epochs int64, sel Selection) error {
	if err := sel.Validate(); err != nil {
		return err
	}
	if parts < 1 || parts > MaxParts {
		return fmt.Errorf("check fit: %d parts, must be 1..%d: %w", parts, MaxParts, ErrOverflow)
	}
	if patientsPerPart < 1 || patientsPerPart > MaxPatients {
		return fmt.Errorf("check fit: %d patients in a part, must be 1..%d: %w", patientsPerPart, MaxPatients, ErrOverflow)
	}
	if epochs < 1 {
		return fmt.Errorf("check fit: window of %d epochs, must be 1..%d: %w", epochs, MaxEpochs, ErrOverflow)
	}
	if longest, name := longestWindow(patientsPerPart, sel); epochs > longest {
		return fmt.Errorf("check fit: %s of %d patients over %d epochs; at most %d epochs (%d days) fit: %w",
			name, patientsPerPart, epochs, longest, longest/288, ErrOverflow)
	}
	return nil
}

// longestWindow returns the largest number of epochs, at most MaxEpochs, for
// which no selected component of a part can overflow, and the component that
// sets it.
func longestWindow(patients int, sel Selection) (int64, string) {
	longest, name := uint64(MaxEpochs), "window"
	p := uint64(patients)
	for j := valueN; j < numValues; j++ {
		if !sel.has(j) {
			continue
		}
		if e := (1<<(limbBits*valueLimbs) - 1) / (epochLimits[j] * p); e < longest {
			longest, name = e, componentNames[j]
		}
	}
	if sel.Histogram() {
		// Two bounds: the limbs of a bin (24 bits) and its packed slot (31 bits).
		// The first one depends on the beats, so the gateway checks it when it
		// encodes: a bin that large needs 16.7 million beats of one length.
		if e := uint64(maxHistogramPatientEpochs) / p; e < longest {
			longest, name = e, "histogram"
		}
	}
	return int64(longest), name
}

// PartSize returns the largest number of patients, at most MaxPatients, that a
// gateway may put into one part, or 0 if not even one patient fits.
func PartSize(epochs int64, sel Selection) int {
	for p := MaxPatients; p > 0; p-- {
		if CheckFit(1, p, epochs, sel) == nil {
			return p
		}
	}
	return 0
}
