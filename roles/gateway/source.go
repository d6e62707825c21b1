package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"statnet/config"
	"statnet/store"
)

// Source delivers the heartbeats of one patch.
type Source interface {
	// Run delivers until the source ends (nil), ctx is cancelled (its error) or
	// it cannot go on. state is what the last committed batch carried, nil at
	// first. Everything before a batch's Until has been delivered, so a source
	// that resumes from its state repeats nothing.
	//
	// It does not commit: put may hold a batch in memory until the next flush.
	Run(ctx context.Context, state []byte, put func(store.PatientBatch) error) error
}

// SourceError reports a patch whose source cannot be used as configured.
type SourceError struct {
	Patch  string // id in NODE.yaml
	Reason string // ends with a value that works
}

// Error implements error.
func (e *SourceError) Error() string { return fmt.Sprintf("patch %s: source: %s", e.Patch, e.Reason) }

// newSource builds the source of a patch. Kinds that this version cannot serve
// are refused here, before anything runs.
func newSource(p config.Patch, now func() time.Time, log *slog.Logger) (Source, error) {
	refuse := func(format string, args ...any) (Source, error) {
		return nil, &SourceError{Patch: p.ID, Reason: fmt.Sprintf(format, args...)}
	}
	switch s := p.Source; s.Kind {
	case config.SourceSynth:
		if s.History == 0 && !s.Live {
			return refuse("kind synth with neither history nor live delivers nothing, e.g. history: 1h")
		}
		return &synthSource{cfg: s, now: now, log: log.With("patch", p.ID)}, nil
	case config.SourceWFDB:
		if s.Start.Unix() <= 0 {
			return refuse("kind wfdb needs the time of the first sample, e.g. start: 2026-11-20T00:00:00Z")
		}
		if err := exists(s.File, ".hea"); err != nil {
			return refuse("file: %v, e.g. file: ecg/100 for ecg/100.hea", err)
		}
		return &wfdbSource{cfg: s}, nil
	case config.SourceRR:
		if err := exists(s.File, ""); err != nil {
			return refuse("file: %v, e.g. file: beats.csv", err)
		}
		return &rrSource{cfg: s}, nil
	case "ble":
		return refuse("kind ble: Bluetooth patches are not supported by this version; use synth, wfdb or rr")
	default:
		return refuse("kind %.40q is unknown; use synth, wfdb or rr", s.Kind)
	}
}

// exists looks for the file with or without its extension.
func exists(path, ext string) error {
	_, err := os.Stat(path)
	if err != nil && ext != "" {
		_, err = os.Stat(path + ext)
	}
	return err
}

// sourceState is what a source commits together with its beats.
type sourceState struct {
	Kind   string  `json:"kind"`
	Digest string  `json:"digest,omitempty"` // imports: of everything that decides the beats
	Done   bool    `json:"done,omitempty"`   // the source has ended
	Until  int64   `json:"until,omitempty"`  // Unix microseconds; everything before was delivered
	Run    uint64  `json:"run,omitempty"`    // synth: stretch of signal, so that none is played twice
	Live   bool    `json:"live,omitempty"`   // synth: the made-up history is complete
	Resume *resume `json:"resume,omitempty"` // synth: where the run stands
}

// readState decodes a committed state. A state of another kind of source is
// none: the patch has been given a new source.
func readState(kind string, b []byte) (sourceState, error) {
	if len(b) == 0 {
		return sourceState{}, nil
	}
	var s sourceState
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return sourceState{}, fmt.Errorf("read committed source state: %w", err)
	}
	if d.More() {
		return sourceState{}, errors.New("read committed source state: bytes behind its end")
	}
	if s.Kind != kind {
		return sourceState{}, nil
	}
	return s, nil
}

func (s sourceState) bytes() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("gateway: encode source state: " + err.Error()) // fixed types
	}
	return b
}

// closing is the watermark, Unix microseconds, that closes the epoch in which a
// source ended at us. The second on top is the store's: an epoch's last second
// may end after it.
func closing(us int64) int64 {
	return (us+microsPerEpoch-1)/microsPerEpoch*microsPerEpoch + microsPerSecond
}
