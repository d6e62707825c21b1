package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// document remembers where each key of a file stands, so that a problem found
// long after decoding can still point at its line.
type document struct {
	file  string
	lines []string
	at    map[string]place // by YAML path; the place of the value
}

type place struct{ line, col int }

func newDocument(file string, data []byte) *document {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	return &document{file: file, lines: strings.Split(text, "\n"), at: map[string]place{}}
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}

// point fills in file, line, column and source of a problem at a place.
func (d *document) point(p Problem, at place) Problem {
	p.File, p.Line, p.Col = d.file, 0, 0
	if at.line < 1 || at.line > len(d.lines) {
		return p
	}
	p.Line, p.Source = at.line, d.lines[at.line-1]
	p.Col = min(max(at.col, 1), len([]rune(p.Source))+1)
	return p
}

// locate finds the place of a key, or of the nearest key around it that the
// file has.
func (d *document) locate(key string) place {
	for key != "" {
		if at, ok := d.at[key]; ok {
			return at
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return d.at[""]
}

// where names the place of a key of the file, "" for a key that it lacks.
func (d *document) where(key string) string {
	at, ok := d.at[key]
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", filepath.Base(d.file), at.line, at.col)
}

// with joins the problems of decoding with those of validation, leaves out
// what is only an echo, and returns them as an error, nil if there are none.
func (d *document) with(decoding, validation Problems) error {
	all := append(Problems(nil), decoding...)
	for _, p := range validation {
		if decoding.touches(p.Key) || (p.cross && len(decoding) > 0) {
			continue
		}
		all = append(all, d.point(p, d.locate(p.Key)))
	}
	all.sort()
	return all.err()
}
