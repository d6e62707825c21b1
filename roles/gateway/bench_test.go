package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"math/bits"
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// BenchmarkAnswer is the time from a task to its registered ANSWER: real store,
// sums and encryption with its pool, everybody else in memory. It must not grow
// with the number of heartbeats.
func BenchmarkAnswer(b *testing.B) {
	for _, rows := range []int{3_000, 302_400} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			st := openStore(b)
			collect(b, st, rrSourceOf(rrFile(b, rows)))
			kw := newKeyWorld(b)
			ring := kw.keys(b, kw.node)
			key := kw.keygen(b)
			for b.Loop() {
				b.StopTimer()
				w := newWorld(b, func(w *world, cfg *Config, q *record.Query) {
					q.From = uint64(listStart.Unix())
					cfg.Log = slog.New(slog.DiscardHandler)
				})
				w.Store, w.Keys = st, fixedKey{ring, key}
				b.StartTimer()
				if err := w.answer(b.Context(), w.task()); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if a := w.registered(); a == nil || a.Outcome != record.Answered || int(a.LogRows) != bits.Len(uint(rows))-1 {
					b.Fatalf("registered %+v of %d rows", a, rows)
				}
				b.StartTimer()
			}
		})
	}
}

// fixedKey encrypts under a real key, whatever the test ledger's made-up one is.
type fixedKey struct {
	Keys
	key *fsm.KeyEpoch
}

// Cipher implements Keys.
func (f fixedKey) Cipher(ctx context.Context, _ *fsm.KeyEpoch) (Cipher, error) {
	return f.Keys.Cipher(ctx, f.key)
}
