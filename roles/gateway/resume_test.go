package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"statnet/config"
	"statnet/ecg"
	"statnet/store"
)

// errKilled is what a disk says to a process that is no more.
var errKilled = errors.New("killed")

// disk is a store that outlives the processes of a test.
type disk struct {
	*store.Store
	path string
	dead atomic.Bool // nothing of the running process arrives any more
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.db")
	st, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &disk{Store: st, path: path}
}

// Append implements store.Appender.
func (d *disk) Append(b store.Batch) (store.Report, error) {
	if d.dead.Load() {
		return store.Report{}, errKilled
	}
	return d.Store.Append(b)
}

// live runs one process with one patch for a while. It is then told to stop,
// or killed: what it had not flushed is lost. It returns what was logged.
func (d *disk) live(t *testing.T, src config.Source, flush, lasts time.Duration, kill bool) string {
	t.Helper()
	var logs bytes.Buffer
	c, err := newCollector([]config.Patch{{ID: "patch-1", Patient: patient, Source: src}}, d,
		store.NewBuffer(d, flush), time.Now, slog.New(slog.NewTextHandler(&logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	d.dead.Store(false)
	go func() { done <- c.run(ctx) }()
	time.Sleep(lasts)
	d.dead.Store(kill)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, errKilled) {
		t.Fatalf("run = %v, want cancelled or killed", err)
	}
	return logs.String()
}

// cutHistory kills a process that has committed some minutes of history.
func (d *disk) cutHistory(t *testing.T, src config.Source, minutes int) {
	t.Helper()
	err := synthOf(src).Run(t.Context(), nil, func(b store.PatientBatch) error {
		if minutes--; minutes < 0 {
			return errKilled
		}
		_, err := d.Store.Append(store.Batch{patient: b})
		return err
	})
	if !errors.Is(err, errKilled) {
		t.Fatalf("Run = %v, want %v", err, errKilled)
	}
}

// rows closes the store and returns every row of it, in order: beats, segments,
// gaps, prefix sums, the watermark and the source's state.
func (d *disk) rows(t *testing.T) (rows []string) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(d.path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var walk func(name string, b *bolt.Bucket) error
	walk = func(name string, b *bolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			at := fmt.Sprintf("%s/%x", name, k)
			if v == nil {
				return walk(at, b.Bucket(k))
			}
			rows = append(rows, fmt.Sprintf("%s = %x", at, v))
			return nil
		})
	}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error { return walk(string(name), b) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// synthOf is a source of the clock, which logs nothing.
func synthOf(src config.Source) *synthSource {
	return &synthSource{cfg: src, now: time.Now, log: slog.New(slog.DiscardHandler)}
}

// committed is the source's state on disk.
func (d *disk) committed(t *testing.T) sourceState {
	t.Helper()
	b, err := d.State(patient)
	if err != nil {
		t.Fatal(err)
	}
	st, err := readState(config.SourceSynth, b)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// sameRows compares two stores bit by bit.
func sameRows(t *testing.T, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("row %d is %.200s, want %.200s", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
}

// TestRestartGoesOnBitIdentically: a gateway that is stopped and killed at
// random moments, in its history and live, ends with the very rows of one that
// never was: no beat lost, none twice, no gap.
func TestRestartGoesOnBitIdentically(t *testing.T) {
	const whole = 16*time.Minute + 500*time.Millisecond
	for i, rhythm := range []string{"sinus", "pvc", "drop"} {
		t.Run(rhythm, func(t *testing.T) {
			src := config.Source{Kind: config.SourceSynth, RateHz: 100, Rhythm: rhythm, Seed: 7, Live: true, History: config.Duration(4 * time.Minute)}
			if rhythm == "sinus" {
				src.RateHz = 128 // its samples lie between microseconds
			}
			var want []string
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				d.live(t, src, time.Minute, whole, false)
				want = d.rows(t)
			})
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(i), 0))
				some := func(most time.Duration) time.Duration { return time.Duration(r.Int64N(int64(most))) }
				d, end, kills := newDisk(t), time.Now().Add(whole), 0
				d.cutHistory(t, src, 1+r.IntN(4))
				for time.Until(end) > 6*time.Minute {
					kill := r.IntN(3) > 0
					d.live(t, src, time.Minute, some(3*time.Minute), kill)
					time.Sleep(some(2 * time.Minute))
					if kill {
						kills++
					}
				}
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the same ticks again
				if logs := d.live(t, src, time.Minute, time.Until(end), false); logs != "" {
					t.Errorf("log = %s, want nothing", logs)
				}
				sameRows(t, d.rows(t), want)
				if kills == 0 {
					t.Error("never killed: the seed tests nothing")
				}
			})
		})
	}
}

// TestCatchingUpTakesItsTime: while it plays what it missed, time goes on; that
// is no gap either.
func TestCatchingUpTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		run := func(lasts, chunk time.Duration) {
			src := synthOf(config.Source{RateHz: 100, Live: true})
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			put := mem.put(patient)
			err := src.Run(ctx, mem.state[patient], func(b store.PatientBatch) error {
				time.Sleep(chunk)
				return put(b)
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Run = %v", err)
			}
		}
		run(time.Minute, 0)
		time.Sleep(time.Hour)
		run(10*time.Minute, 3*time.Second) // three minutes for the hour
		if gaps := mem.gaps[patient]; len(gaps) != 0 {
			t.Errorf("gaps = %+v, want none", gaps)
		}
		if n := len(mem.segs[patient]); mem.segs[patient][0].From != mem.segs[patient][n-1].From {
			t.Errorf("observed from %d, later from %d: want one segment", mem.segs[patient][0].From, mem.segs[patient][n-1].From)
		}
	})
}

// TestRestartAfterAClockJump: the clock's gap moved the line and not the heart;
// both are found again.
func TestRestartAfterAClockJump(t *testing.T) {
	run := func(t *testing.T, restart bool) (beats []ecg.Beat, gaps []store.Gap) {
		synctest.Test(t, func(t *testing.T) {
			var jumped atomic.Int64
			mem := newMemory()
			live := func(lasts time.Duration) {
				src := synthOf(config.Source{RateHz: 128, Live: true})
				src.now = func() time.Time { return time.Now().Add(time.Duration(jumped.Load())) }
				ctx, cancel := context.WithTimeout(t.Context(), lasts)
				defer cancel()
				time.AfterFunc(20*time.Second+time.Millisecond, func() { jumped.Store(int64(time.Hour)) })
				if err := src.Run(ctx, mem.state[patient], mem.put(patient)); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("Run = %v", err)
				}
			}
			if restart {
				live(40 * time.Second)
				live(39*time.Second + time.Millisecond)
			} else {
				live(79*time.Second + time.Millisecond)
			}
			beats, gaps = mem.beats[patient], mem.gaps[patient]
		})
		return beats, gaps
	}
	beats, gaps := run(t, true)
	wantBeats, wantGaps := run(t, false)
	if !slices.Equal(gaps, wantGaps) || len(gaps) != 1 || gaps[0].Cause != "clock" {
		t.Errorf("gaps = %v, want %v", gaps, wantGaps)
	}
	if !slices.Equal(beats, wantBeats) || len(beats) < 60 {
		t.Errorf("%d beats, want the %d of one process", len(beats), len(wantBeats))
	}
}

// TestStateOfAnotherHeartIsRefused: what cannot be gone on from leaves a gap and
// begins a segment, and somebody is told.
func TestStateOfAnotherHeartIsRefused(t *testing.T) {
	sinus := config.Source{Kind: config.SourceSynth, RateHz: 100, Rhythm: "sinus", Seed: 1, Live: true}
	later := func(change func(*config.Source)) config.Source { s := sinus; change(&s); return s }
	edit := func(change func(*resume)) func(*sourceState) {
		return func(s *sourceState) { change(s.Resume) }
	}
	tests := []struct {
		name   string
		off    time.Duration // between the two processes
		src    config.Source // of the second
		change func(*sourceState)
		log    string // "" for going on
	}{
		{"the same", time.Minute, sinus, nil, ""},
		{"after more than a day", 24*time.Hour + time.Second, sinus, nil, "24h0m0s"},
		{"another rate", time.Minute, later(func(s *config.Source) { s.RateHz = 125 }), nil, "another configuration"},
		{"another seed", time.Minute, later(func(s *config.Source) { s.Seed = 2 }), nil, "another configuration"},
		{"another rhythm", time.Minute, later(func(s *config.Source) { s.Rhythm = "af" }), nil, "another configuration"},
		{"another version of the generator", time.Minute, sinus, edit(func(r *resume) { r.Generator[0]++ }), "version"},
		{"another version of the detector", time.Minute, sinus, edit(func(r *resume) { r.Line[0]++ }), "version"},
		{"another tuning", time.Minute, sinus, edit(func(r *resume) { r.Line = tuned(t, r) }), "another configuration"},
		{"a damaged detector", time.Minute, sinus, edit(func(r *resume) { r.Line[500] ^= 1 }), "checksum"},
		{"a damaged generator", time.Minute, sinus, edit(func(r *resume) { r.Generator[20] ^= 1 }), "checksum"},
		{"another start", time.Minute, sinus, edit(func(r *resume) { r.Start++ }), "starts at"},
		{"a sample too many", time.Minute, sinus, edit(func(r *resume) { r.Samples++ }), "position"},
		{"a count below zero", time.Minute, sinus, edit(func(r *resume) { r.Samples = -1 }), "position"},
		{"an impossible segment", time.Minute, sinus, edit(func(r *resume) { r.Growing.To = r.Growing.From - 1 }), "segment"},
		{"of a version without one", time.Minute, sinus, func(s *sourceState) { s.Resume = nil }, "no position"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				d.live(t, sinus, time.Minute, 20*time.Second, false)
				first, st := stored(t, d.Store), d.committed(t)
				if tt.change != nil {
					tt.change(&st)
					if _, err := d.Append(store.Batch{patient: {State: st.bytes()}}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(tt.off)
				logs := d.live(t, tt.src, time.Minute, 20*time.Second, false)
				now := time.Now().Unix() / 300
				if err := d.CloseEpochs(patient, now+1); err != nil {
					t.Fatal(err)
				}
				cover, err := d.Coverage(patient, now-300, now+1)
				if err != nil {
					t.Fatal(err)
				}
				beats := stored(t, d.Store)
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				if tt.log == "" {
					if len(cover.Gaps) != 0 || logs != "" {
						t.Errorf("gaps %v, log %q, want none", cover.Gaps, logs)
					}
					return
				}
				if !strings.Contains(logs, tt.log) || !strings.Contains(logs, "patch=patch-1") {
					t.Errorf("log = %q, want %q", logs, tt.log)
				}
				if len(cover.Gaps) != 1 || cover.Gaps[0].Cause != "restart" || cover.Gaps[0].From != st.Until {
					t.Errorf("gaps = %v, want one of cause restart from %d", cover.Gaps, st.Until)
				}
				if len(beats) < len(first)+10 || beats[len(first)].Flags&ecg.First == 0 {
					t.Errorf("%d beats, then %d: want a new segment", len(first), len(beats))
				}
			})
		})
	}
}

// tuned is the state of a detector with the papers' constants.
func tuned(t *testing.T, r *resume) []byte {
	t.Helper()
	line, err := ecg.NewLine(ecg.Config{RateMilliHz: 100_000, NanovoltPerCount: synthNanovolt}, r.Start)
	if err != nil {
		t.Fatal(err)
	}
	b, err := line.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCatchUpIsBounded: up to a day for a live patch. A history may be longer.
func TestCatchUpIsBounded(t *testing.T) {
	const day = 24 * 3600 * microsPerSecond
	synctest.Test(t, func(t *testing.T) {
		src := synthOf(config.Source{RateHz: 100, Live: true})
		p, err := src.begin(sourceState{}, time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.batch(0)
		if err != nil {
			t.Fatal(err)
		}
		live, err := readState(config.SourceSynth, b.State)
		if err != nil {
			t.Fatal(err)
		}
		history := live
		history.Live = false
		for _, tt := range []struct {
			name string
			st   sourceState
			off  int64 // microseconds
			want bool
		}{
			{"a day", live, day, true},
			{"more than a day", live, day + 1, false},
			{"a clock that went back", live, -day, true},
			{"a history of a week", history, 7 * day, true},
		} {
			if _, err := src.resume(tt.st, tt.st.Until+tt.off); (err == nil) != tt.want {
				t.Errorf("%s: %v, want going on: %v", tt.name, err, tt.want)
			}
		}
	})
}
