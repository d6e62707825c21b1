package ecg

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of an RR interval that may enter sums and proofs, in milliseconds,
// both inclusive.
const (
	MinRR = 200
	MaxRR = 3000
)

// Flags says what is known about a beat. Bits 0 to 3 keep a beat out of the
// statistics; the others are information.
type Flags uint16

// The flags, by bit.
const (
	First      Flags = 1 << iota // first beat of a segment, or RR unknown (RR = 0)
	Range                        // RR outside [MinRR, MaxRR]
	Jump                         // RR differs from the previous one by more than 20 %
	Quality                      // found while the signal quality was bad
	SearchBack                   // found below the first threshold, by looking back
	Learned                      // replayed after the learning period
	Early                        // Jump, and shorter than the previous interval
	flagEnd
)

var flagNames = [...]string{"first", "range", "jump", "quality", "searchback", "learned", "early"}

// Accepted reports whether the beat's interval enters sums and proofs.
func (f Flags) Accepted() bool { return f&(First|Range|Jump|Quality) == 0 }

// Rejected reports whether the beat has an interval that is kept out of the
// sums. Every beat is exactly one of accepted, rejected and First.
func (f Flags) Rejected() bool { return f&First == 0 && !f.Accepted() }

// String joins the names of the flags with "+"; "ok" if there are none.
func (f Flags) String() string {
	if f == 0 {
		return "ok"
	}
	var s []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	if f >= flagEnd {
		s = append(s, fmt.Sprintf("%#x", uint16(f&^(flagEnd-1))))
	}
	return strings.Join(s, "+")
}

// ParseFlags reads what String wrote.
func ParseFlags(s string) (Flags, error) {
	if s == "ok" {
		return 0, nil
	}
	var f Flags
	for _, part := range strings.Split(s, "+") {
		i := indexOf(part)
		if i < 0 {
			return 0, fmt.Errorf("parse flags %q: unknown flag %q, known are %s", s, part, strings.Join(flagNames[:], " "))
		}
		f |= 1 << i
	}
	return f, nil
}

func indexOf(name string) int {
	for i, n := range flagNames {
		if n == name {
			return i
		}
	}
	return -1
}

// Peak is one R peak as the detector finds it. Its place is Index + Frac/1024
// samples after the first sample of the segment.
type Peak struct {
	Index int64 // sample of the segment, from 0
	Frac  int32 // 1/1024 sample
	Amp   int32 // raw signal at Index, microvolts
	Flags Flags // First, Quality, SearchBack, Learned
}

// Offset is the peak's place in 1/1024 samples after the segment's start.
func (p Peak) Offset() int64 { return p.Index<<10 + int64(p.Frac) }

// Beat is one heartbeat with the interval that ends in it.
type Beat struct {
	At    int64 // R-peak time, Unix microseconds, UTC
	RR    int32 // interval since the previous beat of the segment, milliseconds; 0 for none
	Flags Flags
}

// ErrTime reports beats whose times do not rise.
var ErrTime = errors.New("beat times must rise strictly")

// Cleaner turns peaks into beats: it computes the interval and judges it. The
// zero value is ready for a segment's first beat. One goroutine may use it.
//
// It does not check that deviceNs and wallUs belong together.
type Cleaner struct {
	started bool
	lastNs  int64 // device time of the last beat
	lastUs  int64 // label of the last beat
	lastRR  int64 // interval of the last beat, ms; 0 for none
}

// Reset forgets the last interval, as after a gap: the next beat is First. The
// times must still rise.
func (c *Cleaner) Reset() { c.started, c.lastRR = false, 0 }

// Put judges the peak p at device time deviceNs, labelled wallUs (Unix
// microseconds). A peak with First, or the first after Reset, has no interval.
// Times that do not rise are refused with ErrTime and change nothing.
//
// The interval is the rounded difference of device times; labels only name the
// beat. Device times start anew with a segment, labels never go back.
func (c *Cleaner) Put(p Peak, deviceNs, wallUs int64) (Beat, error) {
	first := !c.started || p.Flags&First != 0
	if c.started && deviceNs <= c.lastNs && p.Flags&First == 0 {
		return Beat{}, fmt.Errorf("place beat at %d ns after one at %d ns: %w", deviceNs, c.lastNs, ErrTime)
	}
	if c.lastUs != 0 && wallUs <= c.lastUs {
		return Beat{}, fmt.Errorf("label beat %d us after one at %d us: %w", wallUs, c.lastUs, ErrTime)
	}
	b := Beat{At: wallUs, Flags: p.Flags & (First | Quality | SearchBack | Learned)}
	var rr int64
	if first {
		b.Flags |= First
	} else {
		rr = (deviceNs - c.lastNs + 500_000) / 1_000_000 // half up; the difference is positive
		rr = min(rr, 1<<31-1)
		b.RR, b.Flags = int32(rr), b.Flags|judge(rr, c.lastRR)
	}
	c.started, c.lastNs, c.lastUs, c.lastRR = true, deviceNs, wallUs, rr
	return b, nil
}

// judge applies the limits and Malik's 20 % rule to the interval rr that
// follows prev (0 for none), both in milliseconds.
func judge(rr, prev int64) (f Flags) {
	if rr == 0 {
		return First // two beats within half a millisecond: no interval to speak of
	}
	if rr < MinRR || rr > MaxRR {
		f |= Range
	}
	if prev >= MinRR && prev <= MaxRR && 5*abs(rr-prev) > prev {
		f |= Jump
		if rr < prev {
			f |= Early
		}
	}
	return f
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}
