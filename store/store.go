package store

import (
	"context"
	"time"

	"statnet/ecg"
	"statnet/stat"
)

// Store is an open store. Any number of goroutines may use it.
type Store struct{}

// Open opens or creates the store at path (mode 0600).
func Open(path string, opt Options) (*Store, error) { return &Store{}, nil }

// Close waits for running transactions and releases the file.
func (s *Store) Close() error { return nil }

// Append stores a batch in one transaction and closes the epochs that its
// watermarks have passed. Repeating a batch changes nothing.
func (s *Store) Append(b Batch) (Report, error) { return Report{}, nil }

// CloseEpochs closes every epoch of the patient below upTo.
func (s *Store) CloseEpochs(patient string, upTo int64) error { return nil }

// ClosedThrough returns the patient's first epoch that is not closed: all below
// it are. It is 0 if none is.
func (s *Store) ClosedThrough(patient string) (int64, error) { return 0, nil }

// Window returns the totals of the epochs [from, to).
func (s *Store) Window(patient string, from, to int64) (stat.Totals, error) {
	return stat.Totals{}, nil
}

// Coverage returns the data quality of the epochs [from, to).
func (s *Store) Coverage(patient string, from, to int64) (Coverage, error) { return Coverage{}, nil }

// Patients lists the patients in order.
func (s *Store) Patients() ([]string, error) { return nil, nil }

// LastBeat returns the patient's latest beat; ok is false if there is none.
func (s *Store) LastBeat(patient string) (b ecg.Beat, ok bool, err error) {
	return ecg.Beat{}, false, nil
}

// Beats calls f for each beat in [from, to), Unix microseconds, in order.
func (s *Store) Beats(patient string, from, to int64, f func(ecg.Beat) error) error { return nil }

// State returns the source state committed with the patient's latest batch.
func (s *Store) State(patient string) ([]byte, error) { return nil, nil }

// SaveAnswer stores the answer and spends its budget in one transaction. It
// must return before the answer is sent.
func (s *Store) SaveAnswer(id [32]byte, a Answer) error { return nil }

// Answer returns the stored answer to the question.
func (s *Store) Answer(id [32]byte) (Answer, bool, error) { return Answer{}, false, nil }

// Refund gives the budget of an answer back, once; the answer stays.
func (s *Store) Refund(id [32]byte) error { return nil }

// Spent returns the budget the patient has spent.
func (s *Store) Spent(patient string) (uint64, error) { return 0, nil }

// Buffer holds batches in memory and flushes them once an interval. Any
// goroutine may Add; one runs Run.
type Buffer struct{}

// NewBuffer returns a buffer that flushes into s.
func NewBuffer(s *Store, every time.Duration) *Buffer { return &Buffer{} }

// Add takes a batch. When the buffer is full it flushes first.
func (b *Buffer) Add(batch Batch) error { return nil }

// Flush stores what the buffer holds, now.
func (b *Buffer) Flush() (Report, error) { return Report{}, nil }

// Run flushes every interval until ctx is cancelled, then once more.
func (b *Buffer) Run(ctx context.Context) error { return nil }
