package he

import (
	"encoding/binary"
	"fmt"
)

const (
	wordMask = 1<<wordBits - 1
	slack    = 8 // bytes that unpackLimb may read past its limb
)

// limbSize is the number of bytes of k residues of 53 bits.
func limbSize(k int) int { return (wordBits*k + 7) / 8 }

// polySize is the size of Poly(k): two limbs.
func polySize(k int) int { return 2 * limbSize(k) }

// appendPoly appends Poly(k): for each prime the first k residues, 53 bits
// each, little-endian bit order, zero bits up to a byte.
func appendPoly(dst []byte, p *poly, k int) []byte {
	for l := range p {
		dst = appendLimb(dst, p[l][:k])
	}
	return dst
}

func appendLimb(dst []byte, v []uint64) []byte {
	var acc uint64
	var n uint
	for _, x := range v {
		acc |= x << n
		if n += wordBits; n >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			n -= 64
			acc = x >> (wordBits - n)
		}
	}
	for ; n > 8; n -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	if n > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

// parsePoly decodes Poly(k) into p. It requires the exact length, residues
// below their primes and zero padding, so that appendPoly gives b again.
func (c *Context) parsePoly(b []byte, p *poly, k int) error {
	if len(b) != polySize(k) {
		return fmt.Errorf("polynomial of %d bytes, want %d: %w", len(b), polySize(k), ErrEncoding)
	}
	n := limbSize(k)
	for l, q := range c.params.Q {
		if i := unpackLimb(b[l*n:(l+1)*n], p[l][:k], q); i >= 0 {
			return fmt.Errorf("residue %d of limb %d is not below the prime: %w", i, l, ErrEncoding)
		}
		if used := wordBits * k % 8; used != 0 && b[(l+1)*n-1]>>used != 0 {
			return fmt.Errorf("padding of limb %d is not zero: %w", l, ErrEncoding)
		}
	}
	return nil
}

// unpackLimb decodes len(dst) residues and returns the position of the first
// one that is q or more, or -1.
func unpackLimb(b []byte, dst []uint64, q uint64) int {
	// A residue spans at most 60 bits from the byte it starts in, so an
	// 8-byte load is enough; the last few would read past the limb.
	fast := max(0, (len(b)-slack)*8/wordBits)
	fast = min(fast, len(dst))
	for i := range dst[:fast] {
		bit := wordBits * i
		dst[i] = binary.LittleEndian.Uint64(b[bit/8:]) >> (bit % 8) & wordMask
	}
	var tail [2 * slack]byte
	for i := fast; i < len(dst); i++ {
		bit := wordBits * i
		clear(tail[:])
		copy(tail[:], b[bit/8:])
		dst[i] = binary.LittleEndian.Uint64(tail[:]) >> (bit % 8) & wordMask
	}
	for i, x := range dst {
		if x >= q {
			return i
		}
	}
	return -1
}
