package store

import (
	"errors"
	"time"

	"statnet/ecg"
)

// Errors that callers branch on.
var (
	ErrLocked    = errors.New("another process holds the store")
	ErrDamaged   = errors.New("store is damaged")
	ErrFormat    = errors.New("store has another format version")
	ErrCluster   = errors.New("store belongs to another cluster")
	ErrPatient   = errors.New("no such patient in the store")
	ErrNotClosed = errors.New("window ends after the last closed epoch")
	ErrBatch     = errors.New("batch is not valid")
	ErrConflict  = errors.New("a different answer is already stored for this question")
	ErrBudget    = errors.New("patient's budget is spent")
)

// Options say how to open a store. The zero value works for a test.
type Options struct {
	Cluster     string        // ledger origin; a new store is bound to it, an old one must equal it; "" skips the check
	LockTimeout time.Duration // how long to wait for another process; default 2 s
	ReadOnly    bool          // shared lock, no writes; a missing file is an error
}

// Segment is a stretch of time in which the signal was observed without a gap,
// Unix microseconds, half open. It may be reported again with a later To while
// it grows; overlaps are counted once.
type Segment struct{ From, To int64 }

// Gap is a stretch without signal, Unix microseconds, half open.
type Gap struct {
	From, To int64
	Cause    string // short and fixed, e.g. "radio", "no_signal"; never patient data; at most 64 bytes
}

// PatientBatch is what one source delivered about one patient since its last
// batch. All of it is stored in one transaction, so that a source that resumes
// from State neither repeats nor loses a beat.
type PatientBatch struct {
	Beats    []ecg.Beat
	Segments []Segment
	Gaps     []Gap
	State    []byte // the source's own state, opaque, at most 1 MiB; nil keeps the old one

	// Until is the source's watermark, Unix microseconds: nothing before it will
	// follow. Append closes the epochs that end at or before it. 0 closes none.
	Until int64
}

// Batch maps patients to what was delivered.
type Batch map[string]PatientBatch

// Report counts what Append did with the beats of a batch.
type Report struct {
	Stored    int // new rows
	Duplicate int // a row with the same time was there; it was kept
	Late      int // in a closed epoch: refused, and counted in Coverage.Late
}

// Part is one encrypted vector of an answer.
type Part struct {
	Ciphertext []byte
	Digest     [32]byte
}

// Spending is what an answer costs one patient's privacy budget.
type Spending struct {
	Patient string
	Units   uint64
	Limit   uint64 // the patient's total allowance; 0 = no limit
}

// Answer is what a gateway sends for a question, exactly as it was first made.
type Answer struct {
	Parts []Part
	Leaf  []byte // the sealed ANSWER record
	Spent []Spending
}

// Coverage says how good the data of a window are.
type Coverage struct {
	ExpectedSeconds uint64
	ObservedSeconds uint64
	RejectedBeats   uint64
	Late            uint64 // beats refused because their epoch was closed, since enrolment
	Gaps            []Gap  // recorded gaps that touch the window
}
