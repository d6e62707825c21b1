package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statnet/config"
	"statnet/ecg"
	"statnet/ecg/wfdb"
	"statnet/stat"
	"statnet/store"
)

const patient = "p-0001"

// listStart is where test lists begin: some days before the test ledger's now.
var listStart = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)

// sharedData finds the shared ECG records, or skips where there are none.
func sharedData(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("STATNET_DATA")
	for up := "."; dir == ""; up = filepath.Join("..", up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			dir = filepath.Join(up, "..", "shared", "data")
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "ecg", "mitdb", "100.hea")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no shared ECG records: %v", err)
		}
		t.Skipf("no shared ECG records (set STATNET_DATA): %v", err)
	}
	return dir
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "gateway.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// collect runs one source until it ends, into st.
func collect(t testing.TB, st *store.Store, src config.Source) *collector {
	t.Helper()
	c, err := newCollector([]config.Patch{{ID: "patch-1", Patient: patient, Source: src}}, st,
		store.NewBuffer(st, time.Minute), time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	<-c.caughtUp
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return c
}

func stored(t testing.TB, st *store.Store) (beats []ecg.Beat) {
	t.Helper()
	err := st.Beats(patient, 0, 1<<62, func(b ecg.Beat) error { beats = append(beats, b); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return beats
}

// window is all that is closed.
func window(t testing.TB, st *store.Store) stat.Totals {
	t.Helper()
	closed, err := st.ClosedThrough(patient)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := st.Window(patient, max(closed-stat.MaxEpochs, 0), closed)
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func wfdbSourceOf(t testing.TB, name string) config.Source {
	return config.Source{Kind: config.SourceWFDB, File: filepath.Join(sharedData(t), "ecg", "mitdb", name),
		Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
}

func TestRecordGivesTheDetectorsBeats(t *testing.T) {
	for _, name := range []string{"100", "119", "208"} {
		t.Run(name, func(t *testing.T) {
			src := wfdbSourceOf(t, name)
			rec, err := wfdb.Open(src.File)
			if err != nil {
				t.Fatal(err)
			}
			var want []ecg.Beat
			sink := ecg.Sink{Beat: func(_ ecg.Peak, b ecg.Beat) error { want = append(want, b); return nil }}
			if err := rec.Beats(0, src.Start.UnixMicro(), ecg.DefaultTuning(), sink); err != nil {
				t.Fatal(err)
			}
			st := openStore(t)
			collect(t, st, src)
			got := stored(t, st)
			if !slices.Equal(got, want) {
				t.Fatalf("stored %d beats, the detector finds %d, or others", len(got), len(want))
			}
			accepted, rejected := 0, 0
			for _, b := range want {
				switch {
				case b.Flags.Accepted():
					accepted++
				case b.Flags.Rejected():
					rejected++
				}
			}
			// Every beat lies in a closed epoch, the last ones too.
			if sums := window(t, st); sums.N != uint64(accepted) || sums.REJ != uint64(rejected) {
				t.Errorf("closed epochs hold N %d, REJ %d, want %d, %d", sums.N, sums.REJ, accepted, rejected)
			}
			if sums := window(t, st); sums.OBS < 1700 || sums.OBS > 1806 {
				t.Errorf("observed seconds = %d of a record of 1805 s", sums.OBS)
			}
		})
	}
}

func TestImportAgainChangesNothing(t *testing.T) {
	st, src := openStore(t), wfdbSourceOf(t, "100")
	collect(t, st, src)
	beats, sums := stored(t, st), window(t, st)
	state, _ := st.State(patient)
	for range 2 {
		collect(t, st, src)
	}
	if got := stored(t, st); !slices.Equal(got, beats) || window(t, st) != sums {
		t.Errorf("after importing again: %d beats, want %d", len(got), len(beats))
	}
	if again, _ := st.State(patient); string(again) != string(state) {
		t.Errorf("state = %s, want %s", again, state)
	}
}

// TestImportIsRecognised: by its content and place, not by its name.
func TestImportIsRecognised(t *testing.T) {
	file := rrFile(t, 100)
	run := func(src config.Source, state []byte) (batches int, last []byte) {
		err := (&rrSource{cfg: src}).Run(t.Context(), state, func(b store.PatientBatch) error {
			batches, last = batches+1, b.State
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return batches, last
	}
	_, state := run(rrSourceOf(file), nil)
	if n, _ := run(rrSourceOf(file), state); n != 0 {
		t.Errorf("the same list again: %d batches, want 0", n)
	}
	later := rrSourceOf(file)
	later.Start = later.Start.Add(time.Hour)
	if n, _ := run(later, state); n != 1 {
		t.Errorf("the same list at another time: %d batches, want 1", n)
	}
	if n, _ := run(rrSourceOf(rrFile(t, 101)), state); n != 1 {
		t.Errorf("another list: %d batches, want 1", n)
	}
}

// rrFile writes a list of n intervals that vary, all accepted.
func rrFile(t testing.TB, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("time_ms,rr_ms\n")
	at := int64(0)
	for i := range n {
		rr := int64(700 + 13*abs(i%58-29))
		at += rr
		fmt.Fprintf(&b, "%d,%d\n", at, rr)
	}
	file := filepath.Join(t.TempDir(), "beats.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func abs(x int) int { return max(x, -x) }

func rrSourceOf(file string) config.Source {
	return config.Source{Kind: config.SourceRR, File: file, Start: listStart}
}

// sumsOf adds a list by the rules of package stat alone.
func sumsOf(t testing.TB, src config.Source) (want stat.Totals) {
	t.Helper()
	prev := int32(0)
	err := wfdb.RRBeats(src.File, src.Start.UnixMicro(), func(b ecg.Beat) error {
		switch {
		case b.Flags.Accepted():
			want.Accept(b.RR, prev)
			prev = b.RR
			return nil
		case b.Flags.Rejected():
			want.Reject()
		}
		prev = 0
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func TestListIsStoredExactly(t *testing.T) {
	st, src := openStore(t), rrSourceOf(rrFile(t, 5000))
	collect(t, st, src)
	got, want := window(t, st), sumsOf(t, src)
	if got.OBS = 0; got != want {
		t.Errorf("sums = %+v, want %+v", got, want)
	}
	if want.N != 5000 {
		t.Errorf("N = %d of 5000 rows, want all", want.N)
	}
}

// TestCutOffImportGoesOn: the process dies after the first batch of a long
// list; its successor ends with the same store as one that never died.
func TestCutOffImportGoesOn(t *testing.T) {
	src := rrSourceOf(rrFile(t, bulkBeats+5000))
	whole, cut := openStore(t), openStore(t)
	collect(t, whole, src)

	killed := errors.New("killed")
	n := 0
	err := (&rrSource{cfg: src}).Run(t.Context(), nil, func(b store.PatientBatch) error {
		if n++; n > 1 {
			return killed
		}
		_, err := cut.Append(store.Batch{patient: b})
		return err
	})
	if !errors.Is(err, killed) {
		t.Fatalf("Run = %v, want %v", err, killed)
	}
	if closed, _ := cut.ClosedThrough(patient); closed != 0 {
		t.Errorf("epochs closed through %d in the middle of an import, want none", closed)
	}
	collect(t, cut, src)
	if got, want := stored(t, cut), stored(t, whole); !slices.Equal(got, want) {
		t.Errorf("stored %d beats, want %d", len(got), len(want))
	}
	if got, want := window(t, cut), window(t, whole); got != want {
		t.Errorf("sums = %+v, want %+v", got, want)
	}
}

// TestBadListFailsThePatchOnly: the line is named, its text is not, because it
// is a heartbeat and errors are logged.
func TestBadListFailsThePatchOnly(t *testing.T) {
	for _, line := range []string{"1000,987.65", "98765,812,", "98765", "0,98765"} {
		file := filepath.Join(t.TempDir(), "beats.csv")
		if err := os.WriteFile(file, []byte("time_ms,rr_ms\n500,800\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		src := rrSourceOf(file)
		c := collect(t, openStore(t), src)
		if got := c.stateOf(patient); got != patchFailed {
			t.Errorf("%s: patch is %v, want failed", line, got)
		}
		err := (&rrSource{cfg: src}).Run(t.Context(), nil, func(store.PatientBatch) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "line 3") || strings.Contains(err.Error(), "987") {
			t.Errorf("%s: error %v, want the line and not its text", line, err)
		}
	}
}

func TestStateOfAnotherSourceIsNone(t *testing.T) {
	s := sourceState{Kind: config.SourceRR, Digest: "ab", Done: true}
	if got, err := readState(config.SourceWFDB, s.bytes()); err != nil || got != (sourceState{}) {
		t.Errorf("readState = %+v, %v, want none", got, err)
	}
	if got, err := readState(config.SourceRR, s.bytes()); err != nil || got != s {
		t.Errorf("readState = %+v, %v, want %+v", got, err, s)
	}
	for _, bad := range []string{"{", `{"kind":"rr","more":1}`, `[]`, `{"kind":"rr"} {}`} {
		if _, err := readState(config.SourceRR, []byte(bad)); err == nil {
			t.Errorf("readState(%s) = nil error, want a refusal", bad)
		}
	}
}
