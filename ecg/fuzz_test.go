package ecg_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"statnet/ecg"
	"statnet/ecg/synth"
)

// Whatever the samples are: no panic, times rise, at most five beats a second.
func FuzzDetector(f *testing.F) {
	seed := make([]byte, 0, 4096)
	for _, v := range samples(100, 3, synth.Sinus, 1) {
		seed = binary.LittleEndian.AppendUint32(seed, uint32(v))
	}
	f.Add(seed, uint16(0))
	f.Add([]byte{0, 0, 0, 128, 255, 255, 255, 127}, uint16(900))
	f.Fuzz(func(t *testing.T, data []byte, rate uint16) {
		cfg := patch(100+int64(rate)%901, ecg.DefaultTuning())
		d := newDetector(t, cfg)
		var peaks []ecg.Peak
		n := 0
		for _, repeat := range []int{0, 1, 2} { // three rounds, so that learning ends
			for b := data; len(b) >= 4; b = b[4:] {
				for range 1 + 8*repeat {
					peaks = d.Put(int32(binary.LittleEndian.Uint32(b)), peaks)
					if n++; n > 8_000 {
						break
					}
				}
			}
		}
		checkPeaks(t, "fuzz", cfg, n, d.End(peaks))
	})
}

// A state with a good checksum but any fields never panics, however it goes on;
// what is accepted is saved as it was.
func FuzzState(f *testing.F) {
	cfg := patch(100, ecg.DefaultTuning())
	for _, seconds := range []int{0, 1, 3, 20} {
		d := newDetector(f, cfg)
		for _, v := range samples(100, seconds+1, synth.Rail, 1)[:100*seconds] {
			d.Put(v, nil)
		}
		state, _ := d.MarshalBinary()
		f.Add(state)
	}
	next := samples(100, 12, synth.AF, 2)
	f.Fuzz(func(t *testing.T, state []byte) {
		if len(state) < 14 {
			return
		}
		fresh, _ := newDetector(t, cfg).MarshalBinary()
		copy(state, fresh[:10]) // header of this configuration
		body := state[:len(state)-4]
		binary.LittleEndian.PutUint32(state[len(body):], crc32.ChecksumIEEE(body))
		d := newDetector(t, cfg)
		if d.UnmarshalBinary(state) != nil {
			return
		}
		if again, _ := d.MarshalBinary(); !bytes.Equal(again, state) {
			t.Error("an accepted state is saved differently")
		}
		for _, v := range next {
			d.Put(v, nil)
		}
		d.End(nil)
	})
}
