package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
)

// ledger is a Ledger and its verifiers around a test ledger. A ticket is the
// query's id.
type ledger struct {
	mu      sync.Mutex
	l       *fsmtest.Ledger // guarded by mu
	changed chan struct{}   // closed and replaced at every leaf; guarded by mu
}

func (l *ledger) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func (l *ledger) View(fn func(*fsm.State)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(l.l.State)
}

func (l *ledger) Until(ctx context.Context, cond func(*fsm.State) bool) error {
	for {
		l.mu.Lock()
		ok, changed := cond(l.l.State), l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

var errTicket = errors.New("ticket refused")

func (l *ledger) CheckTicket(_ context.Context, ticket []byte, _ time.Time) (*record.Query, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(ticket) != 32 {
		return nil, 0, errTicket
	}
	q, ok := l.l.State.Query(record.Hash(ticket))
	if !ok {
		return nil, 0, errTicket
	}
	return q.Record, q.Leaf, nil
}

func (l *ledger) apply(leaf []byte) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	res, err := l.l.Apply(leaf)
	close(l.changed)
	l.changed = make(chan struct{})
	return res.Index, err
}

// verifier is one Verifier. Its hooks, if set, replace what it does.
type verifier struct {
	ledger   *ledger
	onPut    func(digest, data []byte) error
	onSubmit func(leaf []byte) (uint64, error)

	mu     sync.Mutex
	blobs  map[[32]byte][]byte // guarded by mu
	leaves [][]byte            // submitted; guarded by mu
}

func (v *verifier) PutBlob(_ context.Context, digest, data []byte) error {
	if v.onPut != nil {
		if err := v.onPut(digest, data); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.blobs[[32]byte(digest)] = bytes.Clone(data)
	return nil
}

func (v *verifier) GetBlob(_ context.Context, digest []byte, max int64) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.blobs[[32]byte(digest)]
	if !ok || int64(len(b)) > max {
		return nil, fmt.Errorf("no blob of at most %d bytes", max)
	}
	return b, nil
}

func (v *verifier) Submit(_ context.Context, leaf []byte) (uint64, error) {
	v.mu.Lock()
	v.leaves = append(v.leaves, bytes.Clone(leaf))
	v.mu.Unlock()
	if v.onSubmit != nil {
		return v.onSubmit(leaf)
	}
	return v.ledger.apply(leaf)
}

// link is a Link that a test writes tasks into.
type link struct {
	tasks    chan Task
	onUpload func(data []byte) error

	mu      sync.Mutex
	uploads [][]byte // guarded by mu
	failed  []string // guarded by mu
}

func (l *link) Run(ctx context.Context, deliver func(Task)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-l.tasks:
			deliver(t)
		}
	}
}

func (l *link) Upload(_ context.Context, _ [32]byte, data []byte) error {
	if l.onUpload != nil {
		if err := l.onUpload(data); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uploads = append(l.uploads, bytes.Clone(data))
	return nil
}

func (l *link) Failed(_ [32]byte, code uint32, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, fmt.Sprintf("%d %s", code, reason))
}

func (l *link) Up() bool { return true }

// testKeys is Keys and Cipher. Like the real one it never gives the same bytes
// twice.
type testKeys struct {
	mu      sync.Mutex
	plain   [][]uint16 // what was encrypted; guarded by mu
	encrypt func([]uint16) ([]byte, error)
}

func (k *testKeys) Cipher(context.Context, *fsm.KeyEpoch) (Cipher, error) { return k, nil }
func (k *testKeys) Close()                                                {}

func (k *testKeys) Encrypt(m []uint16) ([]byte, error) {
	k.mu.Lock()
	k.plain = append(k.plain, append([]uint16(nil), m...))
	n := len(k.plain)
	k.mu.Unlock()
	if k.encrypt != nil {
		return k.encrypt(m)
	}
	return fmt.Appendf(nil, "ciphertext %d", n), nil
}

func (k *testKeys) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.plain)
}
