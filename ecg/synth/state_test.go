package synth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"
)

func play(t testing.TB, cfg Config, n int) *Generator {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		g.Next()
	}
	return g
}

func save(t testing.TB, g *Generator) []byte {
	t.Helper()
	b, err := g.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestASavedGeneratorGoesOn(t *testing.T) {
	for _, rhythm := range append(Rhythms(), "") {
		for _, n := range []int{0, 1, 2, 777, 4001, 10_000} { // 4001: in the lead-off
			cfg := Config{RateMilliHz: 128_000, Rhythm: rhythm, Seed: 3}
			g, next := play(t, cfg, n), play(t, cfg, 5)
			state := save(t, g)
			if len(state) > 256 {
				t.Errorf("%q after %d: state of %d bytes", rhythm, n, len(state))
			}
			if err := next.UnmarshalBinary(state); err != nil {
				t.Fatalf("%q after %d: %v", rhythm, n, err)
			}
			if !bytes.Equal(save(t, next), state) {
				t.Errorf("%q after %d: a restored state is saved differently", rhythm, n)
			}
			g.Truth(nil)
			for i := range 2000 {
				if got, want := next.Next(), g.Next(); got != want {
					t.Fatalf("%q after %d: sample %d = %d, want %d", rhythm, n, i, got, want)
				}
			}
			if !slices.Equal(next.Truth(nil), g.Truth(nil)) {
				t.Errorf("%q after %d: other beats", rhythm, n)
			}
		}
	}
}

// The fastest hearts have the most beats near a sample, the slowest the
// longest draws.
func TestEveryConfigurationIsRestored(t *testing.T) {
	for _, rhythm := range Rhythms() {
		for _, mean := range []float64{200, 5000} {
			cfg := Config{RateMilliHz: 10_000, Rhythm: rhythm, Seed: 1, MeanMS: mean}
			g := play(t, cfg, 0)
			for i := range 800 {
				g.Next()
				if err := play(t, cfg, 0).UnmarshalBinary(save(t, g)); err != nil {
					t.Fatalf("%s, mean %g, after %d: %v", rhythm, mean, i, err)
				}
			}
		}
	}
}

func TestForeignStateIsRefused(t *testing.T) {
	cfg := Config{RateMilliHz: 128_000, Rhythm: PVC, Seed: 3}
	state := save(t, play(t, cfg, 1000))
	with := func(change func(*Config)) Config { c := cfg; change(&c); return c }
	for name, c := range map[string]Config{
		"rate":   with(func(c *Config) { c.RateMilliHz++ }),
		"seed":   with(func(c *Config) { c.Seed++ }),
		"rhythm": with(func(c *Config) { c.Rhythm = Sinus }),
		"mean":   with(func(c *Config) { c.MeanMS = 800 }),
		"noise":  with(func(c *Config) { c.NoiseUV = -1 }),
		"wander": with(func(c *Config) { c.WanderUV = 100 }),
	} {
		if err := play(t, c, 0).UnmarshalBinary(state); !errors.Is(err, ErrState) {
			t.Errorf("another %s: %v, want %v", name, err, ErrState)
		}
	}
	g := play(t, cfg, 10)
	before := save(t, g)
	for i := range state {
		bad := slices.Clone(state)
		bad[i] ^= 1
		if err := g.UnmarshalBinary(bad); !errors.Is(err, ErrState) {
			t.Errorf("byte %d flipped: %v, want %v", i, err, ErrState)
		}
		if err := g.UnmarshalBinary(state[:i]); !errors.Is(err, ErrState) {
			t.Errorf("%d bytes: %v, want %v", i, err, ErrState)
		}
	}
	if !bytes.Equal(save(t, g), before) {
		t.Error("a refused state changed the generator")
	}
}

// forge changes a state and makes its checksum right.
func forge(state []byte, change func(h *head, waves []byte) []byte) []byte {
	h, waves, _ := split(state)
	waves = change(&h, slices.Clone(waves))
	b, _ := binary.Append(nil, binary.LittleEndian, h)
	b = append(b, waves...)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// TestForgedStateIsRefused: each would let Next loop, or run out of beats.
func TestForgedStateIsRefused(t *testing.T) {
	cfg := Config{RateMilliHz: 128_000, Seed: 3}
	state := save(t, play(t, cfg, 1000))
	last := func(waves []byte) []byte { return waves[len(waves)-waveSize:] }
	for name, change := range map[string]func(h *head, waves []byte) []byte{
		"version":           func(h *head, w []byte) []byte { h.Version++; return w },
		"no beats":          func(_ *head, _ []byte) []byte { return nil },
		"half a beat":       func(_ *head, w []byte) []byte { return w[:len(w)-1] },
		"a beat of shape 2": func(_ *head, w []byte) []byte { last(w)[8] = 2; return w },
		"too many beats":    func(_ *head, w []byte) []byte { return bytes.Repeat(w, maxNear) },
		"sample before 0":   func(h *head, w []byte) []byte { h.Next = -1; return w },
		"sample 0":          func(h *head, w []byte) []byte { h.Next = 0; return w },
		"another sample":    func(h *head, w []byte) []byte { h.Next = 1 << 30; return w },
		"no sample":         func(h *head, w []byte) []byte { h.Next = maxNext + 1; return w },
		"fewer drawn":       func(h *head, w []byte) []byte { h.Drawn = 0; return w },
		"negative debt":     func(h *head, w []byte) []byte { h.Owed = -1; return w },
		"endless debt":      func(h *head, w []byte) []byte { h.Owed = 1e300; return w },
		"another last beat": func(h *head, w []byte) []byte { h.At++; return w },
		"falling beats":     func(_ *head, w []byte) []byte { return append(slices.Clone(last(w)), w...) },
		"a beat far ahead": func(h *head, w []byte) []byte {
			h.At += 2 * maxDraw
			binary.LittleEndian.PutUint64(last(w), uint64(h.At))
			return w
		},
		"a beat far behind": func(_ *head, w []byte) []byte { return append(make([]byte, waveSize), w...) },
		"no random source":  func(h *head, w []byte) []byte { h.Draws[0]++; return w },
		"no noise source":   func(h *head, w []byte) []byte { h.Noise[0]++; return w },
	} {
		if err := play(t, cfg, 0).UnmarshalBinary(forge(state, change)); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v, want %v", name, err, ErrState)
		}
	}
	if err := play(t, cfg, 0).UnmarshalBinary(forge(state, func(_ *head, w []byte) []byte { return w })); err != nil {
		t.Errorf("nothing changed: %v", err)
	}
}

func FuzzState(f *testing.F) {
	cfg := Config{RateMilliHz: 128_000, Rhythm: PVC, Seed: 3}
	for _, n := range []int{0, 1, 1000} {
		state := save(f, play(f, cfg, n))
		f.Add(state[:len(state)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := binary.LittleEndian.AppendUint32(slices.Clone(body), crc32.ChecksumIEEE(body))
		g := play(t, cfg, 0)
		if err := g.UnmarshalBinary(b); err != nil {
			return
		}
		if !bytes.Equal(save(t, g), b) {
			t.Error("a restored state is saved differently")
		}
		for range 1000 {
			g.Next()
		}
	})
}
