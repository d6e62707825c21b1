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
	"testing/synctest"
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
	if want.N != 4999 { // the first row's interval ends no known beat
		t.Errorf("N = %d of 5000 rows, want 4999", want.N)
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

func TestSynthHistoryIsWholeEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		src := &synthSource{cfg: config.Source{RateHz: 250, History: config.Duration(15 * time.Minute)}, now: time.Now}
		if err := src.Run(t.Context(), nil, mem.put(patient)); err != nil {
			t.Fatal(err)
		}
		now := time.Now().UnixMicro()
		from := (now - 15*60*microsPerSecond) / microsPerEpoch * microsPerEpoch
		if got := mem.segs[patient][0].From; got != from {
			t.Errorf("history begins at %d, want %d: on an epoch", got, from)
		}
		if got, want := mem.closed[patient], (now+microsPerEpoch-1)/microsPerEpoch; got != want {
			t.Errorf("closed through %d, want %d: the epoch in which it ends", got, want)
		}
		if n := len(mem.beats[patient]); n < 900 || n > 1300 {
			t.Errorf("beats in 15 minutes = %d", n)
		}
		before := len(mem.beats[patient])
		if err := src.Run(t.Context(), mem.state[patient], mem.put(patient)); err != nil || len(mem.beats[patient]) != before {
			t.Errorf("run again: %v, %d beats, want %d", err, len(mem.beats[patient]), before)
		}
	})
}

// put commits batches at once.
func (m *memory) put(patient string) func(store.PatientBatch) error {
	return func(b store.PatientBatch) error {
		if err := m.Add(store.Batch{patient: b}); err != nil {
			return err
		}
		_, err := m.Flush()
		return err
	}
}

func TestLivePatchClosesEpochsBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		src := &synthSource{cfg: config.Source{RateHz: 250, Live: true}, now: time.Now}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- src.Run(ctx, nil, mem.put(patient)) }()
		start := time.Now()
		end := start.Truncate(5 * time.Minute).Add(5 * time.Minute) // of the first epoch
		time.Sleep(end.Sub(start) + 10*time.Second)
		synctest.Wait()
		if got := mem.closed[patient]; got >= end.Unix()/300 {
			t.Errorf("closed through %d, 10 s after its end: a beat may still come", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got, want := mem.closed[patient], end.Unix()/300; got != want {
			t.Errorf("closed through %d, want %d, 20 s after its end", got, want)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want cancelled", err)
		}
	})
}

// TestRestartRepeatsNothing: two runs with a pause give rising beats, a gap for
// the pause and no interval across it.
func TestRestartRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		run := func(d time.Duration) {
			src := &synthSource{cfg: config.Source{RateHz: 250, Live: true, History: config.Duration(5 * time.Minute)}, now: time.Now}
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := src.Run(ctx, mem.state[patient], mem.put(patient)); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Run = %v", err)
			}
		}
		run(90 * time.Second)
		first := len(mem.beats[patient])
		time.Sleep(10 * time.Minute)
		run(90 * time.Second)
		beats := mem.beats[patient]
		if len(beats) < first+60 {
			t.Fatalf("beats = %d, then %d", first, len(beats))
		}
		for i := 1; i < len(beats); i++ {
			if beats[i].At <= beats[i-1].At {
				t.Fatalf("beat %d at %d after %d", i, beats[i].At, beats[i-1].At)
			}
		}
		if beats[first].Flags&ecg.First == 0 {
			t.Error("the first beat after the restart has an interval")
		}
		gaps := mem.gaps[patient]
		if len(gaps) != 1 || gaps[0].Cause != "restart" || gaps[0].To-gaps[0].From < 600*microsPerSecond {
			t.Errorf("gaps = %+v, want the 10 minutes", gaps)
		}
		segs := mem.segs[patient]
		if last := segs[len(segs)-1]; last.From < gaps[0].To {
			t.Errorf("observed from %d, inside the gap that ends at %d", last.From, gaps[0].To)
		}
	})
}

// TestClockJumpIsAGap: a Raspberry Pi learns the time an hour late.
func TestClockJumpIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		jumped := time.Duration(0)
		src := &synthSource{cfg: config.Source{RateHz: 250, Live: true}, now: func() time.Time { return time.Now().Add(jumped) }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- src.Run(ctx, nil, mem.put(patient)) }()
		time.Sleep(30*time.Second + time.Millisecond)
		jumped = time.Hour
		time.Sleep(30 * time.Second)
		jumped = -time.Hour // and back: nothing until the clock has caught up
		time.Sleep(30 * time.Second)
		cancel()
		<-done
		gaps := mem.gaps[patient]
		if len(gaps) != 1 || gaps[0].Cause != "clock" || gaps[0].To-gaps[0].From < 3500*microsPerSecond {
			t.Errorf("gaps = %+v, want one of an hour", gaps)
		}
		if n := len(mem.beats[patient]); n < 50 || n > 90 {
			t.Errorf("beats = %d in a minute of signal", n)
		}
	})
}

func TestStateOfAnotherSourceIsNone(t *testing.T) {
	s := sourceState{Kind: config.SourceRR, Digest: "ab", Done: true}
	if got, err := readState(config.SourceWFDB, s.bytes()); err != nil || got != (sourceState{}) {
		t.Errorf("readState = %+v, %v, want none", got, err)
	}
	if got, err := readState(config.SourceRR, s.bytes()); err != nil || got != s {
		t.Errorf("readState = %+v, %v, want %+v", got, err, s)
	}
	for _, bad := range []string{"{", `{"kind":"rr","more":1}`, `[]`} {
		if _, err := readState(config.SourceRR, []byte(bad)); err == nil {
			t.Errorf("readState(%s) = nil error, want a refusal", bad)
		}
	}
}
