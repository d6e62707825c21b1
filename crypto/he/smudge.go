package he

import (
	"encoding/binary"
	"fmt"
	"io"
)

// smudgeBytes is the randomness of one smudging value; 73 bits of it are used.
const smudgeBytes = 16

// smudge fills p[0..k) with values uniform in [-2^72, 2^72), the same value in
// both limbs. This noise hides the noise of the ciphertexts, which depends on
// the key, by a factor of 2^40 and more (smudging lemma, ePrint 2011/613).
func (c *Context) smudge(r io.Reader, p *poly, k int) error {
	buf := make([]byte, smudgeBytes*k)
	defer clear(buf)
	if _, err := io.ReadFull(r, buf); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	for i := range k {
		b := buf[smudgeBytes*i:]
		lo, hi := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		for l := range p {
			p[l][i] = c.smudgeResidue(l, lo, hi)
		}
	}
	return nil
}

// smudgeResidue returns (r - 2^72) modulo prime l, r the low 73 bits of hi·2^64
// + lo. 32-bit words keep every product below 2^85 and the sum below 2^56: no
// division, no branch, nothing that differs on a 32-bit machine.
func (c *Context) smudgeResidue(l int, lo, hi uint64) uint64 {
	sum := lo & (1<<32 - 1)
	sum += c.f.mulMont(l, lo>>32, c.pow32[l])
	sum += c.f.mulMont(l, hi&(1<<(smudgeBits+1-64)-1), c.pow64[l])
	return c.f.reduce(l, sum+c.negSmudge[l])
}
