package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"statnet/ecg"
	"statnet/store"
)

// disk records what is flushed, and fails when told to.
type disk struct {
	mu      sync.Mutex
	batches []store.Batch
	err     error
	during  func() // runs while a batch is on its way
}

func (d *disk) Append(b store.Batch) (store.Report, error) {
	if d.during != nil {
		d.during()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return store.Report{}, d.err
	}
	d.batches = append(d.batches, b)
	return store.Report{Stored: len(b[patient].Beats)}, nil
}

func (d *disk) flushes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.batches)
}

func beatAt(at int64) store.Batch {
	return store.Batch{patient: {Beats: []ecg.Beat{{At: at, RR: 800}}, Until: at}}
}

func TestOneFlushAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		b := store.NewBuffer(d, time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		for i := range int64(120) { // one beat a second for two minutes, half a second off the flush
			time.Sleep(500 * time.Millisecond) // fake clock
			if err := b.Add(beatAt(start + i*second)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
		if got := d.flushes(); got != 2 {
			t.Errorf("flushes in two minutes = %d, want 2", got)
		}
		if got := len(d.batches[0][patient].Beats); got != 60 {
			t.Errorf("beats of the first flush = %d, want 60", got)
		}
		time.Sleep(3 * time.Minute) // nothing to store: the disk stays untouched
		synctest.Wait()
		if got := d.flushes(); got != 2 {
			t.Errorf("flushes after quiet minutes = %d, want 2", got)
		}
		if err := b.Add(beatAt(start + 200*second)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run after cancelling = %v, want nil", err)
		}
		if got := d.flushes(); got != 3 {
			t.Errorf("flushes after the end = %d, want 3: the rest is flushed on the way out", got)
		}
		if got := b.Total().Stored; got != 121 {
			t.Errorf("stored in all = %d, want 121", got)
		}
	})
}

func TestFailedFlushKeepsItsBatch(t *testing.T) {
	full := errors.New("disk full")
	d := &disk{err: full}
	b := store.NewBuffer(d, time.Minute)
	for i := range int64(2) {
		if err := b.Add(beatAt(start + 2*i)); err != nil {
			t.Fatal(err)
		}
		d.during = func() { // arrives while the flush is failing
			if err := b.Add(beatAt(start + 2*i + 1)); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.Flush(); !errors.Is(err, full) {
			t.Errorf("Flush = %v, want the disk's error", err)
		}
	}
	d.err, d.during = nil, nil
	if _, err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	got := d.batches[0][patient]
	want := []ecg.Beat{{At: start, RR: 800}, {At: start + 1, RR: 800}, {At: start + 2, RR: 800}, {At: start + 3, RR: 800}}
	if !slices.Equal(got.Beats, want) || got.Until != start+3 {
		t.Errorf("batch after two failures = %+v, want all four beats in order", got)
	}
}

func TestRunReportsAFailedFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		b := store.NewBuffer(&disk{err: full}, time.Minute)
		if err := b.Add(beatAt(start)); err != nil {
			t.Fatal(err)
		}
		if err := b.Run(t.Context()); !errors.Is(err, full) {
			t.Errorf("Run = %v, want the disk's error", err)
		}
	})
}

func TestFullBufferFlushesFirst(t *testing.T) {
	d := &disk{}
	b := store.NewBuffer(d, time.Hour)
	many := make([]ecg.Beat, 100_000)
	for range 3 {
		if err := b.Add(store.Batch{patient: {Beats: many}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.flushes(); got != 2 {
		t.Errorf("flushes of 300,000 rows = %d, want 2 before the third batch", got)
	}
}

func TestBufferIntoAStore(t *testing.T) {
	s := open(t)
	b := store.NewBuffer(s, time.Minute)
	var wg sync.WaitGroup
	for g := range int64(4) {
		wg.Go(func() {
			for i := range int64(50) {
				if err := b.Add(beatAt(start + 2*second + (i*4+g)*second)); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if _, err := b.Flush(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if _, err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := b.Total().Stored; got != 200 {
		t.Errorf("stored = %d, want 200", got)
	}
}
