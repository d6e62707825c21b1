package cli

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
)

// levels are the words that --log-level and NODE.yaml take.
var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func checkLevel(s string) error {
	if _, ok := levels[strings.ToLower(s)]; s != "" && !ok {
		return Usagef("statnet help", "--log-level %s: must be one of debug, info, warn, error, e.g. info", s)
	}
	return nil
}

// NewLogger returns the log of a process. On a terminal it is coloured and
// short; otherwise format decides: "json", or key=value text. An unknown level
// counts as info: configuration has been checked before.
func NewLogger(w io.Writer, level, format string) *slog.Logger {
	at, ok := levels[strings.ToLower(level)]
	if !ok {
		at = slog.LevelInfo
	}
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: at}))
	case IsTerminal(w):
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: at, TimeFormat: time.TimeOnly, NoColor: !Colour(w)}))
	default:
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: at}))
	}
}

// Logger is NewLogger on standard error for a command without NODE.yaml: level
// from --log-level, else warn, because such a command prints a result and its
// reader wants nothing else.
func (g Globals) Logger() *slog.Logger {
	level := g.LogLevel
	if level == "" {
		level = "warn"
	}
	return NewLogger(os.Stderr, level, "text")
}
