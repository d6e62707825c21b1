package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"statnet/config"
	"statnet/ecg"
	"statnet/ecg/wfdb"
	"statnet/store"
)

// bulkBeats is the number of beats in one batch of an import. Batches end at
// the same beats in every run, so a repeated import repeats whole batches.
const bulkBeats = 1 << 16

// wfdbSource replays a PhysioNet record at once: its beats are exactly those of
// `statnet ecg detect` of the same signal.
type wfdbSource struct{ cfg config.Source }

// Run implements Source.
func (s *wfdbSource) Run(ctx context.Context, state []byte, put func(store.PatientBatch) error) error {
	rec, err := wfdb.Open(s.cfg.File)
	if err != nil {
		return fmt.Errorf("open record: %w", err)
	}
	counts, err := rec.Counts(s.cfg.Signal)
	if err != nil {
		return fmt.Errorf("read signal: %w", err)
	}
	startUs := s.cfg.Start.UnixMicro()
	h := sha256.New()
	fmt.Fprintf(h, "wfdb %d %d %+v\n", startUs, rec.RateMilliHz, rec.Signals[s.cfg.Signal])
	if err := binary.Write(h, binary.LittleEndian, counts); err != nil {
		return fmt.Errorf("hash signal: %w", err)
	}
	im := importer{ctx: ctx, put: put, state: sourceState{Kind: config.SourceWFDB, Digest: hex.EncodeToString(h.Sum(nil))}}
	if done, err := im.known(state); done || err != nil {
		return err
	}
	sink := im.g.sink("missing")
	sink.Beat = func(_ ecg.Peak, b ecg.Beat) error {
		im.g.beats = append(im.g.beats, b)
		return im.full()
	}
	if err := rec.Beats(s.cfg.Signal, startUs, ecg.DefaultTuning(), sink); err != nil {
		return fmt.Errorf("find beats: %w", err)
	}
	seconds := int64(len(counts)) * microsPerSecond * 1000 / rec.RateMilliHz
	return im.finish(startUs + seconds)
}

// rrSource reads a list of intervals at once. Such beats never saw the
// detector; they are judged by the same rules.
type rrSource struct{ cfg config.Source }

// Run implements Source.
func (s *rrSource) Run(ctx context.Context, state []byte, put func(store.PatientBatch) error) error {
	digest, err := fileDigest(s.cfg.File, s.cfg.Start)
	if err != nil {
		return fmt.Errorf("read RR list: %w", err)
	}
	im := importer{ctx: ctx, put: put, state: sourceState{Kind: config.SourceRR, Digest: digest}}
	if done, err := im.known(state); done || err != nil {
		return err
	}
	var startUs, last int64
	if !s.cfg.Start.IsZero() {
		startUs = s.cfg.Start.UnixMicro()
	}
	var ours error // as opposed to the reader's
	err = wfdb.RRBeats(s.cfg.File, startUs, func(b ecg.Beat) error {
		im.g.interval(b)
		last = b.At
		ours = im.full()
		return ours
	})
	switch {
	case ours != nil:
		return ours
	case err != nil:
		return listError(err)
	}
	return im.finish(last + 1)
}

var lineNumber = regexp.MustCompile(`line \d+`)

// listError keeps the number of a wrong line and drops its text, which the
// reader quotes: it is a patient's heartbeat, and this error will be logged.
func listError(err error) error {
	where := lineNumber.FindString(err.Error())
	if where == "" {
		where = "the file"
	}
	return fmt.Errorf("read RR list: %s is not as in `time_ms,rr_ms`, whole milliseconds, times rising (its text is not shown)", where)
}

// fileDigest identifies a list by its bytes and the time it is placed at.
func fileDigest(path string, start time.Time) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintf(h, "rr %v\n", start.UTC())
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// importer delivers a finite source in batches and marks its end.
type importer struct {
	ctx   context.Context // of the Run that owns the importer
	put   func(store.PatientBatch) error
	state sourceState
	g     gather
}

// known reports whether exactly this import is complete in the store.
func (im *importer) known(state []byte) (bool, error) {
	old, err := readState(im.state.Kind, state)
	if err != nil {
		return false, err
	}
	return old.Done && old.Digest == im.state.Digest, nil
}

// full puts a batch once enough beats wait. A batch that is not the last closes
// no epoch: beats of one epoch may lie on both sides of its border.
func (im *importer) full() error {
	if len(im.g.beats) < bulkBeats {
		return nil
	}
	if err := im.ctx.Err(); err != nil {
		return err
	}
	return im.put(im.g.take(0, im.state.bytes(), true))
}

// finish puts the rest and closes every epoch through the one that holds endUs,
// so that each beat lies in a closed epoch.
func (im *importer) finish(endUs int64) error {
	im.state.Done, im.state.Until = true, endUs
	return im.put(im.g.take(closing(endUs), im.state.bytes(), false))
}
