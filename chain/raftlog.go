package chain

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// raftLogAgain is how long the same complaint of raft is not repeated: while a
// peer is down raft has three a second.
const raftLogAgain = time.Minute

// raftLogger sends raft's log lines to slog. They hold addresses, terms and
// indexes, never a record.
func raftLogger(log *slog.Logger, now func() time.Time) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Debug})
	l.RegisterSink(&raftSink{log: log, now: now, said: map[string]time.Time{}})
	return l
}

type raftSink struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	said map[string]time.Time // when a complaint was last logged above debug
}

// Accept implements hclog.SinkAdapter.
func (s *raftSink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	l := slog.LevelDebug // raft's Info says what our own Info says in fewer words
	if level >= hclog.Warn && s.worthSaying(msg, args) {
		// Warn even for raft's Error: to raft a peer that is down is one.
		l = slog.LevelWarn
	}
	ctx := context.Background()
	if !s.log.Enabled(ctx, l) {
		return
	}
	if len(args)%2 == 1 {
		args = append(args, "") // hclog allows a lone value, slog marks it as a mistake
	}
	s.log.Log(ctx, l, "raft: "+msg, args...)
}

// worthSaying is false for what every clean stop brings, and for a complaint
// about the same peer within a minute.
func (s *raftSink) worthSaying(msg string, args []any) bool {
	key := msg
	for i := 0; i+1 < len(args); i += 2 {
		switch v := fmt.Sprint(args[i+1]); args[i] {
		case "error":
			if strings.Contains(v, "use of closed network connection") || strings.Contains(v, "transport shutdown") {
				return false
			}
		case "peer", "target", "remote-address":
			key += " " + v
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if last, ok := s.said[key]; ok && now.Sub(last) < raftLogAgain {
		return false
	}
	if len(s.said) > 1000 { // remote ports differ each time
		clear(s.said)
	}
	s.said[key] = now
	return true
}
