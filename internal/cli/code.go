// Package cli is what every command of statnet has in common: exit codes,
// errors of three lines, output formats, colours and logging.
//
//	command ──result──▶ Printer ──table|json|yaml|csv──▶ standard output
//	   │  └──logs─────▶ Logger  ──text|json───────────▶ standard error
//	   └─────error────▶ Report  ──three lines─────────▶ standard error ──▶ exit code
//
// It knows nothing of what the commands do, and nothing of cobra.
package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Code is the exit code of the process. Scripts branch on it, so a number never
// changes its meaning.
type Code int

// The exit codes. `statnet help exit-codes` prints this block.
const (
	OK                 Code = 0
	Unexpected         Code = 1
	Usage              Code = 2
	Partial            Code = 3
	NotAuthorised      Code = 4
	VerificationFailed Code = 5
	Refused            Code = 6
	Unavailable        Code = 7
	Interrupted        Code = 130
)

// Codes lists every exit code in the order of the numbers.
var Codes = []Code{OK, Unexpected, Usage, Partial, NotAuthorised, VerificationFailed, Refused, Unavailable, Interrupted}

var meanings = map[Code]string{
	OK:                 "ok",
	Unexpected:         "unexpected error",
	Usage:              "usage or invalid configuration",
	Partial:            "partial: a checked result, but providers are missing",
	NotAuthorised:      "not authorised or not enrolled",
	VerificationFailed: "VERIFICATION FAILED: no result is shown",
	Refused:            "refused by policy (cohort too small, window too often, budget spent)",
	Unavailable:        "unavailable (no quorum, deadline)",
	Interrupted:        "interrupted",
}

// String is the meaning of the code in one line.
func (c Code) String() string {
	if s, ok := meanings[c]; ok {
		return s
	}
	return fmt.Sprintf("exit code %d", int(c))
}

// Error is a failure as its reader needs it: what failed, the likely cause, and
// the next command to try.
type Error struct {
	Code  Code
	What  string // what failed: "query: no quorum of verifiers"
	Cause string // the likely cause: "2 of 4 verifiers did not answer"
	Next  string // what to type next: "statnet status"

	// Detail is printed above the three lines, if there is more to say: the
	// list of wrong lines in a file.
	Detail string
	// Told says that somebody else has written the three lines already, as a
	// program that was run and has failed: only the exit code is left to do.
	Told bool
	Err  error // what lies beneath, for errors.Is; may be nil
}

// Error is What and Cause in one line, for logs and for wrapping.
func (e *Error) Error() string {
	text := e.What
	if e.Cause != "" {
		text += ": " + e.Cause
	}
	if e.Err != nil && !strings.Contains(text, e.Err.Error()) {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what lies beneath.
func (e *Error) Unwrap() error { return e.Err }

// Usagef is an Error for a wrong flag, argument or file. Write the flag, the
// value given, and one that would work: `--window -1h: must be positive, e.g.
// 24h`.
func Usagef(next, format string, args ...any) *Error {
	return &Error{Code: Usage, What: fmt.Sprintf(format, args...), Cause: "the command line is not as the command expects it", Next: next}
}

// CodeOf returns the exit code of an error: that of the Error inside it, 130
// for a cancelled context, 1 for anything else, 0 for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Interrupted
	default:
		return Unexpected
	}
}

// explain turns any error into the three lines.
func explain(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Code: Interrupted, What: "interrupted", Cause: "a signal asked the program to stop", Next: "run the command again"}
	}
	return &Error{
		Code: Unexpected, What: err.Error(),
		Cause: "statnet did not expect this; it may be a bug, or a disk or network that failed",
		Next:  "run it again with --log-level debug and keep the output",
	}
}
