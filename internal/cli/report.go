package cli

import (
	"fmt"
	"io"
	"strings"
)

// Report writes an error in three lines and returns the exit code. It writes
// nothing for nil.
//
//	error: --window -1h: must be positive, e.g. 24h
//	cause: the command line is not as the command expects it
//	next:  statnet query --help
func Report(w io.Writer, err error) Code {
	if err == nil {
		return OK
	}
	e := explain(err)
	if e.Told {
		return e.Code
	}
	if e.Detail != "" {
		fmt.Fprintln(w, strings.TrimRight(e.Detail, "\n"))
	}
	cause := e.Cause
	if cause == "" && e.Err != nil {
		cause = e.Err.Error()
	}
	for _, line := range []struct{ label, text, otherwise string }{
		{"error: ", e.What, e.Code.String()},
		{"cause: ", cause, e.Code.String()},
		{"next:  ", e.Next, "statnet help exit-codes"},
	} {
		text := line.text
		if text == "" {
			text = line.otherwise
		}
		fmt.Fprintln(w, line.label+oneLine(text))
	}
	return e.Code
}

// oneLine keeps the promise of three lines whatever a library put into an error.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
