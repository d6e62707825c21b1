package he

import (
	"fmt"
	"sync"
)

// DefaultPool is the number of encryptions of zero that an Encryptor keeps
// ready: 0.6 MB of memory.
const DefaultPool = 4

// Witness is the randomness and the message of one ciphertext:
// c0 = b·u + e0 + Delta·m, c1 = a·u + e1. Who has it can read the message and,
// with an opening, attack the key: the prover destroys it.
type Witness struct {
	hidden
	U, E0, E1 []int8 // N values: ternary, |e0| <= 21, |e1| <= 21
	M         []uint16
}

// Destroy clears the witness.
func (w *Witness) Destroy() {
	wipe(w.U, w.E0, w.E1)
	clear(w.M)
}

// Encryptor encrypts under one collective key. A pool of encryptions of zero,
// made ahead and each used once, leaves 256 additions for the moment of the
// question. The pool lives in memory only. Safe for concurrent use.
//
// A new key epoch needs a new Encryptor; Close the old one.
type Encryptor struct {
	ctx *Context
	pk  *PublicKey

	pool chan *zero    // filled by refill; receiving removes, so none is used twice
	done chan struct{} // closed by Close
	wg   sync.WaitGroup

	mu     sync.RWMutex
	closed bool // guarded by mu
}

// zero is an encryption of zero with its witness.
type zero struct {
	t *Ciphertext
	w *Witness
}

func (z *zero) destroy() {
	z.t.Destroy()
	z.w.Destroy()
}

// NewEncryptor returns an Encryptor with a pool of the given size (DefaultPool
// is a good one), refilled by one goroutine until Close; 0 means no pool.
func (c *Context) NewEncryptor(pk *PublicKey, pool int) (*Encryptor, error) {
	if pk == nil || pk.ctx.params.ID != c.params.ID {
		return nil, fmt.Errorf("new encryptor: %w", ErrParams)
	}
	e := &Encryptor{ctx: c, pk: pk, done: make(chan struct{})}
	if pool > 0 {
		e.pool = make(chan *zero, pool-1) // one more waits in refill's hand
		e.wg.Go(e.refill)
	}
	return e, nil
}

func (e *Encryptor) refill() {
	for {
		z, err := e.encryptZero()
		if err != nil {
			return // Encrypt meets the same error and reports it
		}
		select {
		case e.pool <- z:
		case <-e.done:
			z.destroy()
			return
		}
	}
}

// Close stops the refill and clears the pool. Encrypt then returns ErrClosed.
func (e *Encryptor) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	close(e.done)
	e.wg.Wait()
	for {
		select {
		case z := <-e.pool:
			z.destroy()
		default:
			return
		}
	}
}

// Encrypt encrypts 1 to N values below 1<<LimbBits. The caller destroys the
// witness. Every call gives a fresh ciphertext: to answer a retry, resend the
// stored bytes, since two ciphertexts of one answer in one sum count it twice.
//
// It does not check that sums stay below the plaintext modulus: 65,535
// summands of any allowed values do, and Sum refuses more.
func (e *Encryptor) Encrypt(m []uint16) (*Ciphertext, *Witness, error) {
	if err := e.ctx.checkK(len(m)); err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	for i, v := range m {
		if v >= 1<<LimbBits {
			return nil, nil, fmt.Errorf("encrypt: value %d has more than %d bits: %w", i, LimbBits, ErrValue)
		}
	}
	z, err := e.takeZero()
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	e.ctx.addMessage(z.t.c0, m)
	z.w.M = append(make([]uint16, 0, len(m)), m...)
	return z.t, z.w, nil
}

// takeZero removes an encryption of zero from the pool, or makes one.
func (e *Encryptor) takeZero() (*zero, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return nil, ErrClosed
	}
	select {
	case z := <-e.pool:
		return z, nil
	default:
		return e.encryptZero()
	}
}

// addMessage adds Delta·m to the first coefficients.
func (c *Context) addMessage(c0 *poly, m []uint16) {
	for l, q := range c.params.Q {
		dst := c0[l][:len(m)]
		for i, v := range m {
			dst[i] = addMod(dst[i], c.f.mulMont(l, uint64(v), c.deltaMont[l]), q)
		}
	}
}

func (e *Encryptor) encryptZero() (*zero, error) {
	c := e.ctx
	n := c.params.N
	w := &Witness{U: make([]int8, n), E0: make([]int8, n), E1: make([]int8, n)}
	if err := ternary(c.rand, w.U); err != nil {
		return nil, err
	}
	for _, v := range [][]int8{w.E0, w.E1} {
		if err := centred(c.rand, v); err != nil {
			return nil, err
		}
	}
	return &zero{t: c.encryptWith(e.pk, w), w: w}, nil
}

// encryptWith computes (b·u + e0, a·u + e1).
func (c *Context) encryptWith(pk *PublicKey, w *Witness) *Ciphertext {
	t := &Ciphertext{ctx: c, epoch: pk.epoch, c0: c.newPoly(), c1: c.newPoly()}
	u := c.temp()
	defer c.release(u)
	u.setSmall(w.U, c.params.Q)
	c.f.ntt(u)
	c.f.mul(pk.b, u, t.c0)
	c.f.mul(pk.a, u, t.c1)
	c.f.invNTT(t.c0)
	c.f.invNTT(t.c1)
	t.c0.addSmall(w.E0, c.params.Q)
	t.c1.addSmall(w.E1, c.params.Q)
	return t
}
