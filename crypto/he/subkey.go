package he

import (
	"crypto/sha3"
	"encoding/binary"
	"fmt"
	"io"
)

// Seed is the secret from which every member of a set derives its sub-key. It
// is what a server keeps in its key file: he derives the rest again.
type Seed struct {
	hidden
	epoch uint64
	set   Set
	value *[32]byte // nil after Destroy
}

// Set returns the servers that share this seed.
func (s *Seed) Set() Set { return s.set }

// Epoch returns the key epoch of this seed.
func (s *Seed) Epoch() uint64 { return s.epoch }

// Destroy clears the seed.
func (s *Seed) Destroy() {
	if s.value != nil {
		clear(s.value[:])
		s.value = nil
	}
}

// ExportSeed encodes a seed, secret and in the clear, for two places only: the
// encrypted channel to another member of its set, and a key file with mode
// 0600. ParseSeed reads it.
func (c *Context) ExportSeed(s *Seed) ([]byte, error) {
	if s.value == nil {
		return nil, fmt.Errorf("export seed of %v: %w", s.set, ErrClosed)
	}
	b := c.newMessage(KindSeed, s.epoch, setFieldSize+32)
	return append(appendSet(b, s.set), s.value[:]...), nil
}

// ParseSeed reads a seed that a dealer sent or a key file held. It does not
// check that the seed leads to the public sub-key: CheckSeed does, and every
// member must call it and record the outcome.
func (c *Context) ParseSeed(crs CRS, b []byte) (*Seed, error) {
	body, err := c.body(KindSeed, crs.Epoch, noK, b)
	if err != nil {
		return nil, fmt.Errorf("parse sub-key seed: %w", err)
	}
	set, err := parseSet(body, crs.Committee)
	if err != nil {
		return nil, fmt.Errorf("parse sub-key seed: %w", err)
	}
	v := [32]byte(body[setFieldSize:])
	return &Seed{epoch: crs.Epoch, set: set, value: &v}, nil
}

func appendSet(b []byte, s Set) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(s)), 0, 0)
}

func parseSet(body []byte, com Committee) (Set, error) {
	if body[2] != 0 || body[3] != 0 {
		return 0, fmt.Errorf("set field % x: %w", body[:setFieldSize], ErrEncoding)
	}
	s := Set(binary.BigEndian.Uint16(body))
	return s, com.checkSet(s)
}

// KeyWitness is what a proof that a public sub-key is well formed needs. The
// prover destroys it.
type KeyWitness struct {
	hidden
	S []int8 // sub-key, ternary
	E []int8 // error, |e| <= 21
}

// Destroy clears the witness.
func (w *KeyWitness) Destroy() { wipe(w.S, w.E) }

// expandSeed derives the short secrets of a sub-key: s ternary, then e centred
// binomial, from one SHAKE128 stream.
func (c *Context) expandSeed(s *Seed) (*KeyWitness, error) {
	if s.value == nil {
		return nil, fmt.Errorf("seed of %v: %w", s.set, ErrClosed)
	}
	x := sha3.NewSHAKE128()
	io.WriteString(x, "statnet/v1/subkey|")
	x.Write(c.params.ID[:])
	x.Write(be64(s.epoch))
	x.Write(binary.BigEndian.AppendUint16(nil, uint16(s.set)))
	x.Write(s.value[:])
	return c.drawKey(x)
}

// drawKey draws a short key pair's secrets from r.
func (c *Context) drawKey(r io.Reader) (*KeyWitness, error) {
	w := &KeyWitness{S: make([]int8, c.params.N), E: make([]int8, c.params.N)}
	if err := ternary(r, w.S); err != nil {
		return nil, err
	}
	return w, centred(r, w.E)
}

// keyPair returns s in key form and b = e - a·s in coefficients; a in key form.
func (c *Context) keyPair(w *KeyWitness, a *poly) (s, b *poly) {
	s, b = c.newPoly(), c.newPoly()
	prod, e := c.temp(), c.temp()
	defer c.release(prod, e)
	s.setSmall(w.S, c.params.Q)
	c.f.ntt(s)
	c.f.mul(a, s, prod)
	c.f.invNTT(prod)
	e.setSmall(w.E, c.params.Q)
	c.f.sub(e, prod, b)
	c.f.r.MForm(lib(s), lib(s))
	return s, b
}
