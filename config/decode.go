package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxNesting bounds how deep brackets and list dashes may nest. Ours need five;
// the parser recurses, and a stack overflow cannot be recovered from.
const maxNesting = 32

// DecodeStrict decodes one YAML document into the struct that into points to.
// Refused, all at once, as Problems: unknown key, wrong type, duplicate key,
// missing required key, anchors, aliases, tags, a second document. A key is
// known if a struct tag names it; see the package comment.
//
// It does not fill defaults and does not check values against each other.
func DecodeStrict(file string, data []byte, into any) error {
	_, problems := decode(file, data, into)
	return problems.err()
}

// decode returns a nil document if the bytes are not even YAML.
func decode(file string, data []byte, into any) (*document, Problems) {
	doc := newDocument(file, data)
	body, problem := parse(data)
	if problem != nil {
		return nil, Problems{doc.point(*problem, place{problem.Line, problem.Col})}
	}
	d := &decoder{doc: doc}
	doc.at[""] = place{1, 1}
	v := reflect.ValueOf(into).Elem()
	if mapping, ok := d.mapping(body); ok {
		d.structure(mapping, placeOf(tokenOf(body)), v, "")
	} else {
		d.fail("", placeOf(tokenOf(body)), "version: 1", "%s", mismatch(body, "a mapping of keys"))
	}
	d.problems.sort()
	return doc, d.problems
}

// parse turns bytes into a syntax tree. A panic of the library is turned into a
// problem: a file must never bring a running node down at reload.
func parse(data []byte) (body ast.Node, problem *Problem) {
	defer func() {
		if r := recover(); r != nil {
			body, problem = nil, &Problem{Line: 1, Col: 1, Message: fmt.Sprintf("the YAML parser gave up: %v", r)}
		}
	}()
	if problem := checkBytes(data); problem != nil {
		return nil, problem
	}
	tokens := lexer.Tokenize(string(data))
	if problem := checkNesting(tokens); problem != nil {
		return nil, problem
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxProblem(err)
	}
	var docs []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			docs = append(docs, doc.Body)
		}
	}
	switch len(docs) {
	case 0:
		return nil, &Problem{Line: 1, Col: 1, Message: "the file is empty", Example: "version: 1"}
	case 1:
		return docs[0], nil
	}
	at := placeOf(tokenOf(docs[1]))
	return nil, &Problem{Line: at.line, Col: at.col, Message: "a second document begins here; one file holds one document"}
}

func checkBytes(data []byte) *Problem {
	switch {
	case len(data) > MaxClusterBytes:
		return &Problem{Message: fmt.Sprintf("the file has %d bytes, more than %d", len(data), MaxClusterBytes)}
	case !utf8.Valid(data):
		return &Problem{Message: "the file is not UTF-8 text"}
	case strings.ContainsRune(string(data), 0):
		return &Problem{Message: "the file contains a NUL byte"}
	case strings.Count(string(data), "\r") != strings.Count(string(data), "\r\n"):
		// The parser would count it as the end of a line, an editor would not.
		return &Problem{Message: "the file contains a carriage return without a line feed"}
	}
	return nil
}

func checkNesting(tokens token.Tokens) *Problem {
	brackets, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position != nil && t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		}
		if brackets > maxNesting || dashes > maxNesting {
			at := placeOf(t)
			return &Problem{Line: at.line, Col: at.col, Message: fmt.Sprintf("nested more than %d deep", maxNesting)}
		}
	}
	return nil
}

func syntaxProblem(err error) *Problem {
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		at := placeOf(syntax.GetToken())
		return &Problem{Line: at.line, Col: at.col, Message: "not YAML: " + syntax.GetMessage()}
	}
	return &Problem{Line: 1, Col: 1, Message: "not YAML: " + err.Error()}
}

// decoder walks a syntax tree and a struct side by side.
type decoder struct {
	doc      *document
	problems Problems
}

func (d *decoder) fail(key string, at place, example, format string, args ...any) {
	p := Problem{Key: key, Message: fmt.Sprintf(format, args...), Example: example}
	d.problems = append(d.problems, d.doc.point(p, at))
}

// mapping returns the entries of a mapping, however the parser wrapped it.
func (d *decoder) mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (d *decoder) structure(entries []*ast.MappingValueNode, at place, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	first := map[string]place{}
	for _, e := range entries {
		name, keyAt := keyText(e.Key), placeOf(tokenOf(e.Key))
		i := indexOf(fields, name)
		earlier, again := first[name]
		switch {
		case again:
			d.fail(join(path, name), keyAt, "", "duplicate key; line %d has it already", earlier.line)
			continue
		case i < 0:
			d.fail(join(path, name), keyAt, suggestion(fields, name), "unknown key%s", didYouMean(fields, name))
			continue
		}
		first[name] = keyAt
		if len(first) == 1 && path == "" {
			d.doc.at[""] = keyAt
		}
		d.value(e.Value, keyAt, v.Field(fields[i].index), join(path, name), fields[i])
	}
	for _, f := range fields {
		if _, ok := first[f.key]; !ok && f.required {
			d.fail(join(path, f.key), at, f.sample(), "required, but missing")
		}
	}
}

// value decodes one node. keyAt is where to point if the node has no text.
func (d *decoder) value(n ast.Node, keyAt place, v reflect.Value, path string, f field) {
	at := placeOf(tokenOf(n))
	if at.line == 0 || n.Type() == ast.NullType {
		at = keyAt
	}
	d.doc.at[path] = at
	switch {
	case v.Kind() == reflect.Struct && !textual(v.Type()):
		if entries, ok := d.mapping(n); ok {
			d.structure(entries, at, v, path)
			return
		}
	case v.Kind() == reflect.Slice && !textual(v.Type()):
		if seq, ok := n.(*ast.SequenceNode); ok {
			d.list(seq, at, v, path, f)
			return
		}
	default:
		if text, ok := scalarText(n, v); ok {
			if err := setText(v, text); err != nil {
				d.fail(path, at, f.sample(), "%v", err)
			}
			return
		}
	}
	d.fail(path, at, f.sample(), "%s", mismatch(n, want(v.Type())))
}

func (d *decoder) list(seq *ast.SequenceNode, at place, v reflect.Value, path string, f field) {
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		d.value(item, at, v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
	}
}
