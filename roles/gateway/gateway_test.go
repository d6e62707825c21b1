package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statnet/chain/record"
	"statnet/config"
)

func TestRunAnswersAndStopsCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		done, ready := make(chan error, 1), make(chan struct{})
		w.Ready = func() { close(ready) }
		go func() { done <- w.Run(ctx) }()
		<-ready
		w.link.tasks <- w.task()
		w.link.tasks <- w.task() // the server repeats itself
		synctest.Wait()
		if a := w.registered(); a == nil || a.Outcome != record.Answered {
			t.Fatalf("registered = %+v, want an answer", a)
		}
		if n := w.keys.count(); n != 1 {
			t.Errorf("encryptions = %d, want 1", n)
		}
		s, err := w.Status()
		if err != nil || !s.Ready || !s.LinkUp || len(s.Patients) != 2 {
			t.Errorf("status = %+v, %v, want ready with 2 patients", s, err)
		}
		for k, v := range s.Detail() {
			if strings.Contains(k+v, "p-0001") {
				t.Errorf("status names a patient: %s %s", k, v)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run after cancel = %v, want nil", err)
		}
		if w.mem.count("Flush") == 0 {
			t.Error("nothing was flushed on the way out")
		}
	})
}

// TestSameTaskTwiceAtOnce: a server that repeats itself while the answer is
// being made must not get a second encryption.
func TestSameTaskTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := make(chan struct{})
		w.keys.encrypt = func([]uint16) ([]byte, error) { <-release; return []byte("ciphertext"), nil }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		w.link.tasks <- w.task()
		synctest.Wait()
		w.link.tasks <- w.task()
		synctest.Wait()
		close(release)
		synctest.Wait()
		if n := w.keys.count(); n != 1 || w.registered() == nil {
			t.Errorf("encryptions = %d, registered %v, want 1 and true", n, w.registered() != nil)
		}
		cancel()
		<-done
	})
}

func TestRunTellsTheServerOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		w.link.tasks <- Task{QueryID: w.id, Ticket: []byte("forged")}
		synctest.Wait()
		if len(w.link.failed) != 1 {
			t.Errorf("failures told = %v, want 1", w.link.failed)
		}
		cancel()
		<-done
	})
}

func TestRunEndsWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		full := errors.New("no space left on device")
		w.mem.fail["Flush"] = full
		if err := w.Run(t.Context()); !errors.Is(err, full) {
			t.Errorf("Run = %v, want %v", err, full)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	w := newWorld(t)
	synth := config.Source{Kind: config.SourceSynth, RateHz: 250, Live: true}
	tests := []struct {
		name    string
		id      string
		patches []config.Patch
		want    string
	}{
		{"a gateway that is not in the cluster", "gw-9", nil, "not in cluster.yaml"},
		{"a patient of another gateway", "gw-1", []config.Patch{{ID: "a", Patient: "p-0003", Source: synth}}, "patch a: source: its patient is not listed"},
		{"two patches on one patient", "gw-1", []config.Patch{{ID: "a", Patient: "p-0001", Source: synth}, {ID: "b", Patient: "p-0001", Source: synth}}, "patch b"},
		{"Bluetooth", "gw-1", []config.Patch{{ID: "a", Patient: "p-0001", Source: config.Source{Kind: "ble"}}}, "Bluetooth patches are not supported"},
		{"an unknown kind", "gw-1", []config.Patch{{ID: "a", Patient: "p-0001", Source: config.Source{Kind: "usb"}}}, `kind "usb" is unknown`},
		{"a synth that delivers nothing", "gw-1", []config.Patch{{ID: "a", Patient: "p-0001", Source: config.Source{Kind: "synth"}}}, "history: 1h"},
		{"a record without a time", "gw-1", []config.Patch{{ID: "a", Patient: "p-0001", Source: config.Source{Kind: "wfdb", File: "x"}}}, "start: 2026"},
		{"a record that is not there", "gw-1", []config.Patch{{ID: "a", Patient: "p-0001", Source: config.Source{Kind: "wfdb", File: "x", Start: time.Unix(1, 0)}}}, "ecg/100.hea"},
		{"a list that is not there", "gw-1", []config.Patch{{ID: "a", Patient: "p-0001", Source: config.Source{Kind: "rr", File: "x"}}}, "beats.csv"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := w.Config
			cfg.ID, cfg.Patches = tt.id, tt.patches
			_, err := New(cfg, w.Parts)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New = %v, want an error with %q", err, tt.want)
			}
		})
	}
}
