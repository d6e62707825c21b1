package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/config"
	"statnet/ecg"
)

// TestLogsAndErrorsLeakNothing lets a gateway do everything it can at debug
// level, with a failure of every kind, and reads what it said.
func TestLogsAndErrorsLeakNothing(t *testing.T) {
	file := rrFile(t, 3000)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *world, cfg *Config, _ *record.Query) {
			cfg.Patches = []config.Patch{
				{ID: "patch-1", Patient: "p-0001", Source: rrSourceOf(file)},
				{ID: "patch-2", Patient: "p-0002", Source: config.Source{Kind: config.SourceSynth, RateHz: 250, Live: true, History: config.Duration(10 * time.Minute)}},
			}
			base := time.Now() // of the bubble: the ledger lives elsewhere in time
			cfg.Now = func() time.Time { return time.UnixMilli(fsmtest.StartMS + 1000).Add(time.Since(base)) }
		})
		var sent string
		w.verifiers[0].onPut = func(_, _ []byte) error { return errDown }
		w.verifiers[1].onSubmit = func([]byte) (uint64, error) { return 0, errDown }
		w.link.onUpload = func(b []byte) error { sent = string(b); return nil }
		w.Config.Log.Debug("start of the log") // the test reads what it thinks it reads
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		time.Sleep(time.Second)
		w.link.tasks <- w.task()
		w.link.tasks <- Task{QueryID: [32]byte{7}, Ticket: []byte("forged")}
		time.Sleep(10 * time.Minute)
		w.report()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		logs := w.logs.String()
		if !strings.Contains(logs, "start of the log") || !strings.Contains(logs, "step=Q4") || len(logs) < 1000 {
			t.Fatalf("too little was logged to tell anything:\n%s", logs)
		}
		for name, secret := range secrets(t, w, sent) {
			if strings.Contains(logs, secret) {
				t.Errorf("the log has %s", name)
			}
		}
		if m := regexp.MustCompile(`p-\d{4}`).FindString(logs); m != "" {
			t.Errorf("the log names patient %s", m)
		}
		if m := regexp.MustCompile(`(?i)\b(rr|at|beat|interval)=\d`).FindString(logs); m != "" {
			t.Errorf("the log has a value: %s", m)
		}
	})
}

// secrets are what must not be said: beats, sums, keys, ciphertexts.
func secrets(t *testing.T, w *world, sent string) map[string]string {
	t.Helper()
	out := map[string]string{"a ciphertext": sent}
	for _, p := range []string{"p-0001", "p-0002"} {
		for i, b := range w.mem.beats[p] {
			out[fmt.Sprintf("the time of beat %d", i)] = fmt.Sprint(b.At)
		}
		sum := w.mem.sums[p]
		out["S1 of "+p], out["S2 of "+p] = fmt.Sprint(sum.S1), fmt.Sprint(sum.S2)
	}
	if len(out) < 1000 {
		t.Fatalf("%d beats were stored, want many", len(out))
	}
	sig, err := fsmtest.Signer("gateway/gw-1").Sign([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	out["a signature"] = hex.EncodeToString(sig[:8])
	return out
}

// TestTheLeakTestSeesALeak: a beat in a log line would be a slip of the pen; this
// shows that the search above would find it.
func TestTheLeakTestSeesALeak(t *testing.T) {
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("slip", "beat", ecg.Beat{At: 1_795_000_000_123_456, RR: 812})
	if !strings.Contains(b.String(), "1795000000123456") {
		t.Errorf("a beat logs as %s: the leak test would not see it", b.String())
	}
}
