package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/config"
	"statnet/ecg"
	"statnet/store"
)

// Beats is the part of the store that collecting needs.
type Beats interface {
	State(patient string) ([]byte, error)
	ClosedThrough(patient string) (int64, error)
	LastBeat(patient string) (b ecg.Beat, ok bool, err error)
}

// Buffer holds batches until the next flush. store.Buffer is the real one.
type Buffer interface {
	Add(store.Batch) error
	Flush() (store.Report, error)
	Total() store.Report // of all flushes so far
	Run(ctx context.Context) error
}

// collector runs one source a patch and has their beats stored.
type collector struct {
	store   Beats
	buffer  Buffer
	now     func() time.Time
	log     *slog.Logger
	patches []patch // set before run, read only afterwards

	caughtUp chan struct{} // closed when every import and history is stored

	mu     sync.Mutex
	state  map[string]patchState // by patient; guarded by mu
	behind map[string]bool       // patients whose import or history runs; guarded by mu
	late   int                   // late beats that were reported; guarded by mu
}

type patch struct {
	config.Patch
	source Source
}

// patchState is where a patch's source stands.
type patchState int

const (
	patchRunning patchState = iota
	patchEnded              // a finite source, completely stored
	patchFailed
)

func (s patchState) String() string { return [...]string{"running", "ended", "failed"}[s] }

func newCollector(patches []config.Patch, st Beats, buf Buffer, now func() time.Time, log *slog.Logger) (*collector, error) {
	c := &collector{store: st, buffer: buf, now: now, log: log, caughtUp: make(chan struct{}),
		state: map[string]patchState{}, behind: map[string]bool{}}
	var errs []error
	for _, p := range patches {
		if _, twice := c.state[p.Patient]; twice {
			// Two sources would count one heart twice, and neither could be
			// resumed: a patient has one state.
			errs = append(errs, &SourceError{Patch: p.ID, Reason: "its patient already has a patch; one patch a patient"})
			continue
		}
		src, err := newSource(p, now, log)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.state[p.Patient], c.behind[p.Patient] = patchRunning, true
		c.patches = append(c.patches, patch{p, src})
	}
	if len(c.patches) == 0 {
		close(c.caughtUp)
	}
	return c, errors.Join(errs...)
}

// run delivers until ctx is cancelled, then flushes. A patch that fails is
// reported and left out; a store that fails ends the gateway.
func (c *collector) run(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return c.buffer.Run(ctx) })
	for _, p := range c.patches {
		eg.Go(func() error { return c.runPatch(ctx, p) })
	}
	err := eg.Wait()
	// The buffer's own last flush may have come before a source's last batch.
	if _, ferr := c.flush(); ferr != nil {
		return ferr
	}
	return err
}

// runPatch ends with an error only if the store failed.
func (c *collector) runPatch(ctx context.Context, p patch) error {
	state, err := c.store.State(p.Patient)
	if err != nil && !errors.Is(err, store.ErrPatient) {
		return fmt.Errorf("resume patch %s: %w", p.ID, err)
	}
	var broken error
	start := c.now().UnixMicro()
	err = p.source.Run(ctx, state, func(b store.PatientBatch) error {
		if err := checkTimes(b); err != nil {
			return err
		}
		broken = c.buffer.Add(store.Batch{p.Patient: b})
		if broken == nil && b.Until+2*detectorDelay.Microseconds() >= start {
			broken = c.arrived(p.Patient) // the history is complete
		}
		return broken
	})
	switch {
	case broken != nil:
		return fmt.Errorf("store beats of patch %s: %w", p.ID, broken)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		c.log.Error("patch failed", "patch", p.ID, "kind", p.Source.Kind, "err", err)
		c.set(p.Patient, patchFailed)
		return c.arrived(p.Patient)
	}
	// A source that ended is a bulk import: it is stored now, not in a minute.
	if _, err := c.flush(); err != nil {
		return err
	}
	c.set(p.Patient, patchEnded)
	c.log.Info("patch complete", "patch", p.ID, "kind", p.Source.Kind)
	return c.arrived(p.Patient)
}

// arrived notes that a patch has delivered what lies before now, and stores it
// when it was the last one.
func (c *collector) arrived(patient string) error {
	c.mu.Lock()
	last := c.behind[patient] && len(c.behind) == 1
	delete(c.behind, patient)
	c.mu.Unlock()
	if !last {
		return nil
	}
	_, err := c.flush()
	close(c.caughtUp)
	return err
}

func (c *collector) flush() (store.Report, error) {
	r, err := c.buffer.Flush()
	if err != nil {
		return r, fmt.Errorf("flush beats: %w", err)
	}
	c.log.Debug("flushed", "stored", r.Stored, "duplicate", r.Duplicate)
	late := c.buffer.Total().Late // the buffer flushes by itself, too
	c.mu.Lock()
	defer c.mu.Unlock()
	if late > c.late {
		c.log.Warn("beats refused: their epoch was closed before they came", "count", late-c.late)
	}
	c.late = late
	return r, nil
}

// latest is the end of the ledger's epochs, in the year 2129.
const latest = int64(microsPerEpoch) << 24

// checkTimes refuses what the store cannot hold, while it is still known which
// patch it came from. Beats of a batch rise.
func checkTimes(b store.PatientBatch) error {
	n := len(b.Beats)
	if n > 0 && (b.Beats[0].At <= 0 || b.Beats[n-1].At >= latest) || b.Until >= latest {
		return errors.New("heartbeats lie outside the years 1970 to 2129: see start; without it an RR list has absolute times")
	}
	return nil
}

func (c *collector) set(patient string, s patchState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state[patient] = s
}

// stateOf tells where a patient's source stands; a patient without a patch has
// ended: nothing more will come.
func (c *collector) stateOf(patient string) patchState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.state[patient]; ok {
		return s
	}
	return patchEnded
}

// describe is stateOf for people.
func (c *collector) describe(patient string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.state[patient]; ok {
		return s.String()
	}
	return "none"
}
