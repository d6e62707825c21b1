package chain

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
)

// BenchmarkSubmit is the ledger's throughput: three verifiers on loopback, fsync
// on, CUTs signed, clients at the leader, records of about 1 KB. Reported are
// entries/s and the latency's p50 and p99 in ms.
func BenchmarkSubmit(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { benchSubmit(b, clients) })
	}
}

func benchSubmit(b *testing.B, clients int) {
	h := newHarness(b, stormCluster, looseState)
	h.start()
	leader := h.node(h.leader())
	h.submit(h.leader(), h.audit("gateway/gw-1", 1<<40))
	leaves := make([][]byte, b.N)
	for i := range leaves {
		leaves[i] = h.filled("gateway/gw-1", uint64(i))
	}
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				start := time.Now()
				if _, err := leader.Submit(context.Background(), leaves[i]); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	ms := func(q int) float64 { return float64(took[len(took)*q/100].Microseconds()) / 1000 }
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(ms(50), "p50-ms")
	b.ReportMetric(ms(99), "p99-ms")
}

// filled is an ANSWER-sized record, about 1 KB, that looseState takes.
func (h *harness) filled(path string, day uint64) []byte {
	h.t.Helper()
	p := &record.Evidence{Kind: 1, Accused: path, First: fmt.Appendf(nil, "%d", day), Second: make([]byte, 850)}
	leaf, err := record.Seal(record.Origin(h.cluster.Name, h.genesis), fsmtest.Signer(path), p)
	if err != nil {
		h.t.Fatal(err)
	}
	return leaf
}

// BenchmarkRestart opens a ledger of 10,000 leaves: every page walked, every
// leaf hashed and folded.
func BenchmarkRestart(b *testing.B) {
	h := newHarness(b, fsmtest.Options{Verifiers: 1, Faulty: 0, Quorum: 1, CrashOnly: true}, looseState)
	h.start()
	const leaves = 10_000
	var wg sync.WaitGroup
	for w := range uint64(64) {
		wg.Go(func() {
			for i := w; i < leaves; i += 64 {
				if _, err := h.node("v1").Submit(context.Background(), h.filled("gateway/gw-1", i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := h.stop("v1"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n, err := h.open("v1")
		if err != nil {
			b.Fatal(err)
		}
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
