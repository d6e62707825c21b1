package stat

import (
	"errors"
	"fmt"
	"math/bits"
)

// Geometry of the plaintext. Layout:
//
//	coefficient  0        1..4      5..8  …  53..56   57..127   128,129  …  254,255
//	             gateways value 0   value 1  value 13  zero      bin 0       bin 63
//
// A value is four limbs of 12 bits, low first; a bin is two.
const (
	K       = 256 // coefficients that are opened
	firstAt = 1   // first limb of value 0
	binsAt  = 128 // first limb of bin 0

	limbBits   = 12
	limbMask   = 1<<limbBits - 1
	valueLimbs = 4 // 48 bits
	binLimbs   = 2 // 24 bits

	// MaxParts is the largest number of vectors that may be added: 65,535·4095
	// stays below the plaintext modulus 268,582,913, so no limb can wrap.
	MaxParts = 65_535
	// MaxPatients is the largest number of patients in one part.
	MaxPatients = 16
)

// Plaintext is one part's vector before encryption: limbs below 2^12.
type Plaintext [K]uint16

// Errors of the codec.
var (
	// ErrTooLarge reports a sum that does not fit its limbs. The gateway must
	// decline: nothing may be cut off or wrap.
	ErrTooLarge = errors.New("sum does not fit its limbs")
	// ErrPatients reports a part with no patient or more than MaxPatients.
	ErrPatients = errors.New("number of patients in a part must be 1 to 16")
	// ErrMalformed reports opened coefficients that no sum of valid vectors has.
	ErrMalformed = errors.New("opened coefficients are malformed")
	// ErrImpossible reports sums that no set of beats can have.
	ErrImpossible = errors.New("opened sums contradict each other")
)

// Sums are the opened totals of a whole question: what the querier decrypts.
type Sums struct {
	Providers uint64 // gateways whose vectors were added
	Patients  uint64 // patients with at least one accepted beat in the window

	N, S1, S2, M, D2, NN50, NIRR, H1, H2, OBS, REJ uint64 // as in Totals

	// WRR and WH are Σ over patients of Σx² − ⌊(Σx)²/n⌋, of RR (ms²) and of h
	// (0.01/min²): squared deviations from each patient's own mean, at most one
	// unit a patient too large.
	WRR, WH uint64

	Bins [NumBins]uint64

	Sel Selection // the components that were opened; all others are zero
}

// values lists the scalar components in plaintext order.
func (s *Sums) values() [numValues]*uint64 {
	return [numValues]*uint64{&s.Patients, &s.N, &s.S1, &s.S2, &s.M, &s.D2, &s.NN50, &s.NIRR, &s.H1, &s.H2,
		&s.OBS, &s.REJ, &s.WRR, &s.WH}
}

// Encode lays out the window totals of one part's patients, selected by sel, as
// the coefficients to encrypt. It refuses with ErrTooLarge a selected value of
// 2^48 or more, or a bin of 2^24 or more. Query step Q4.
//
// It does not check who the patients are or that no patient is in two parts.
func Encode(patients []Totals, sel Selection) (Plaintext, error) {
	if err := sel.Validate(); err != nil {
		return Plaintext{}, err
	}
	if len(patients) < 1 || len(patients) > MaxPatients {
		return Plaintext{}, fmt.Errorf("encode %d patients: %w", len(patients), ErrPatients)
	}
	sums, err := sumPatients(patients)
	if err != nil {
		return Plaintext{}, fmt.Errorf("encode part: %w", err)
	}
	var p Plaintext
	if sel&SelFirstPart != 0 {
		p[0] = 1
	}
	for j, v := range sums.values() {
		if sel.has(j) {
			if err := p.put(firstAt+valueLimbs*j, valueLimbs, *v); err != nil {
				return Plaintext{}, fmt.Errorf("encode %s: %w", componentNames[j], err)
			}
		}
	}
	for k, n := range sums.Bins {
		if sel.Histogram() {
			if err := p.put(binsAt+binLimbs*k, binLimbs, n); err != nil {
				return Plaintext{}, fmt.Errorf("encode bin %d: %w", k, err)
			}
		}
	}
	return p, nil
}

func (p *Plaintext) put(at, limbs int, v uint64) error {
	if v>>(limbBits*limbs) != 0 {
		return fmt.Errorf("value of %d bits, at most %d: %w", bits.Len64(v), limbBits*limbs, ErrTooLarge)
	}
	for i := range limbs {
		p[at+i] = uint16(v >> (limbBits * i) & limbMask)
	}
	return nil
}

// sumPatients adds window totals and the within-patient squares, checking every
// addition: totals come from disk and may be anything.
func sumPatients(patients []Totals) (Sums, error) {
	var s Sums
	for i := range patients {
		t := patients[i]
		wrr, err := within(t.N, t.S1, t.S2)
		if err != nil {
			return Sums{}, err
		}
		wh, err := within(t.N, t.H1, t.H2)
		if err != nil {
			return Sums{}, err
		}
		one := uint64(0)
		if t.N > 0 {
			one = 1
		}
		add := [numValues]uint64{one, t.N, t.S1, t.S2, t.M, t.D2, t.NN50, t.NIRR, t.H1, t.H2, t.OBS, t.REJ, wrr, wh}
		for j, v := range s.values() {
			sum, carry := bits.Add64(*v, add[j], 0)
			if carry != 0 {
				return Sums{}, fmt.Errorf("add %s: %w", componentNames[j], ErrTooLarge)
			}
			*v = sum
		}
		for k := range s.Bins {
			sum, carry := bits.Add64(s.Bins[k], t.Bins[k], 0)
			if carry != 0 {
				return Sums{}, fmt.Errorf("add bin %d: %w", k, ErrTooLarge)
			}
			s.Bins[k] = sum
		}
	}
	return s, nil
}

// within returns W = Σx² − ⌊(Σx)²/n⌋ of one patient, 0 for n = 0. The floor is
// what one division check proves; the rest of the division is below 1.
func within(n, sum, squares uint64) (uint64, error) {
	if n == 0 {
		if sum != 0 || squares != 0 {
			return 0, fmt.Errorf("window of 0 beats with a sum: %w", ErrImpossible)
		}
		return 0, nil
	}
	hi, lo := bits.Mul64(sum, sum)
	if hi >= n {
		return 0, fmt.Errorf("square of a sum of %d bits: %w", bits.Len64(sum), ErrTooLarge)
	}
	quo, _ := bits.Div64(hi, lo, n)
	if quo > squares {
		return 0, fmt.Errorf("squares smaller than their mean allows: %w", ErrImpossible)
	}
	return squares - quo, nil
}

// Decode reads the opened coefficients of the sum of any number of parts (at
// most MaxParts). It refuses with ErrMalformed any coefficient that is not
// selected but not zero or larger than honest parts can sum to, and with
// ErrImpossible sums that no set of beats has. Query step Q9.
//
// A refusal means that a gateway or a server lied or a key was wrong; sums that
// pass may still come from invented beats. The caller compares Providers with
// the number of accepted answers and Patients with the cohort.
func Decode(coeffs []uint32, sel Selection) (Sums, error) {
	if err := sel.Validate(); err != nil {
		return Sums{}, err
	}
	if len(coeffs) != K {
		return Sums{}, fmt.Errorf("decode %d coefficients, want %d: %w", len(coeffs), K, ErrMalformed)
	}
	for i, c := range coeffs {
		if limit := limitOf(i, sel); c > limit {
			return Sums{}, fmt.Errorf("decode coefficient %d: above %d: %w", i, limit, ErrMalformed)
		}
	}
	s := Sums{Providers: uint64(coeffs[0]), Sel: sel}
	for j, v := range s.values() {
		*v = join(coeffs[firstAt+valueLimbs*j:][:valueLimbs])
	}
	for k := range s.Bins {
		s.Bins[k] = join(coeffs[binsAt+binLimbs*k:][:binLimbs])
	}
	if err := s.check(); err != nil {
		return Sums{}, fmt.Errorf("decode sums: %w", err)
	}
	return s, nil
}

// limitOf returns the largest sum coefficient i can have under sel.
func limitOf(i int, sel Selection) uint32 {
	const limb = MaxParts * limbMask
	switch {
	case i == 0 && sel&SelFirstPart != 0:
		return MaxParts
	case i == firstAt:
		return MaxParts * MaxPatients // the only limb of value 0 that is ever used
	case i > firstAt+valueLimbs-1 && i < firstAt+valueLimbs*numValues && sel.has((i-firstAt)/valueLimbs):
		return limb
	case i >= binsAt && sel.Histogram():
		return limb
	}
	return 0
}

// join adds limbs of up to 28 bits each: at most 65,535·(2^48−1) < 2^64.
func join(limbs []uint32) uint64 {
	var v uint64
	for i, c := range limbs {
		v += uint64(c) << (limbBits * i)
	}
	return v
}
