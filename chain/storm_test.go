package chain

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"statnet/chain/fsm/fsmtest"
)

// TestStorm kills a process of three verifiers with SIGKILL while four writers
// wait for acknowledgements, again and again. Nothing acknowledged may be lost
// or moved. STATNET_STORM_ROUNDS sets the number of rounds, default 3.
func TestStorm(t *testing.T) {
	t.Parallel()
	rounds := 3
	if s := os.Getenv("STATNET_STORM_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	h := newHarness(t, stormCluster, looseState)
	acked := map[uint64]uint64{}
	for round := range rounds {
		h.storm(uint64(round), 30+17*round, acked)
	}
	h.start()
	h.submit("v1", h.audit("gateway/gw-1", 99_000_000))
	h.checkAcked(acked)
	if len(acked) < 30*rounds {
		t.Errorf("only %d acknowledgements in %d rounds", len(acked), rounds)
	}
}

var stormCluster = fsmtest.Options{Verifiers: 3, Quorum: 3}

// storm runs a child over h's directories until it has acknowledged n records,
// then kills it.
func (h *harness) storm(round uint64, n int, acked map[uint64]uint64) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStormChild$")
	child.Env = append(os.Environ(), "STATNET_STORM_DIR="+h.dir, "STATNET_STORM_ROUND="+strconv.FormatUint(round, 10))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for got := 0; got < n && lines.Scan(); {
		var day, index uint64
		if _, err := fmt.Sscanf(lines.Text(), "ack %d %d", &day, &index); err == nil {
			acked[day] = index
			got++
		}
	}
	if err := child.Process.Kill(); err != nil {
		h.t.Fatal(err)
	}
	_ = child.Wait() // killed: that is its exit status
	if ctx.Err() != nil {
		h.t.Fatal("storm child took more than 2 min")
	}
}

// TestStormChild is the process that TestStorm kills.
func TestStormChild(t *testing.T) {
	dir := os.Getenv("STATNET_STORM_DIR")
	if dir == "" {
		t.Skip("started by TestStorm only")
	}
	round, err := strconv.ParseUint(os.Getenv("STATNET_STORM_ROUND"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	h := newHarnessIn(t, dir, stormCluster, looseState)
	h.start()
	var wg sync.WaitGroup
	for w := range uint64(4) {
		wg.Go(func() {
			for i := range uint64(100_000) {
				day := (round*4+w)*100_000 + i
				index, err := h.node(h.ids[w%3]).Submit(context.Background(), h.audit("gateway/gw-1", day))
				if err != nil {
					continue // unknown outcome; this writer goes on
				}
				fmt.Printf("ack %d %d\n", day, index)
			}
		})
	}
	wg.Wait()
}
