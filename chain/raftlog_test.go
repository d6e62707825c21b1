package chain

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestRaftLog: a peer that is down is one line a minute, a clean stop none.
func TestRaftLog(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1795000000, 0)
	log := slog.New(slog.NewTextHandler(&out, nil))
	l := raftLogger(log, func() time.Time { return now })
	down := func(peer string) {
		l.Error("failed to make requestVote RPC", "target", peer, "error", "connection refused")
	}
	for range 90 {
		now = now.Add(time.Second)
		down("v2")
		down("v3")
		l.Info("entering follower state")
		l.Error("failed to decode incoming command", "error", "read tcp: use of closed network connection")
	}
	if got := strings.Count(out.String(), "\n"); got != 4 || strings.Contains(out.String(), "ERROR") {
		t.Errorf("%d lines in 90 s, want two a peer, none of them ERROR:\n%s", got, out.String())
	}
}
