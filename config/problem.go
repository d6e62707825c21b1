package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a file, a flag or an environment variable.
type Problem struct {
	File    string // file, or "environment", or "flag"
	Line    int    // from 1; 0 if the place is unknown
	Col     int    // from 1, in characters
	Source  string // the offending line
	Key     string // YAML path: patches[0].source.kind
	Message string // what is wrong with the value
	Example string // what would work, ready to be pasted; may be empty

	// cross marks a problem between several values. It is kept back while any
	// value could not be read, because it may be only the echo of that.
	cross bool
}

// Error writes the problem for a terminal:
//
//	node.yaml:9:17: flush_interval: 30 has no unit
//	    flush_interval: 30
//	                    ^
//	    e.g. flush_interval: 1m
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Line > 0 {
		// A tab is one character wide for the parser, so it must be for the caret.
		line := strings.ReplaceAll(p.Source, "\t", " ")
		fmt.Fprintf(&b, "\n    %s\n    %s^", line, strings.Repeat(" ", max(p.Col-1, 0)))
	}
	if p.Example != "" {
		b.WriteString("\n    e.g. " + p.Example)
	}
	return b.String()
}

// Problems is everything wrong with a configuration, in the order of the file.
type Problems []Problem

// Error writes every problem, one after the other.
func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Error()
	}
	return strings.Join(texts, "\n")
}

// err avoids the typed nil that an empty Problems would be as an error.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

func (ps *Problems) add(key, example, format string, args ...any) {
	*ps = append(*ps, Problem{Key: key, Message: fmt.Sprintf(format, args...), Example: example})
}

func (ps *Problems) addCross(key, example, format string, args ...any) {
	ps.add(key, example, format, args...)
	(*ps)[len(*ps)-1].cross = true
}

// touches reports whether a problem is already known at key, inside it or
// around it.
func (ps Problems) touches(key string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool {
		return within(p.Key, key) || within(key, p.Key)
	})
}

// within reports whether key is outer or lies inside it. Everything lies inside
// "", the whole file.
func within(key, outer string) bool {
	if outer == "" {
		return true
	}
	rest, ok := strings.CutPrefix(key, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
}
