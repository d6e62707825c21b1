package cli

import (
	"os"

	"golang.org/x/term"
)

// isTerminal asks the operating system. File descriptors are small on every
// system that we build for, so the conversion keeps its value.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
