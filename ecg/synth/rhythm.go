package synth

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// Rhythm names what the heart, or the lead, does.
type Rhythm string

// The rhythms. Flat, Rail and Drop are sinus rhythm whose lead falls off for ten
// seconds of every minute.
const (
	Sinus Rhythm = "sinus" // 850 ms, breathing and jitter
	AF    Rhythm = "af"    // irregular, no P waves
	PVC   Rhythm = "pvc"   // every eighth beat early and wide, then a pause
	Brady Rhythm = "brady" // 1400 ms
	Tachy Rhythm = "tachy" // 480 ms
	Pause Rhythm = "pause" // every 20th interval lasts 4 s
	Flat  Rhythm = "flat"  // constant from 30 to 40 s of every minute
	Rail  Rhythm = "rail"  // saturated there
	Drop  Rhythm = "drop"  // missing there
)

// Rhythms lists all of them.
func Rhythms() []Rhythm { return []Rhythm{Sinus, AF, PVC, Brady, Tachy, Pause, Flat, Rail, Drop} }

// rhythm draws R times one after the other.
type rhythm struct {
	kind Rhythm
	mean float64   // ms
	pcg  *rand.PCG // what rand draws from
	rand *rand.Rand
	n    int64   // beats so far
	at   int64   // of the last beat, ns
	owed float64 // ms that the next interval is longer, after an early beat
}

const (
	pvcEvery   = 8
	pauseEvery = 20
	pauseMS    = 4000
)

func newRhythm(cfg Config) (rhythm, error) {
	pcg := rand.NewPCG(cfg.Seed, 1)
	r := rhythm{kind: cfg.Rhythm, mean: 850, pcg: pcg, rand: rand.New(pcg)}
	switch cfg.Rhythm {
	case "":
		r.kind = Sinus
	case Brady:
		r.mean = 1400
	case Tachy:
		r.mean = 480
	case Sinus, AF, PVC, Pause, Flat, Rail, Drop:
	default:
		return r, fmt.Errorf("synth: rhythm %q: want one of %s", cfg.Rhythm, strings.Trim(fmt.Sprint(Rhythms()), "[]"))
	}
	if cfg.MeanMS != 0 {
		r.mean = cfg.MeanMS
	}
	if !(r.mean >= 200 && r.mean <= 5000) {
		return r, fmt.Errorf("synth: mean RR %g ms: want 200 to 5000, e.g. 850", cfg.MeanMS)
	}
	return r, nil
}

// next draws the next beat.
func (r *rhythm) next() wave {
	r.n++
	w := wave{noP: r.kind == AF}
	rr := r.interval()
	switch {
	case r.kind == PVC && r.n%pvcEvery == 0:
		r.owed = 0.35 * rr // the sinus node keeps its beat
		rr, w.Wide = 0.65*rr, true
	case r.kind == Pause && r.n%pauseEvery == 0:
		rr = pauseMS
	default:
		rr, r.owed = rr+r.owed, 0
	}
	r.at += int64(math.Round(rr * 1e6))
	w.AtNs = r.at
	return w
}

// interval draws an RR interval in ms.
func (r *rhythm) interval() float64 {
	if r.kind == AF {
		return max(300, r.mean*(1+0.22*r.rand.NormFloat64()))
	}
	floor := min(400, 0.8*r.mean) // 400 unless a faster heart was asked for
	breath := 50 * r.mean / 850 * math.Sin(2*math.Pi*0.25*float64(r.at)/1e9)
	return max(floor, r.mean+breath+20*r.mean/850*r.rand.NormFloat64())
}

// off reports that the lead shows nothing at time ns.
func off(kind Rhythm, ns int64) bool {
	switch kind {
	case Flat, Rail, Drop:
		s := ns / 1_000_000_000 % 60
		return s >= 30 && s < 40
	}
	return false
}

func offCount(kind Rhythm) int32 {
	switch kind {
	case Rail:
		return RailUV
	case Drop:
		return Missing
	}
	return 0
}
