// Package synth makes ECG whose R times are known exactly.
//
//	seed ─▶ rhythm ─▶ R times ─▶ Gaussians P Q R S T ─▶ + wander + noise ─▶ counts (1 uV)
//	                    └──────────────▶ truth, nanoseconds
//
// These are test signals, not physiology.
package synth

// Rhythm names what the heart does.
type Rhythm string

// The rhythms.
const (
	Sinus Rhythm = "sinus"
	AF    Rhythm = "af"
	PVC   Rhythm = "pvc"
	Brady Rhythm = "brady"
	Tachy Rhythm = "tachy"
	Pause Rhythm = "pause"
	Flat  Rhythm = "flat"
	Rail  Rhythm = "rail"
	Drop  Rhythm = "drop"
)

// Config says what to make. Seed and Config decide every sample.
type Config struct {
	RateMilliHz int64
	Rhythm      Rhythm // "" is Sinus
	Seed        uint64
	NoiseUV     float64 // white noise, rms; 0 means 10, negative none
	WanderUV    float64 // amplitude at 0.2 Hz; 0 means 200, negative none
}

// Missing is the count of a sample that a drop-out swallowed.
const Missing int32 = -1 << 31

// Generator is an endless patch in constant memory.
type Generator struct{ cfg Config }

// New returns a generator at time 0.
func New(cfg Config) (*Generator, error) { return &Generator{cfg}, nil }

// Next returns the next sample in microvolts.
func (g *Generator) Next() int32 { return 0 }

// Truth appends the R times (ns after sample 0) that Next has passed since the
// last call.
func (g *Generator) Truth(out []int64) []int64 { return out }
