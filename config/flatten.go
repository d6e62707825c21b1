package config

import (
	"encoding"
	"fmt"
	"reflect"
	"time"
)

// Value is one key of a configuration with its value as text.
type Value struct {
	Key  string // patches[0].source.kind
	Text string
}

// Values lists every value of the node, in the order of the documentation, for
// `config show`. No secret is among them: secrets are files.
func (n *Node) Values() []Value {
	var out []Value
	flatten(reflect.ValueOf(*n), "", false, &out)
	return out
}

// Values lists every value of the cluster file.
func (c *Cluster) Values() []Value {
	var out []Value
	flatten(reflect.ValueOf(*c), "", false, &out)
	return out
}

// flatten leaves out zero values unless the key is required: faulty: 0 says
// something, an absent list does not.
func flatten(v reflect.Value, path string, required bool, out *[]Value) {
	switch {
	case v.Kind() == reflect.Struct && !textual(v.Type()):
		for _, f := range fieldsOf(v.Type()) {
			flatten(v.Field(f.index), join(path, f.key), f.required, out)
		}
	case v.Kind() == reflect.Slice && !textual(v.Type()):
		for i := range v.Len() {
			flatten(v.Index(i), fmt.Sprintf("%s[%d]", path, i), true, out)
		}
	case required || !v.IsZero():
		*out = append(*out, Value{path, textOf(v)})
	}
}

// textOf is the inverse of setText.
func textOf(v reflect.Value) string {
	if at, ok := v.Interface().(time.Time); ok {
		return at.Format(time.RFC3339Nano)
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v.Interface())
}
