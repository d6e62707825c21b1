package he

import (
	"crypto/sha3"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// ternaryChunk is the number of bytes ternary reads at a time. It is part of
// the key format: a sub-key's error is drawn from the same stream after it.
const ternaryChunk = 2048

// ternary fills out with values -1, 0, 1, uniform: 2-bit groups, low bits
// first, 3 is dropped. The only branch depends on the number of values kept.
func ternary(r io.Reader, out []int8) error {
	var buf [ternaryChunk]byte
	defer clear(buf[:])
	for n := 0; n < len(out); {
		if _, err := io.ReadFull(r, buf[:]); err != nil {
			return fmt.Errorf("read randomness: %w", err)
		}
		for i := 0; i < 4*len(buf) && n < len(out); i++ {
			v := int8(buf[i/4]>>(2*(i%4))) & 3
			low, high := v&1, v>>1
			out[n] = low - high // 1 -> 1, 2 -> -1; 3 is overwritten
			n += int(1 - low&high)
		}
	}
	return nil
}

// centred fills out from the centred binomial distribution CBD(21): 6 bytes
// each, popcount of bits 0..20 minus popcount of bits 21..41.
func centred(r io.Reader, out []int8) error {
	const mask = 1<<cbdBits - 1
	buf := make([]byte, 6*len(out))
	defer clear(buf)
	if _, err := io.ReadFull(r, buf); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	for i := range out {
		b := buf[6*i : 6*i+6]
		x := uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint16(b[4:]))<<32
		out[i] = int8(bits.OnesCount32(uint32(x&mask)) - bits.OnesCount32(uint32(x>>cbdBits&mask)))
	}
	return nil
}

// uniform fills out with uniform residues: 8-byte little-endian words, low 53
// bits, those not below q dropped.
func uniform(r io.Reader, out []uint64, q uint64) error {
	buf := make([]byte, 8*len(out))
	defer clear(buf)
	for n := 0; n < len(out); {
		b := buf[:8*(len(out)-n)]
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("read randomness: %w", err)
		}
		for ; len(b) > 0; b = b[8:] {
			if x := binary.LittleEndian.Uint64(b) & wordMask; x < q {
				out[n] = x
				n++
			}
		}
	}
	return nil
}

// expandUniform is ExpandUniform(domain, seed): a public uniform polynomial, in
// coefficients, that everyone derives alike. SHAKE128 per limb.
func (c *Context) expandUniform(domain string, seed []byte) *poly {
	p := c.newPoly()
	for l, q := range c.params.Q {
		x := sha3.NewSHAKE128()
		fmt.Fprintf(x, "statnet/v1/expand|%s|%d|%d|%d|", domain, c.params.N, l, q)
		x.Write(seed)
		if err := uniform(x, p[l], q); err != nil {
			panic("he: SHAKE128 ended: " + err.Error()) // an extendable output has no end
		}
	}
	return p
}
