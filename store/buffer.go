package store

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxPending bounds the rows that a Buffer holds; a live gateway of 100 patches
// has about 10,000 a minute.
const maxPending = 1 << 17

// Appender is what a Buffer flushes into; *Store is one.
type Appender interface {
	Append(Batch) (Report, error)
}

// Buffer holds batches in memory and flushes them once an interval: one
// transaction a minute spares a Raspberry Pi's SD card. Any goroutine may Add
// and Flush; one runs Run.
type Buffer struct {
	to    Appender
	every time.Duration

	flushing sync.Mutex // held while a batch is on its way to disk, so that batches keep their order

	mu      sync.Mutex
	pending Batch // guarded by mu
	rows    int   // guarded by mu
	total   Report
}

// NewBuffer returns a buffer that flushes into s every interval.
func NewBuffer(s Appender, every time.Duration) *Buffer {
	return &Buffer{to: s, every: every, pending: Batch{}}
}

// Add takes a batch; the caller must not change it afterwards. It returns at
// once, except that a full buffer is flushed first: then the caller waits for
// the disk, and its error is the flush's.
func (b *Buffer) Add(batch Batch) error {
	b.mu.Lock()
	full := b.rows+batch.rows() > maxPending && b.rows > 0
	if !full {
		b.add(batch)
	}
	b.mu.Unlock()
	if !full {
		return nil
	}
	if _, err := b.Flush(); err != nil {
		return err
	}
	b.mu.Lock()
	b.add(batch)
	b.mu.Unlock()
	return nil
}

func (b *Buffer) add(batch Batch) {
	b.pending.merge(batch)
	b.rows += batch.rows()
}

// Flush stores what was added before, now. When it returns nil, all of it is on
// disk. On an error the buffer keeps the batch for the next flush.
func (b *Buffer) Flush() (Report, error) {
	b.flushing.Lock()
	defer b.flushing.Unlock()
	b.mu.Lock()
	batch, rows := b.pending, b.rows
	b.pending, b.rows = Batch{}, 0
	b.mu.Unlock()
	if len(batch) == 0 {
		return Report{}, nil
	}
	rep, err := b.to.Append(batch)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		batch.merge(b.pending) // older first
		b.pending, b.rows = batch, rows+b.rows
		return Report{}, fmt.Errorf("flush %d rows: %w", rows, err)
	}
	b.total.Stored += rep.Stored
	b.total.Duplicate += rep.Duplicate
	b.total.Late += rep.Late
	return rep, nil
}

// Total returns what all flushes so far did.
func (b *Buffer) Total() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// Run flushes every interval until ctx is cancelled, then once more, and
// returns nil. It returns an error when a flush fails: a gateway that cannot
// write must stop and say so rather than lose beats quietly.
func (b *Buffer) Run(ctx context.Context) error {
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_, err := b.Flush()
			return err
		case <-tick.C:
			if _, err := b.Flush(); err != nil {
				return err
			}
		}
	}
}

// rows counts what a batch holds.
func (b Batch) rows() (n int) {
	for _, d := range b {
		n += 1 + len(d.Beats) + len(d.Segments) + len(d.Gaps)
	}
	return n
}

// merge adds a later batch.
func (b Batch) merge(later Batch) {
	for id, d := range later {
		m := b[id]
		m.Beats = append(m.Beats, d.Beats...)
		m.Segments = append(m.Segments, d.Segments...)
		m.Gaps = append(m.Gaps, d.Gaps...)
		if d.State != nil {
			m.State = d.State
		}
		m.Until = max(m.Until, d.Until)
		b[id] = m
	}
}
