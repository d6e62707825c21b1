package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statnet/chain/record"
	"statnet/config"
	"statnet/ecg"
	"statnet/store"
)

func TestSecondsBecomeSegments(t *testing.T) {
	const s = microsPerSecond
	tests := []struct {
		name    string
		seconds []int64 // starts, Unix microseconds
		want    []store.Segment
	}{
		{"none", nil, nil},
		{"one", []int64{5 * s}, []store.Segment{{From: 5 * s, To: 6 * s}}},
		{"three in a row", []int64{5 * s, 6 * s, 7 * s}, []store.Segment{{From: 5 * s, To: 8 * s}}},
		{"rounded starts", []int64{5*s + 1, 6*s - 1, 7*s + 2}, []store.Segment{{From: 5*s + 1, To: 8*s + 1}}},
		{"one without signal between", []int64{5 * s, 7 * s}, []store.Segment{{From: 5 * s, To: 6 * s}, {From: 7 * s, To: 8 * s}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var g gather
			for _, at := range tt.seconds {
				g.second(at)
			}
			if got := fmt.Sprint(g.segments); got != fmt.Sprint(tt.want) {
				t.Errorf("segments = %v, want %v", got, tt.want)
			}
		})
	}
}

// TestGrowingSegmentKeepsItsStart: whole seconds are counted from a segment's
// start, so its later report must begin where the first one did.
func TestGrowingSegmentKeepsItsStart(t *testing.T) {
	var g gather
	g.interval(ecg.Beat{At: 10_000_000, Flags: ecg.First})
	g.interval(ecg.Beat{At: 10_800_000, RR: 800})
	first := g.take(0, nil, true)
	g.interval(ecg.Beat{At: 11_600_000, RR: 800})
	second := g.take(0, nil, false)
	if a, b := first.Segments[0], second.Segments[0]; a.From != b.From || b.To != 11_600_000 {
		t.Errorf("segments %v, then %v: want one that grows", a, b)
	}
	if len(second.Beats) != 1 {
		t.Errorf("second batch has %d beats, want 1", len(second.Beats))
	}
	if len(g.beats)+len(g.segments) != 0 {
		t.Error("something is left")
	}
}

func TestClosing(t *testing.T) {
	const e = microsPerEpoch
	tests := []struct{ us, want int64 }{
		{e, e}, {e + 1, 2 * e}, {2*e - 1, 2 * e}, {2 * e, 2 * e},
	}
	for _, tt := range tests {
		if got := closing(tt.us) - microsPerSecond; got != tt.want {
			t.Errorf("closing(%d) = %d, want %d", tt.us, got, tt.want)
		}
	}
}

// script is a source that delivers given batches.
type script []store.PatientBatch

func (s script) Run(ctx context.Context, _ []byte, put func(store.PatientBatch) error) error {
	for _, b := range s {
		if err := put(b); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestImpossibleTimesFailThePatchOnly(t *testing.T) {
	for _, b := range []store.PatientBatch{
		{Beats: []ecg.Beat{{At: 0}}},
		{Beats: []ecg.Beat{{At: 1}, {At: latest}}},
		{Until: latest},
	} {
		synctest.Test(t, func(t *testing.T) {
			mem := newMemory()
			c, err := newCollector(nil, mem, mem, time.Now, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.runPatch(t.Context(), patch{config.Patch{ID: "a", Patient: patient}, script{b}}); err != nil {
				t.Errorf("runPatch = %v, want nil: the other patches go on", err)
			}
			if c.stateOf(patient) != patchFailed || mem.count("Add") != 0 {
				t.Errorf("patch is %v, %d batches stored, want failed and 0", c.stateOf(patient), mem.count("Add"))
			}
		})
	}
}

func TestLateBeatsAreReported(t *testing.T) {
	mem, logs := newMemory(), &bytes.Buffer{}
	c, err := newCollector(nil, mem, mem, time.Now, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	mem.calls = []string{"late", "late"}
	for range 2 {
		if _, err := c.flush(); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(logs.String(), "their epoch was closed"); got != 1 || !strings.Contains(logs.String(), "count=2") {
		t.Errorf("log = %q, want one line about 2 beats", logs.String())
	}
}

// TestWindowOfALivePatchIsAwaited: an answer rests on closed epochs only; one
// that is due in a few seconds is waited for, one that is not is declined.
func TestWindowOfALivePatchIsAwaited(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration // until the patch passes the window's end
		want  record.AnswerOutcome
	}{
		{"in the buffer", 0, record.Answered},
		{"in 5 s", 5 * time.Second, record.Answered},
		{"not in time", time.Hour, record.DeclinedNoData},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var to int64
				w := newWorld(t, func(w *world, _ *Config, q *record.Query) {
					to = int64(q.To)
					w.mem.closed[patient] = to/300 - 1
				})
				w.collector.state[patient] = patchRunning
				time.AfterFunc(tt.after, func() {
					_ = w.mem.Add(store.Batch{patient: {Until: to*microsPerSecond + microsPerSecond}})
				})
				synctest.Wait()
				if err := w.answer(t.Context(), w.task()); err != nil {
					t.Fatalf("answer: %v", err)
				}
				if a := w.registered(); a == nil || a.Outcome != tt.want {
					t.Errorf("registered = %+v, want outcome %d", a, tt.want)
				}
			})
		})
	}
}

// TestEndedPatchIsNotAwaited: a record that ended before the window did has
// nothing more to say.
func TestEndedPatchIsNotAwaited(t *testing.T) {
	w := newWorld(t, func(w *world, _ *Config, q *record.Query) { w.mem.closed[patient] = int64(q.To)/300 - 6 })
	if err := w.answer(t.Context(), w.task()); err != nil {
		t.Fatalf("answer: %v", err)
	}
	if a := w.registered(); a == nil || a.Outcome != record.Answered || len(a.Parts[0].Patients) != 2 {
		t.Errorf("registered = %+v, want both patients", a)
	}
}

func TestResumeFailureEndsTheGateway(t *testing.T) {
	mem := newMemory()
	mem.fail["State"] = store.ErrDamaged
	c, err := newCollector([]config.Patch{{ID: "a", Patient: patient, Source: config.Source{Kind: config.SourceSynth, RateHz: 250, Live: true}}},
		mem, mem, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.run(t.Context()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("run = %v, want %v", err, store.ErrDamaged)
	}
}

func FuzzSourceState(f *testing.F) {
	f.Add(sourceState{Kind: config.SourceSynth, Until: 1_795_000_000_000_000, Run: 3, Live: true}.bytes())
	f.Add(sourceState{Kind: config.SourceSynth, Until: 5, Resume: &resume{Start: 1, Line: []byte{2}}}.bytes())
	f.Add([]byte(`{"kind":"rr"}{"kind":"rr"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readState(config.SourceSynth, b)
		if err != nil || s == (sourceState{}) {
			return
		}
		if again, err := readState(config.SourceSynth, s.bytes()); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("round trip of %+v = %+v, %v", s, again, err)
		}
	})
}
