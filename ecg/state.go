package ecg

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrState reports a saved state that does not belong here: damaged, of another
// version or of another configuration.
var ErrState = errors.New("detector state")

// A state is
//
//	version 1 byte, kind 1 byte, configuration hash 8 bytes, fields, CRC-32 (IEEE)
//
// with every field in the order of its visit method, little endian. There is one
// encoding of each state.
const stateVersion = 2 // 1 had a shorter history and took steps of the baseline for beats

const (
	kindDetector = 'D'
	kindLine     = 'L'
	kindCleaner  = 'C'
	stateHead    = 10
)

// visitor writes or reads fields: the same method of a type serves both, so
// that they cannot differ.
type visitor struct {
	buf     []byte
	at      int
	reading bool
	bad     bool
}

func (v *visitor) i64(x *int64) {
	if !v.reading {
		v.buf = binary.LittleEndian.AppendUint64(v.buf, uint64(*x))
		return
	}
	if len(v.buf)-v.at < 8 {
		v.bad = true
		return
	}
	*x = int64(binary.LittleEndian.Uint64(v.buf[v.at:]))
	v.at += 8
}

func (v *visitor) i32(x *int32) {
	if !v.reading {
		v.buf = binary.LittleEndian.AppendUint32(v.buf, uint32(*x))
		return
	}
	if len(v.buf)-v.at < 4 {
		v.bad = true
		return
	}
	*x = int32(binary.LittleEndian.Uint32(v.buf[v.at:]))
	v.at += 4
}

func (v *visitor) flag(x *bool) {
	n := int32(0)
	if *x {
		n = 1
	}
	v.i32(&n)
	v.check(n == 0 || n == 1)
	*x = n == 1
}

func (v *visitor) all64(x []int64) {
	for i := range x {
		v.i64(&x[i])
	}
}

func (v *visitor) all32(x []int32) {
	for i := range x {
		v.i32(&x[i])
	}
}

// length visits the length of a bounded list.
func (v *visitor) length(x *int, most int) {
	n := int32(*x)
	v.i32(&n)
	if v.check(n >= 0 && int(n) <= most) {
		*x = int(n)
	}
}

// check refuses a field that the code could not have produced. It does nothing
// when writing.
func (v *visitor) check(ok bool) bool {
	if v.reading && !ok {
		v.bad = true
	}
	return !v.bad
}

// within checks lo <= x <= hi.
func (v *visitor) within(x, lo, hi int64) { v.check(x >= lo && x <= hi) }

// seal wraps what visit writes.
func seal(kind byte, cfg []byte, visit func(*visitor)) []byte {
	v := &visitor{buf: append([]byte{stateVersion, kind}, cfg...)}
	visit(v)
	return binary.LittleEndian.AppendUint32(v.buf, crc32.ChecksumIEEE(v.buf))
}

// unseal checks a state and lets visit read it.
func unseal(b []byte, kind byte, cfg []byte, visit func(*visitor)) error {
	if len(b) < stateHead+4 {
		return fmt.Errorf("%w: %d bytes are too few", ErrState, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	switch {
	case b[0] != stateVersion:
		return fmt.Errorf("%w: version %d, want %d", ErrState, b[0], stateVersion)
	case crc32.ChecksumIEEE(body) != sum:
		return fmt.Errorf("%w: checksum differs", ErrState)
	case b[1] != kind:
		return fmt.Errorf("%w: of kind %q, want %q", ErrState, b[1], kind)
	case string(b[2:stateHead]) != string(cfg):
		return fmt.Errorf("%w: of another configuration", ErrState)
	}
	v := &visitor{buf: body, at: stateHead, reading: true}
	visit(v)
	if v.bad || v.at != len(body) {
		return fmt.Errorf("%w: malformed after byte %d", ErrState, v.at)
	}
	return nil
}

// hash identifies a configuration with all defaults filled in.
func (c Config) hash() []byte {
	v := &visitor{}
	v.i64(&c.RateMilliHz)
	v.i64(&c.NanovoltPerCount)
	v.i32(&c.RailLow)
	v.i32(&c.RailHigh)
	t := c.Tuning.WithDefaults()
	for _, l := range t.limits() {
		v.i32(l.value)
	}
	h := sha256.Sum256(v.buf)
	return h[:8]
}

// MarshalBinary saves the state, so that a detector of the same configuration
// goes on bit-identically.
func (d *Detector) MarshalBinary() ([]byte, error) {
	return seal(kindDetector, d.cfg.hash(), d.visit), nil
}

// UnmarshalBinary restores a saved state. Damage, another version and another
// configuration are refused with ErrState and leave the detector unchanged.
//
// It does not authenticate: whoever can write the state can choose it, but not
// crash the detector with it.
func (d *Detector) UnmarshalBinary(b []byte) error {
	next, err := New(d.cfg)
	if err != nil {
		return err
	}
	if err := unseal(b, kindDetector, d.cfg.hash(), next.visit); err != nil {
		return err
	}
	*d = *next
	return nil
}

// MarshalBinary and UnmarshalBinary save and restore the last beat.
func (c *Cleaner) MarshalBinary() ([]byte, error) {
	return seal(kindCleaner, make([]byte, 8), c.visit), nil
}

// UnmarshalBinary restores what MarshalBinary saved, or returns ErrState.
func (c *Cleaner) UnmarshalBinary(b []byte) error {
	var next Cleaner
	if err := unseal(b, kindCleaner, make([]byte, 8), next.visit); err != nil {
		return err
	}
	*c = next
	return nil
}

func (c *Cleaner) visit(v *visitor) {
	v.flag(&c.started)
	v.i64(&c.lastNs)
	v.i64(&c.lastUs)
	v.i64(&c.lastRR)
	v.within(c.lastRR, 0, 1<<31-1)
}

// MarshalBinary saves the line with its detector.
func (l *Line) MarshalBinary() ([]byte, error) {
	return seal(kindLine, l.det.cfg.hash(), l.visit), nil
}

// UnmarshalBinary restores a line of the same configuration and start; anything
// else is refused with ErrState and changes nothing.
func (l *Line) UnmarshalBinary(b []byte) error {
	next, err := NewLine(l.det.cfg, l.startUs)
	if err != nil {
		return err
	}
	if err := unseal(b, kindLine, l.det.cfg.hash(), next.visit); err != nil {
		return err
	}
	if next.startUs != l.startUs {
		return fmt.Errorf("%w: of a line that starts at %d us, not %d", ErrState, next.startUs, l.startUs)
	}
	*l = *next
	return nil
}

func (l *Line) visit(v *visitor) {
	l.det.visit(v)
	l.clean.visit(v)
	v.i64(&l.startUs)
	v.i64(&l.next)
	v.i64(&l.segment)
	v.i64(&l.seen)
	v.i64(&l.had)
	v.within(l.next, 0, maxLine)
	v.check(l.segment == l.next-l.det.f.n)
	v.check(l.seen == l.det.watch.complete && l.had == l.det.watch.observed)
}
