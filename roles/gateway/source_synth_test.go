package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"statnet/config"
	"statnet/ecg"
	"statnet/store"
)

func TestSynthHistoryIsWholeEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		src := synthOf(config.Source{RateHz: 250, History: config.Duration(15 * time.Minute)})
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
		src := synthOf(config.Source{RateHz: 250, Live: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- src.Run(ctx, nil, mem.put(patient)) }()
		start := time.Now()
		end := start.Truncate(5 * time.Minute).Add(5 * time.Minute) // of the first epoch
		time.Sleep(end.Sub(start) + 10*time.Second)
		synctest.Wait()
		if got, _ := mem.ClosedThrough(patient); got >= end.Unix()/300 {
			t.Errorf("closed through %d, 10 s after its end: a beat may still come", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got, _ := mem.ClosedThrough(patient); got != end.Unix()/300 {
			t.Errorf("closed through %d, want %d, 20 s after its end", got, end.Unix()/300)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want cancelled", err)
		}
	})
}

// TestRestartRepeatsNothing: two runs with a pause that is too long to catch up
// give rising beats, a gap for the pause and no interval across it.
func TestRestartRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemory()
		run := func(d time.Duration) {
			src := synthOf(config.Source{RateHz: 250, Live: true, History: config.Duration(5 * time.Minute)})
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := src.Run(ctx, mem.state[patient], mem.put(patient)); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Run = %v", err)
			}
		}
		run(90 * time.Second)
		first := len(mem.beats[patient])
		time.Sleep(25 * time.Hour)
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
		if len(gaps) != 1 || gaps[0].Cause != "restart" || gaps[0].To-gaps[0].From < 25*3600*microsPerSecond {
			t.Errorf("gaps = %+v, want the 25 hours", gaps)
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
		var jumped atomic.Int64
		src := synthOf(config.Source{RateHz: 250, Live: true})
		src.now = func() time.Time { return time.Now().Add(time.Duration(jumped.Load())) }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- src.Run(ctx, nil, mem.put(patient)) }()
		time.Sleep(30*time.Second + time.Millisecond)
		jumped.Store(int64(time.Hour))
		time.Sleep(30 * time.Second)
		jumped.Store(-int64(time.Hour)) // and back: nothing until the clock has caught up
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
