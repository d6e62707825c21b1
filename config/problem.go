package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
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
		line, col := excerpt(p.Source, p.Col)
		fmt.Fprintf(&b, "\n    %s\n    %s^", line, strings.Repeat(" ", col-1))
	}
	if p.Example != "" {
		b.WriteString("\n    e.g. " + p.Example)
	}
	return b.String()
}

// maxExcerpt is how much of a long line is shown, in characters.
const maxExcerpt = 120

// excerpt returns the part of a line that is shown, and the caret's column in
// it. Tabs become one space, because the parser counts them so; what a terminal
// would obey becomes a question mark.
func excerpt(line string, col int) (string, int) {
	runes := []rune(line)
	for i, r := range runes {
		switch {
		case r == '\t':
			runes[i] = ' '
		case !unicode.IsPrint(r):
			runes[i] = '?'
		}
	}
	col = min(max(col, 1), len(runes)+1)
	if len(runes) <= maxExcerpt {
		return string(runes), col
	}
	from := min(max(col-maxExcerpt/2, 0), len(runes)-maxExcerpt)
	shown := runes[from : from+maxExcerpt]
	if from > 0 {
		shown[0] = '…'
	}
	if from+maxExcerpt < len(runes) {
		shown[maxExcerpt-1] = '…'
	}
	return string(shown), col - from
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
