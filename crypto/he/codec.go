package he

import (
	"encoding/binary"
	"fmt"
)

const wordMask = 1<<wordBits - 1

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

// unpackLimb decodes len(dst) residues and returns the position of one that is
// q or more, or -1.
func unpackLimb(b []byte, dst []uint64, q uint64) int {
	bad := -1
	i := 0
	// Eight residues are 53 whole bytes. One starts at most 7 bits into its
	// byte, so it ends within 8 bytes; the last one is taken from bytes 45..52.
	for ; i+8 <= len(dst); i += 8 {
		s, d := b[:53:53], dst[i:i+8:i+8]
		d[0] = binary.LittleEndian.Uint64(s[0:8]) & wordMask
		d[1] = binary.LittleEndian.Uint64(s[6:14]) >> 5 & wordMask
		d[2] = binary.LittleEndian.Uint64(s[13:21]) >> 2 & wordMask
		d[3] = binary.LittleEndian.Uint64(s[19:27]) >> 7 & wordMask
		d[4] = binary.LittleEndian.Uint64(s[26:34]) >> 4 & wordMask
		d[5] = binary.LittleEndian.Uint64(s[33:41]) >> 1 & wordMask
		d[6] = binary.LittleEndian.Uint64(s[39:47]) >> 6 & wordMask
		d[7] = binary.LittleEndian.Uint64(s[45:53]) >> 11 & wordMask
		for j, x := range d {
			if x >= q {
				bad = i + j
			}
		}
		b = b[53:]
	}
	var tail [64]byte // at most 7 residues: 47 bytes, and room to load 8 at a time
	copy(tail[:], b)
	for j := range dst[i:] {
		bit := wordBits * j
		dst[i+j] = binary.LittleEndian.Uint64(tail[bit/8:]) >> (bit % 8) & wordMask
		if dst[i+j] >= q {
			bad = i + j
		}
	}
	return bad
}
