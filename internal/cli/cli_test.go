package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// TestExitCodesAreStable: scripts branch on these numbers.
func TestExitCodesAreStable(t *testing.T) {
	want := map[Code]int{OK: 0, Unexpected: 1, Usage: 2, Partial: 3, NotAuthorised: 4, VerificationFailed: 5, Refused: 6, Unavailable: 7, Interrupted: 130}
	if len(Codes) != len(want) || len(meanings) != len(want) {
		t.Errorf("%d codes, %d meanings, want %d of each", len(Codes), len(meanings), len(want))
	}
	for _, c := range Codes {
		if int(c) != want[c] || c.String() == "" {
			t.Errorf("code %d = %q, want %d with a meaning", int(c), c, want[c])
		}
	}
	if got, want := Code(42).String(), "exit code 42"; got != want {
		t.Errorf("Code(42) = %q, want %q", got, want)
	}
}

func TestCodeOf(t *testing.T) {
	failed := &Error{Code: VerificationFailed, What: "VERIFICATION FAILED: inclusion", Err: context.Canceled}
	for _, tt := range []struct {
		name string
		err  error
		want Code
	}{
		{"nil", nil, OK},
		{"plain", errors.New("x"), Unexpected},
		{"wrapped Error", fmt.Errorf("query: %w", &Error{Code: Refused}), Refused},
		{"cancelled", fmt.Errorf("wait: %w", context.Canceled), Interrupted},
		{"a deadline is not an interruption", context.DeadlineExceeded, Unexpected},
		{"a failed verification stays one", fmt.Errorf("query: %w", failed), VerificationFailed},
	} {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("%s: CodeOf = %d, want %d", tt.name, got, tt.want)
		}
		if got := Report(new(bytes.Buffer), tt.err); got != tt.want {
			t.Errorf("%s: Report = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestReportWritesThreeLines(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"all given", &Error{Code: Unavailable, What: "query: no quorum", Cause: "2 of 4 verifiers did not answer", Next: "statnet status"},
			"error: query: no quorum\ncause: 2 of 4 verifiers did not answer\nnext:  statnet status\n"},
		{"nothing given", &Error{Code: Refused},
			"error: refused by policy (cohort too small, window too often, budget spent)\ncause: refused by policy (cohort too small, window too often, budget spent)\nnext:  statnet help exit-codes\n"},
		{"lines of a library", &Error{Code: Usage, What: "a\nb", Cause: "c\td", Next: "e"}, "error: a b\ncause: c d\nnext:  e\n"},
		{"cause from beneath", &Error{Code: Usage, What: "read x", Err: fs.ErrNotExist, Next: "ls"}, "error: read x\ncause: file does not exist\nnext:  ls\n"},
		{"detail above", &Error{Code: Usage, What: "a", Cause: "b", Next: "c", Detail: "f:1:1: x\n    y\n"}, "f:1:1: x\n    y\nerror: a\ncause: b\nnext:  c\n"},
		{"usage", Usagef("statnet query --help", "--window %s: must be positive, e.g. 24h", "-1h"),
			"error: --window -1h: must be positive, e.g. 24h\ncause: the command line is not as the command expects it\nnext:  statnet query --help\n"},
		{"told already", &Error{Code: Partial, What: "a", Told: true}, ""},
		{"nil", nil, ""},
	} {
		var b bytes.Buffer
		Report(&b, tt.err)
		if got := b.String(); got != tt.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestErrorSaysWhatLiesBeneathOnce(t *testing.T) {
	e := &Error{What: "read x", Cause: "open x: no", Err: errors.New("open x: no")}
	if got, want := e.Error(), "read x: open x: no"; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
	e.Cause = ""
	if got, want := e.Error(), "read x: open x: no"; got != want || !errors.Is(e, e.Err) {
		t.Errorf("Error = %q, want %q and errors.Is", got, want)
	}
}

func TestPrint(t *testing.T) {
	value := struct {
		Schema string `json:"schema"`
		Big    uint64 `json:"big"`
		Small  string `json:"small"`
	}{"test.v1", 1<<63 + 1, "<3"}
	rows := Rows{Head: []string{"provider", "beats"}, Notes: []string{"2 of 3"}}
	rows.Add("gw-1", 302400)
	rows.Add("gw, \"2\"", 7)
	for _, tt := range []struct {
		format Format
		want   string
	}{
		{JSON, "{\n  \"schema\": \"test.v1\",\n  \"big\": 9223372036854775809,\n  \"small\": \"<3\"\n}\n"},
		{YAML, "schema: test.v1\nbig: 9223372036854775809\nsmall: <3\n"},
		{CSV, "provider,beats\ngw-1,302400\n\"gw, \"\"2\"\"\",7\n"},
		{Table, "provider  beats\n──────────────────\ngw-1      302400\ngw, \"2\"   7\n2 of 3\n"},
	} {
		var b bytes.Buffer
		if err := Print(&b, tt.format, value, rows); err != nil {
			t.Errorf("%s: %v", tt.format, err)
		}
		if got := b.String(); got != tt.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", tt.format, got, tt.want)
		}
	}
}

func TestNothingIsPrintedOfWhatCannotBeEncoded(t *testing.T) {
	var b bytes.Buffer
	if err := Print(&b, JSON, map[string]any{"a": 1, "b": make(chan int)}, Rows{}); err == nil || b.Len() != 0 {
		t.Errorf("Print = %v, %d bytes written, want an error and none", err, b.Len())
	}
}

func TestParseFormat(t *testing.T) {
	for _, s := range append(Formats, "") {
		if _, err := ParseFormat(s); err != nil {
			t.Errorf("ParseFormat(%q) = %v", s, err)
		}
	}
	if _, err := ParseFormat("xml"); CodeOf(err) != Usage || !strings.Contains(err.Error(), "--output xml: must be one of table, json, yaml, csv, e.g. json") {
		t.Errorf("ParseFormat(xml) = %v", err)
	}
}

// set is a flag set for tests.
type set map[string]string

func (s set) GetString(name string) (string, error) { return s[name], nil }
func (s set) GetBool(name string) (bool, error)     { return s[name] == "true", nil }

func TestGlobalsFrom(t *testing.T) {
	g, err := GlobalsFrom(set{"config": "n.yaml", "quiet": "true", "output": "json", "log-level": "DEBUG"})
	if want := (Globals{Config: "n.yaml", Quiet: true, Output: JSON, LogLevel: "DEBUG"}); err != nil || g != want {
		t.Errorf("GlobalsFrom = %+v, %v, want %+v", g, err, want)
	}
	if _, err := GlobalsFrom(set{"log-level": "loud"}); CodeOf(err) != Usage {
		t.Errorf("--log-level loud: %v, want exit code 2", err)
	}
	var b bytes.Buffer
	Globals{Quiet: true}.Progress(&b, "x")
	Globals{}.Progress(&b, "answered %d/%d", 7, 9)
	if got, want := b.String(), "answered 7/9\n"; got != want {
		t.Errorf("progress = %q, want %q", got, want)
	}
}

func TestLoggerKeepsLevelAndFormat(t *testing.T) {
	for _, tt := range []struct{ level, format, want string }{
		{"warn", "text", "level=WARN msg=kept step=Q4\n"},
		{"error", "text", ""},
		{"nonsense", "json", `"level":"WARN","msg":"kept","step":"Q4"}`},
	} {
		var b bytes.Buffer
		log := NewLogger(&b, tt.level, tt.format)
		log.Debug("dropped")
		log.Warn("kept", slog.String("step", "Q4"))
		if got := b.String(); !strings.Contains(got, tt.want) || strings.Contains(got, "dropped") || (tt.want == "" && got != "") {
			t.Errorf("%s %s: log = %q, want %q in it", tt.level, tt.format, got, tt.want)
		}
	}
}

func TestColourOnlyOnATerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if IsTerminal(f) || Colour(f) || IsTerminal(new(bytes.Buffer)) {
		t.Error("a file or buffer counts as a terminal")
	}
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminal: ", err)
	}
	defer tty.Close()
	if !IsTerminal(tty) {
		t.Skip("the pseudo terminal does not answer as one")
	}
	for _, tt := range []struct {
		noColour, term string
		want           bool
	}{{"", "xterm", true}, {"1", "xterm", false}, {"", "dumb", false}} {
		t.Setenv("NO_COLOR", tt.noColour)
		t.Setenv("TERM", tt.term)
		if got := Colour(tty); got != tt.want {
			t.Errorf("NO_COLOR=%q TERM=%q: Colour = %t, want %t", tt.noColour, tt.term, got, tt.want)
		}
	}
}
