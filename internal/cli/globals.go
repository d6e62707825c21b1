package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Globals are the flags that every command has.
type Globals struct {
	Config   string // --config: NODE.yaml; "" if not given
	DataDir  string // --data-dir; "" if not given
	LogLevel string // --log-level: debug, info, warn, error; "" if not given
	Quiet    bool   // --quiet: no progress, and only warnings in the log
	Output   Format // --output
}

// Names of the global flags.
const (
	FlagConfig   = "config"
	FlagDataDir  = "data-dir"
	FlagLogLevel = "log-level"
	FlagQuiet    = "quiet"
	FlagOutput   = "output"
)

// Flags is the part of a flag set that this package reads; *pflag.FlagSet has
// it.
type Flags interface {
	GetString(name string) (string, error)
	GetBool(name string) (bool, error)
}

// GlobalsFrom reads the global flags of a parsed command line. A set that lacks
// them, as in a test of one command, yields the defaults.
func GlobalsFrom(f Flags) (Globals, error) {
	text := func(name string) string { s, _ := f.GetString(name); return s }
	quiet, _ := f.GetBool(FlagQuiet)
	g := Globals{Config: text(FlagConfig), DataDir: text(FlagDataDir), LogLevel: text(FlagLogLevel), Quiet: quiet}
	format, err := ParseFormat(text(FlagOutput))
	if err != nil {
		return g, err
	}
	g.Output = format
	return g, checkLevel(g.LogLevel)
}

// Format is how data are printed.
type Format string

// The formats.
const (
	Table Format = "table" // for people; the default
	JSON  Format = "json"
	YAML  Format = "yaml"
	CSV   Format = "csv"
)

// Formats lists the words that --output takes.
var Formats = []string{string(Table), string(JSON), string(YAML), string(CSV)}

// ParseFormat reads the value of --output; "" is Table.
func ParseFormat(s string) (Format, error) {
	if s == "" {
		return Table, nil
	}
	if !slices.Contains(Formats, s) {
		return "", Usagef("statnet help", "--output %s: must be one of %s, e.g. json", s, strings.Join(Formats, ", "))
	}
	return Format(s), nil
}

// IsTerminal reports whether w is a terminal that a person looks at.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}

// Colour reports whether w should be coloured: a terminal, and neither NO_COLOR
// (see no-color.org) nor TERM=dumb.
func Colour(w io.Writer) bool {
	return IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Progress writes one line of progress to w unless quiet. It is for people:
// a result never goes through here.
func (g Globals) Progress(w io.Writer, format string, args ...any) {
	if !g.Quiet {
		fmt.Fprintf(w, format+"\n", args...)
	}
}
