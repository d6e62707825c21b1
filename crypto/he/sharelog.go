package he

import (
	"fmt"
	"slices"
	"sync"
)

// ShareLog is a server's durable memory of the openings it took part in. It
// outlives the process: a server that forgets would make a second share with
// fresh noise, and two of those can be averaged.
//
// One Opener at a time may use a log; it calls from one goroutine at a time.
type ShareLog interface {
	// Share returns the share stored under an opening context, if there is one.
	Share(octx Digest) (share []byte, found bool, err error)

	// Last returns the newest opening that contained a ciphertext, if any.
	Last(ciphertext Digest) (o Opened, found bool, err error)

	// Openings returns how many records of a key epoch were stored.
	Openings(epoch uint64) (int, error)

	// Store keeps a record, in one transaction: the share under its context,
	// Opened for each ciphertext, and the count of its epoch plus one. It
	// returns nil only when a power cut can no longer undo it (fsync), and
	// refuses a context that is already there.
	Store(r ShareRecord) error
}

// ShareRecord is what a ShareLog keeps of one opening.
type ShareRecord struct {
	Epoch       uint64
	Opened      Opened
	Ciphertexts []Digest
	Share       []byte // encoded share: the bytes to send, now and later
}

// Opened says in which opening a ciphertext was included.
type Opened struct {
	Context Digest // octx
	Subject Digest // octx without attempt and active set
	Attempt uint32
	Active  []int // active servers, ascending, 1..16
}

// MemoryLog is a ShareLog that forgets when the process ends. It is for tests
// and demonstrations: a server that ran on it would open anything again after a
// restart. The zero value is ready. Safe for concurrent use.
type MemoryLog struct {
	mu     sync.Mutex
	shares map[Digest][]byte // guarded by mu
	last   map[Digest]Opened // guarded by mu
	count  map[uint64]int    // guarded by mu
}

// Share implements ShareLog.
func (l *MemoryLog) Share(octx Digest) ([]byte, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.shares[octx]
	return slices.Clone(b), ok, nil
}

// Last implements ShareLog.
func (l *MemoryLog) Last(ciphertext Digest) (Opened, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o, ok := l.last[ciphertext]
	return o, ok, nil
}

// Openings implements ShareLog.
func (l *MemoryLog) Openings(epoch uint64) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count[epoch], nil
}

// Store implements ShareLog.
func (l *MemoryLog) Store(r ShareRecord) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.shares[r.Opened.Context]; ok {
		return fmt.Errorf("store share under %x: already there", r.Opened.Context[:8])
	}
	if l.shares == nil {
		l.shares = make(map[Digest][]byte)
		l.last = make(map[Digest]Opened)
		l.count = make(map[uint64]int)
	}
	l.shares[r.Opened.Context] = slices.Clone(r.Share)
	for _, d := range r.Ciphertexts {
		l.last[d] = r.Opened
	}
	l.count[r.Epoch]++
	return nil
}
