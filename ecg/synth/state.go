package synth

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
)

// ErrState reports a saved state that does not belong here: damaged, of another
// version or of another configuration.
var ErrState = errors.New("generator state")

// A state is, little endian,
//
//	head, one nearWave a beat near the next sample, CRC-32 (IEEE)
//
// There is one encoding of each state.
const stateVersion = 1

type head struct {
	Version uint8
	Config  [8]byte // hash of the configuration
	Next    int64
	Drawn   int64    // beats that the rhythm drew
	At      int64    // the last of them, ns
	Owed    float64  // ms
	Draws   [20]byte // random source of the rhythm
	Noise   [20]byte // and of the noise
}

// nearWave is a beat of Generator.beats; 1 is true.
type nearWave struct {
	AtNs int64
	Wide uint8
}

var (
	headSize = binary.Size(head{})
	waveSize = binary.Size(nearWave{})
)

const (
	maxNear = 32             // beats near a sample: the fastest heart has 11
	maxDraw = 60_000_000_000 // ns, longer than any interval
	maxNext = 1 << 39        // 17 years at 1000 Hz, like a line of package ecg
)

// hash identifies what decides every sample, with all defaults filled in.
func (g *Generator) hash() (h [8]byte) {
	c := g.cfg
	b := fmt.Appendf(nil, "%d %q %d", c.RateMilliHz, g.rhythm.kind, c.Seed)
	for _, x := range []float64{g.rhythm.mean, max(c.NoiseUV, 0), max(c.WanderUV, 0)} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h
}

// MarshalBinary saves the position, so that a generator of the same
// configuration goes on with the very samples that this one would make. Beats
// that Truth has not fetched are not saved.
func (g *Generator) MarshalBinary() ([]byte, error) {
	h := head{Version: stateVersion, Config: g.hash(), Next: g.next, Drawn: g.rhythm.n, At: g.rhythm.at, Owed: g.rhythm.owed}
	for _, s := range g.sources(&h) {
		b, err := s.pcg.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("save random source: %w", err)
		}
		copy(s.saved[:], b)
	}
	out, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		return nil, fmt.Errorf("save generator: %w", err)
	}
	for _, w := range g.beats {
		out = binary.LittleEndian.AppendUint64(out, uint64(w.AtNs))
		wide := byte(0)
		if w.Wide {
			wide = 1
		}
		out = append(out, wide)
	}
	return binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out)), nil
}

// UnmarshalBinary restores what MarshalBinary saved. Anything else is refused
// with ErrState and changes nothing.
//
// It does not authenticate: whoever can write the state can choose the samples,
// but not crash the generator, nor make it loop.
func (g *Generator) UnmarshalBinary(b []byte) error {
	h, waves, err := split(b)
	if err != nil {
		return err
	}
	if h.Config != g.hash() {
		return fmt.Errorf("%w: of another configuration", ErrState)
	}
	next, err := New(g.cfg)
	if err != nil {
		return err
	}
	next.next = h.Next
	next.rhythm.n, next.rhythm.at, next.rhythm.owed = h.Drawn, h.At, h.Owed
	for ; len(waves) > 0; waves = waves[waveSize:] {
		w := wave{noP: next.rhythm.kind == AF}
		w.AtNs, w.Wide = int64(binary.LittleEndian.Uint64(waves)), waves[8] == 1
		next.beats = append(next.beats, w)
		if waves[8] > 1 {
			return fmt.Errorf("%w: beat of shape %d", ErrState, waves[8])
		}
	}
	for _, s := range next.sources(&h) {
		if err := s.pcg.UnmarshalBinary(s.saved[:]); err != nil {
			return fmt.Errorf("%w: random source: %w", ErrState, err)
		}
	}
	if !next.plausible() {
		return fmt.Errorf("%w: beats do not fit sample %d", ErrState, h.Next)
	}
	*g = *next
	return nil
}

// saving pairs a random source with its place in a state. There is nothing else
// to save of one: math/rand/v2 keeps no drawn bits.
type saving struct {
	pcg   *rand.PCG
	saved *[20]byte
}

func (g *Generator) sources(h *head) [2]saving {
	return [2]saving{{g.rhythm.pcg, &h.Draws}, {g.pcg, &h.Noise}}
}

// split checks the frame of a state.
func split(b []byte) (h head, waves []byte, err error) {
	if len(b) < headSize+4 {
		return h, nil, fmt.Errorf("%w: %d bytes are too few", ErrState, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	waves = body[headSize:]
	switch {
	case b[0] != stateVersion:
		return h, nil, fmt.Errorf("%w: version %d, want %d", ErrState, b[0], stateVersion)
	case crc32.ChecksumIEEE(body) != sum:
		return h, nil, fmt.Errorf("%w: checksum differs", ErrState)
	case len(waves)%waveSize != 0 || len(waves) > maxNear*waveSize:
		return h, nil, fmt.Errorf("%w: %d bytes of beats", ErrState, len(waves))
	}
	if _, err := binary.Decode(body, binary.LittleEndian, &h); err != nil {
		return h, nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return h, waves, nil
}

// plausible reports whether Next can have left g like this: the last beat is
// the last drawn and within a draw of the newest sample, so that Next neither
// runs out of beats nor draws for ever.
func (g *Generator) plausible() bool {
	r := g.rhythm
	if g.next == 0 {
		return len(g.beats) == 0 && r.n == 0 && r.at == 0 && r.owed == 0
	}
	n := len(g.beats)
	if n == 0 || g.next < 0 || g.next > maxNext || r.n < int64(n) || r.n > maxNext || !(r.owed >= 0 && r.owed*1e6 <= maxDraw) {
		return false
	}
	now := g.timeOf(g.next - 1)
	if now > math.MaxInt64-maxDraw-reachBefore || g.beats[0].AtNs < now-reachAfter || g.beats[n-1].AtNs != r.at ||
		r.at-reachBefore <= now || r.at-reachBefore-maxDraw > now {
		return false
	}
	for i := range n - 1 {
		if g.beats[i].AtNs >= g.beats[i+1].AtNs {
			return false
		}
	}
	return true
}
