package he

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// TestPoolEntryIsUsedOnce: reuse would reveal Delta·(m - m'). All c1 differ, and
// so do the witnesses.
func TestPoolEntryIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork(t, tiny(t, 16), 1, 1, 1)
		for _, size := range []int{0, 1, 4} {
			e, err := net.c.NewEncryptor(net.pk, size)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for i := range 50 {
				if i%2 == 0 {
					synctest.Wait() // the pool is full: the next comes from it
				}
				ct, w, err := e.Encrypt([]uint16{1})
				if err != nil {
					t.Fatal(err)
				}
				c1 := string(appendPoly(nil, ct.c1, 16))
				if seen[c1] {
					t.Fatalf("pool of %d: an encryption of zero was used twice", size)
				}
				seen[c1] = true
				if w.M[0] != 1 || len(w.M) != 1 || len(w.U) != 16 {
					t.Fatalf("pool of %d: witness %v of %d values", size, w.M, len(w.U))
				}
			}
			e.Close()
			if _, _, err := e.Encrypt([]uint16{1}); !errors.Is(err, ErrClosed) {
				t.Errorf("pool of %d after Close: error %v, want %v", size, err, ErrClosed)
			}
		}
	})
}

// TestPoolIsFilledAndCleared counts the randomness that is drawn: a full pool
// draws for its entries and no more, and taking one draws for one.
func TestPoolIsFilledAndCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := tiny(t, 16)
		net := newNetwork(t, c, 1, 1, 1)
		count := &countingReader{r: katReader("pool")}
		c.rand = count
		e, err := c.NewEncryptor(net.pk, DefaultPool)
		if err != nil {
			t.Fatal(err)
		}
		const one = ternaryChunk + 2*6*16
		synctest.Wait()
		if got := count.load(); got != DefaultPool*one {
			t.Errorf("full pool drew %d bytes, want %d for %d entries", got, DefaultPool*one, DefaultPool)
		}
		if _, _, err := e.Encrypt([]uint16{1}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := count.load(); got != (DefaultPool+1)*one {
			t.Errorf("after one was taken: %d bytes, want %d", got, (DefaultPool+1)*one)
		}
		e.Close()

		still := &Encryptor{ctx: c, pk: net.pk, pool: make(chan *zero, 1), done: make(chan struct{})}
		z, err := still.encryptZero()
		if err != nil {
			t.Fatal(err)
		}
		still.pool <- z
		still.Close()
		if !z.t.c0.equal(c.newPoly()) || !zero8(z.w.U) {
			t.Error("Close leaves an encryption of zero in memory")
		}
	})
}

type countingReader struct {
	mu sync.Mutex
	r  interface{ Read([]byte) (int, error) }
	n  int
}

func (r *countingReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n += len(p)
	return r.r.Read(p)
}

func (r *countingReader) load() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// TestRefillEndsWithoutRandomness: the goroutine gives up, Encrypt reports it.
func TestRefillEndsWithoutRandomness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := tiny(t, 16)
		net := newNetwork(t, c, 1, 1, 1)
		c.rand = bytes.NewReader(nil)
		e, err := c.NewEncryptor(net.pk, 2)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, _, err := e.Encrypt([]uint16{1}); err == nil {
			t.Error("Encrypt without randomness succeeded")
		}
		e.Close()
	})
}

// TestConcurrentUse drives one Context, one Encryptor with its pool and many
// parsers and keys from many goroutines; the race detector watches.
func TestConcurrentUse(t *testing.T) {
	c := tiny(t, 64)
	net := newNetwork(t, c, 1, 3, 2)
	e, err := c.NewEncryptor(net.pk, DefaultPool)
	if err != nil {
		t.Fatal(err)
	}
	s := net.secret(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				m := []uint16{uint16(g), uint16(i)}
				ct, w, err := e.Encrypt(m)
				if err != nil {
					t.Error(err)
					return
				}
				w.Destroy()
				back, err := c.ParseCiphertext(1, ct.Bytes())
				if err != nil {
					t.Error(err)
					return
				}
				got := c.decode(c.phase(back.c0, back.c1, s), 2)
				if got[0] != uint32(m[0]) || got[1] != uint32(m[1]) {
					t.Errorf("decrypted %v, want %v", got, m)
				}
				if _, err := c.NewQuerierKey(1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// Closing while others encrypt gives ErrClosed or a ciphertext, no crash.
	closing, err := c.NewEncryptor(net.pk, 2)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		wg.Go(func() {
			for {
				if _, _, err := closing.Encrypt([]uint16{1}); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Go(closing.Close)
	wg.Wait()
	e.Close()
}
