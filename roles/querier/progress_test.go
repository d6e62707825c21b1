package querier

import (
	"bytes"
	"strings"
	"testing"
)

// TestProgressLineCountsToTheEnd: the last answer and the next step arrive
// together, and what follows begins on a line of its own.
func TestProgressLineCountsToTheEnd(t *testing.T) {
	var b bytes.Buffer
	show, end := progressLine(&b)
	show(Progress{Stage: Registered})
	show(Progress{Stage: Answering, Asked: 3})
	show(Progress{Stage: Judging, Asked: 3, Answered: 3, Accepted: 1})
	show(Progress{Stage: Opening, Asked: 3, Answered: 3, Accepted: 2})
	show(Progress{Stage: Closed, Asked: 3, Answered: 3, Accepted: 2})
	last := b.String()[strings.LastIndex(b.String(), "\033[K"):]
	if want := "\033[Kregistered → answered 3/3 → checked 2/3 → opening → co-signed\n"; last != want {
		t.Errorf("last line = %q, want %q", last, want)
	}
	end() // after Closed there is no line to leave
	b.Reset()
	show(Progress{Stage: Registered})
	end()
	if got, want := b.String(), "\r\033[Kregistered\n"; got != want {
		t.Errorf("interrupted = %q, want %q", got, want)
	}
}
