package synth

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Kind names a noise that disturbs real recordings.
type Kind string

// The kinds of noise.
const (
	Mains     Kind = "pl" // 50 Hz
	Muscle    Kind = "ma"
	Wander    Kind = "bw"
	Electrode Kind = "em" // electrode motion
)

// Noise makes n samples of noise of about unit strength at a rate in Hz. Only
// its shape matters: Gain sets the strength.
func Noise(kind Kind, rate float64, n int, seed uint64) ([]float64, error) {
	if !(rate >= 1 && rate <= 10_000) || n < 0 {
		return nil, fmt.Errorf("make noise: %d samples at %g Hz: want a rate of 1 to 10000 Hz", n, rate)
	}
	s := source{rate, n, rand.New(rand.NewPCG(seed, 3))}
	switch kind {
	case Mains:
		return s.mains(), nil
	case Muscle:
		return s.muscle(), nil
	case Wander:
		return s.wander(), nil
	case Electrode:
		return s.electrode(), nil
	}
	return nil, fmt.Errorf("make noise %q: want pl, ma, bw or em", kind)
}

type source struct {
	rate float64
	n    int
	rand *rand.Rand
}

func (s source) white() []float64 {
	v := make([]float64, s.n)
	for i := range v {
		v[i] = s.rand.NormFloat64()
	}
	return v
}

// low is a first-order low-pass with corner fc, Hz.
func (s source) low(v []float64, fc float64) []float64 {
	a := 1 - math.Exp(-2*math.Pi*fc/s.rate)
	out := make([]float64, len(v))
	var y float64
	for i, x := range v {
		y += a * (x - y)
		out[i] = y
	}
	return out
}

func (s source) mains() []float64 {
	v := make([]float64, s.n)
	for i := range v {
		v[i] = math.Sin(2 * math.Pi * 50 * float64(i) / s.rate)
	}
	return v
}

// muscle is high-passed white noise that swells and fades.
func (s source) muscle() []float64 {
	g := s.white()
	slow := s.low(g, 20)
	swell := s.low(s.white(), 0.5)
	top := 0.0
	for _, e := range swell {
		top = max(top, math.Abs(e))
	}
	for i := range g {
		g[i] = (g[i] - slow[i]) * (0.3 + 2*math.Abs(swell[i])/top)
	}
	return g
}

func (s source) wander() []float64 { return unit(s.low(s.low(s.white(), 0.3), 0.3)) }

// electrode is steps that rise fast and fade slowly, on some wander.
func (s source) electrode() []float64 {
	v := make([]float64, s.n)
	for at := s.rand.ExpFloat64() * 1.2; at*s.rate < float64(s.n); at += s.rand.ExpFloat64() * 1.2 {
		height := s.rand.NormFloat64()
		fade := (0.050 + 0.450*s.rand.Float64()) * s.rate
		rise := (0.010 + 0.050*s.rand.Float64()) * s.rate
		first := int(at * s.rate)
		for j := 0; float64(j) < 5*fade && first+j < s.n; j++ {
			v[first+j] += height * (1 - math.Exp(-float64(j)/rise)) * math.Exp(-float64(j)/fade)
		}
	}
	unit(v)
	for i, w := range s.wander() {
		v[i] += 0.5 * w
	}
	return v
}

// unit scales v to rms 1, in place.
func unit(v []float64) []float64 {
	if ms := meanSquare(v); ms > 0 {
		k := 1 / math.Sqrt(ms)
		for i := range v {
			v[i] *= k
		}
	}
	return v
}

func meanSquare(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return sum / float64(len(v))
}

// Strength returns the mean of the 300 smallest peak-to-peak values within
// +-50 ms of the given beats: the QRS size that a signal-to-noise ratio is about.
func Strength(signal []float64, beats []int64, rate float64) (float64, error) {
	half := int64(math.Round(0.05 * rate))
	var pp []float64
	for _, at := range beats {
		if at < half || at+half >= int64(len(signal)) {
			continue
		}
		w := signal[at-half : at+half+1]
		pp = append(pp, slices.Max(w)-slices.Min(w))
	}
	if len(pp) == 0 {
		return 0, fmt.Errorf("measure QRS: no beat within %d samples", len(signal))
	}
	slices.Sort(pp)
	pp = pp[:min(len(pp), 300)]
	var sum float64
	for _, x := range pp {
		sum += x
	}
	return sum / float64(len(pp)), nil
}

// AddNoise adds noise at snrDB to a signal in any unit: two minutes on, two
// minutes off, from 300 s. beats are the sample indices of its normal beats.
// signal is changed.
func AddNoise(signal []float64, beats []int64, rate float64, kind Kind, snrDB float64, seed uint64) error {
	pp, err := Strength(signal, beats, rate)
	if err != nil {
		return err
	}
	noise, err := Noise(kind, rate, len(signal), seed)
	if err != nil {
		return err
	}
	gain := math.Sqrt(pp * pp / 8 / meanSquare(noise) / math.Pow(10, snrDB/10))
	for i := range signal {
		if s := float64(i)/rate - 300; s >= 0 && math.Mod(s, 240) < 120 {
			signal[i] += gain * noise[i]
		}
	}
	return nil
}
