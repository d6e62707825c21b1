// Package synth makes ECG whose R times are known exactly.
//
//	seed ─▶ rhythm ─▶ R times ─▶ Gaussians P Q R S T ─▶ + wander + noise ─▶ counts (1 uV)
//	                    └──────────────▶ truth, nanoseconds
//
// A generator is endless and needs constant memory; the same seed has the same R
// times at every rate. These are test signals, not physiology. Exponentials
// differ in the last bit between platforms: samples agree within 1 uV, R times
// exactly unless the rhythm draws with sin or square roots of other hardware.
package synth

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
)

// Missing is the count of a sample that a drop-out swallowed.
const Missing int32 = -1 << 31

// RailUV is where the rhythm Rail saturates, in microvolts.
const RailUV int32 = 10_000

// Beat is one heartbeat of the truth.
type Beat struct {
	AtNs int64 // R time, nanoseconds after sample 0
	Wide bool  // a premature ventricular beat
}

// Config says what to make. Config and nothing else decides every sample.
type Config struct {
	RateMilliHz int64  // any rate from 1 to 10,000 Hz
	Rhythm      Rhythm // "" is Sinus
	Seed        uint64
	MeanMS      float64 // mean RR; 0 is the rhythm's own
	NoiseUV     float64 // white noise, rms; 0 means 10, negative none
	WanderUV    float64 // baseline wander at 0.2 Hz, amplitude; 0 means 200, negative none
}

// Generator is an endless patch. One goroutine may use it.
type Generator struct {
	cfg    Config
	rhythm rhythm
	pcg    *rand.PCG // what noise draws from
	noise  *rand.Rand
	next   int64  // sample that comes next
	beats  []wave // near the next sample, rising
	truth  []Beat // passed, not yet fetched
}

// maxTruth bounds the beats kept for Truth: a caller that never asks must not
// fill the memory.
const maxTruth = 1 << 16

// wave is a beat with its shape.
type wave struct {
	Beat
	noP bool
}

// New returns a generator at time 0.
func New(cfg Config) (*Generator, error) {
	if cfg.RateMilliHz < 1000 || cfg.RateMilliHz > 10_000_000 {
		return nil, fmt.Errorf("synth: rate %d mHz: want 1 to 10000 Hz, e.g. 250", cfg.RateMilliHz)
	}
	if cfg.NoiseUV == 0 {
		cfg.NoiseUV = 10
	}
	if cfg.WanderUV == 0 {
		cfg.WanderUV = 200
	}
	r, err := newRhythm(cfg)
	if err != nil {
		return nil, err
	}
	pcg := rand.NewPCG(cfg.Seed, 2)
	return &Generator{cfg: cfg, rhythm: r, pcg: pcg, noise: rand.New(pcg)}, nil
}

// reach is how far a wave extends before and after its R peak: P begins at -325
// ms, T ends at 280+5*45 ms.
const (
	reachBefore = 400_000_000
	reachAfter  = 600_000_000
)

// Next returns the next sample in microvolts, or Missing.
func (g *Generator) Next() int32 {
	now := g.timeOf(g.next)
	g.next++
	for len(g.beats) == 0 || g.beats[len(g.beats)-1].AtNs-reachBefore <= now {
		g.beats = append(g.beats, g.rhythm.next())
	}
	for g.beats[0].AtNs+reachAfter < now {
		g.beats = append(g.beats[:0], g.beats[1:]...)
	}
	g.pass(now)
	uv := 1000 * g.clean(now)
	if g.cfg.WanderUV > 0 {
		uv += g.cfg.WanderUV * math.Sin(2*math.Pi*0.2*float64(now)/1e9)
	}
	if g.cfg.NoiseUV > 0 {
		uv += g.cfg.NoiseUV * g.noise.NormFloat64()
	}
	if off(g.cfg.Rhythm, now) {
		return offCount(g.cfg.Rhythm)
	}
	return int32(math.Round(uv))
}

// clean is the sum of the waves in millivolts at time now.
func (g *Generator) clean(now int64) float64 {
	var mv float64
	for i := range g.beats {
		mv += g.beats[i].at(float64(now-g.beats[i].AtNs) / 1e6)
	}
	return mv
}

// pass adds the beats up to now to the truth, each once. Beats that a flat,
// saturated or missing signal hides are none: nobody could see them.
func (g *Generator) pass(now int64) {
	for _, b := range g.beats {
		if b.AtNs > now || b.AtNs <= g.passed() {
			continue
		}
		if !off(g.cfg.Rhythm, b.AtNs) && len(g.truth) < maxTruth {
			g.truth = append(g.truth, b.Beat)
		}
	}
}

// passed is the time of the sample before the newest.
func (g *Generator) passed() int64 {
	if g.next < 2 {
		return -1
	}
	return g.timeOf(g.next - 2)
}

// Truth appends the beats whose R time Next has passed since the last call. It
// keeps at most 65,536 of them: call it at least every few hours of signal.
func (g *Generator) Truth(out []Beat) []Beat {
	out = append(out, g.truth...)
	g.truth = g.truth[:0]
	return out
}

// timeOf returns the time of sample i in nanoseconds, rounded.
func (g *Generator) timeOf(i int64) int64 {
	rate := uint64(g.cfg.RateMilliHz)
	hi, lo := bits.Mul64(uint64(i), 1_000_000_000_000)
	lo, carry := bits.Add64(lo, rate/2, 0)
	hi += carry
	if hi >= rate {
		return math.MaxInt64 // 292 years
	}
	q, _ := bits.Div64(hi, lo, rate)
	return int64(min(q, math.MaxInt64))
}

// gaussian is one bump of a beat: offset and sigma in ms, height in mV.
type gaussian struct{ offset, sigma, height float64 }

var (
	bumpP  = gaussian{-200, 25, 0.12}
	narrow = []gaussian{{-28, 9, -0.12}, {0, 11, 1.10}, {30, 10, -0.25}, {280, 45, 0.28}}
	// A ventricular beat: wide, no P, T against the R wave.
	wide = []gaussian{{-60, 22, -0.15}, {0, 30, 1.30}, {75, 28, -0.35}, {330, 60, -0.30}}
)

func (b gaussian) at(ms float64) float64 {
	z := (ms - b.offset) / b.sigma
	if z > 6 || z < -6 {
		return 0
	}
	return b.height * math.Exp(-z*z/2)
}

// at returns the wave's millivolts ms after its R time.
func (w *wave) at(ms float64) (mv float64) {
	shape := narrow
	if w.Wide {
		shape = wide
	}
	for _, b := range shape {
		mv += b.at(ms)
	}
	if !w.Wide && !w.noP {
		mv += bumpP.at(ms)
	}
	return mv
}
