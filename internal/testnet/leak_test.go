package testnet

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"statnet/ecg"
)

// TestTheSearchFindsALeak: every kind of slip of the pen, as slog would print
// it, is found; a log that says only what it may is clean.
func TestTheSearchFindsALeak(t *testing.T) {
	h, err := newHeart(1, time.Unix(1_795_000_200, 0), 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("0123456789abcdefghijklmnopqrstuv")
	s := secrets{rows: map[[3]string]bool{}, numbers: map[string]string{"41230987": "a sum"}, texts: map[string]string{}}
	s.addHeart(h)
	s.secret("a key", key)
	for _, tt := range []struct {
		name string
		line func(*slog.Logger)
		want bool
	}{
		{"nothing", func(l *slog.Logger) { l.Info("encrypted", "query", "1925dbe86352e9e1", "parts", 1, "ms", 812) }, false},
		{"one number in the range of intervals", func(l *slog.Logger) { l.Info("done", "ms", h.rr[0]) }, false},
		{"patient", func(l *slog.Logger) { l.Info("flushed", "patient", "p-0001") }, true},
		{"intervals", func(l *slog.Logger) { l.Info("batch", "rr", h.rr[3:9]) }, true},
		{"beats", func(l *slog.Logger) { l.Info("batch", "beats", h.beats[3:5]) }, true},
		{"one beat", func(l *slog.Logger) { l.Info("beat", "b", ecg.Beat{At: h.beats[7].At, RR: 1}) }, true},
		{"time of a beat in ms", func(l *slog.Logger) { l.Info("beat", "at", h.beats[7].At/1000) }, true},
		{"sum", func(l *slog.Logger) { l.Info("totals", "s1", 41230987) }, true},
		{"key, hexadecimal", func(l *slog.Logger) { l.Info("key", "k", hex.EncodeToString(key)) }, true},
		{"key, %x of something larger", func(l *slog.Logger) { l.Info("key", "k", fmt.Sprintf("%X", append([]byte("header"), key...))) }, true},
		{"key, base64", func(l *slog.Logger) { l.Info("key", "k", base64.StdEncoding.EncodeToString(key)) }, true},
		{"key, base64 at another alignment", func(l *slog.Logger) { l.Info("key", "k", base64.URLEncoding.EncodeToString(append([]byte{1}, key...))) }, true},
		{"key, base64 at the third alignment", func(l *slog.Logger) {
			l.Info("key", "k", base64.StdEncoding.EncodeToString(append([]byte{1, 2}, key...)))
		}, true},
		{"key, as numbers", func(l *slog.Logger) { l.Info("key", "k", fmt.Sprint(key)) }, true},
		{"key, as text", func(l *slog.Logger) { l.Info("key", "k", key) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			tt.line(slog.New(slog.NewTextHandler(&b, nil)))
			if found := s.leaks(b.String()); (len(found) > 0) != tt.want {
				t.Errorf("leaks in %q = %v, want any: %v", b.String(), found, tt.want)
			}
		})
	}
}
