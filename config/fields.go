package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// field is one key of a YAML mapping, read from the tags of a struct field.
type field struct {
	index    int
	key      string
	doc      string
	def      string // default, as text
	example  string
	enum     []string
	required bool
}

// fieldsOf lists the keys of a struct type in the order of the source.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		key := tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		f := field{index: i, key: key, doc: tag.Get("doc"), def: tag.Get("default"), example: tag.Get("example"), required: tag.Get("required") == "true"}
		if enum := tag.Get("enum"); enum != "" {
			f.enum = strings.Split(enum, "|")
		}
		out = append(out, f)
	}
	return out
}

// sample is the line that an error message offers.
func (f field) sample() string {
	if f.example == "" {
		return ""
	}
	return f.key + ": " + f.example
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// textual reports whether values of t are written as one scalar of text with a
// syntax of their own: Duration, Hex, time.Time.
func textual(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fillDefaults sets every zero field that has a default, in nested structs too
// but not in lists.
func fillDefaults(into any) {
	fillDefaultsOf(reflect.ValueOf(into).Elem())
}

func fillDefaultsOf(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		switch {
		case fv.Kind() == reflect.Struct && !textual(fv.Type()):
			fillDefaultsOf(fv)
		case f.def != "" && fv.IsZero():
			if err := setText(fv, f.def); err != nil {
				panic(fmt.Sprintf("default of %s: %v", f.key, err)) // our own tag; a test visits them all
			}
		}
	}
}

// checkTags reports what the tags alone can decide: words that are not in enum,
// and required texts and lists that are empty.
func checkTags(v reflect.Value, path string, ps *Problems) {
	for _, f := range fieldsOf(v.Type()) {
		fv, key := v.Field(f.index), join(path, f.key)
		empty := (fv.Kind() == reflect.String || fv.Kind() == reflect.Slice) && fv.Len() == 0
		switch {
		case f.required && empty:
			ps.add(key, f.sample(), "required, but empty")
		case fv.Kind() == reflect.Struct && !textual(fv.Type()):
			checkTags(fv, key, ps)
		case fv.Kind() == reflect.Slice && !textual(fv.Type()):
			checkElements(fv, key, f, ps)
		case !empty:
			checkWord(fv, key, f, ps)
		}
	}
}

func checkElements(list reflect.Value, key string, f field, ps *Problems) {
	for i := range list.Len() {
		item, at := list.Index(i), fmt.Sprintf("%s[%d]", key, i)
		if item.Kind() == reflect.Struct {
			checkTags(item, at, ps)
			continue
		}
		checkWord(item, at, f, ps)
	}
}

func checkWord(v reflect.Value, key string, f field, ps *Problems) {
	if f.enum == nil {
		return
	}
	word := fmt.Sprint(v.Interface())
	if slices.Contains(f.enum, word) {
		return
	}
	if len(f.enum) == 1 {
		ps.add(key, f.sample(), "%s is not %s", word, f.enum[0])
		return
	}
	hint, example := "", f.sample()
	if near := nearest(word, f.enum); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
		if v.Kind() == reflect.String && !strings.HasSuffix(key, "]") {
			example = f.key + ": " + near
		}
	}
	ps.add(key, example, "%q is not one of %s%s", word, strings.Join(f.enum, ", "), hint)
}

// nearest finds the word at an edit distance of at most 2, or "".
func nearest(word string, words []string) string {
	best, bestAt := "", 3
	for _, w := range words {
		if d := distance(word, w); d < bestAt && d < len(w) {
			best, bestAt = w, d
		}
	}
	return best
}

// distance is Levenshtein's: insertions, deletions and substitutions.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
