package config

import (
	"reflect"
	"strings"
)

// NodeFile is a NODE.yaml that has been decoded but not yet merged with flags
// and environment. Its problems wait for Finish, so that they are reported
// together with those of the merged values.
//
//	bytes ──NodeCodec──▶ NodeFile ──Map──▶ viper (flag > env > file > default) ──▶ Node ──Finish──▶ Node or Problems
//
// This package does not import viper: internal/nodeconfig does.
type NodeFile struct {
	path     string
	doc      *document
	node     Node
	problems Problems
}

// NodeCodec decodes NODE.yaml for viper.WithDecoderRegistry: it has the method
// that viper's Decoder asks for. viper's own YAML decoder takes 30 for 30 ns,
// ignores misspelt keys and merges Name with name.
type NodeCodec struct {
	Path string    // for messages
	File *NodeFile // set by Decode
}

// Decode fills viper's map. The map is filled with fresh copies: a struct
// decoded straight into it has been measured to leave it empty.
//
// Only a file that is no YAML at all is an error here; everything else waits
// for NodeFile.Finish.
func (c *NodeCodec) Decode(data []byte, into map[string]any) error {
	f := &NodeFile{path: c.Path}
	f.doc, f.problems = decode(c.Path, data, &f.node)
	if f.doc == nil {
		return f.problems
	}
	c.File = f
	for key, value := range f.values(reflect.ValueOf(f.node), "") {
		into[key] = value
	}
	return nil
}

// values lists what the file says: one text per scalar, nested maps, lists as
// they are. Keys with problems are left out; they are reported anyway.
func (f *NodeFile) values(v reflect.Value, path string) map[string]any {
	out := map[string]any{}
	for _, fd := range fieldsOf(v.Type()) {
		key, fv := join(path, fd.key), v.Field(fd.index)
		if _, written := f.doc.at[key]; !written {
			continue
		}
		switch {
		case fv.Kind() == reflect.Struct && !textual(fv.Type()):
			out[fd.key] = f.values(fv, key)
		case fv.Kind() == reflect.Slice && !textual(fv.Type()):
			out[fd.key] = fv.Interface()
		case !f.problems.touches(key):
			out[fd.key] = textOf(fv)
		}
	}
	return out
}

// FromText turns the texts of file, environment and flags into typed values. It
// has the form of a mapstructure decode hook.
func FromText(from, to reflect.Type, data any) (any, error) {
	text, ok := data.(string)
	if !ok || from.Kind() != reflect.String || from == to {
		return data, nil
	}
	v := reflect.New(to).Elem()
	if err := setText(v, text); err != nil {
		return nil, err
	}
	return v.Interface(), nil
}

// Finish fills defaults into the merged values, validates them and returns the
// node, or every problem of file and values. elsewhere names where a key's
// value came from if not from the file, e.g. "environment STATNET_LISTEN", and
// is "" otherwise. Paths stay relative.
func (f *NodeFile) Finish(merged Node, elsewhere func(key string) string) (*Node, error) {
	n := merged.WithDefaults()
	var inFile, outside Problems
	for _, p := range n.problems() {
		if p.File = elsewhere(p.Key); p.File != "" {
			outside = append(outside, p)
			continue
		}
		inFile = append(inFile, p)
	}
	err := f.doc.with(f.problems, inFile)
	if len(outside) > 0 {
		all, _ := err.(Problems)
		return nil, append(outside, all...)
	}
	if err != nil {
		return nil, err
	}
	n.File = f.path
	return &n, nil
}

// Where says "node.yaml:7:11" for a key that the file has, and "" for others.
func (f *NodeFile) Where(key string) string { return f.doc.where(key) }

// Key describes one YAML key.
type Key struct {
	Path     string // keys.record_key_file
	Type     string // "text", "a duration", …
	Doc      string
	Default  string
	Example  string
	Enum     []string
	Required bool
}

// Env is the environment variable that overrides the key.
func (k Key) Env() string {
	return "STATNET_" + strings.ToUpper(strings.ReplaceAll(k.Path, ".", "_"))
}

// CheckText reports whether text is a value of the key, as a Problem whose
// File says where the text came from.
func (k Key) CheckText(from, text string) error {
	f, v, ok := nodeField(k.Path)
	if !ok {
		return Problems{{File: from, Message: "no such key: " + k.Path}}
	}
	var ps Problems
	if err := setText(v, text); err != nil {
		ps.add("", "", "%v", err)
	} else {
		checkWord(v, "", f, &ps)
	}
	for i := range ps {
		ps[i].File, ps[i].Example = from, k.Example
	}
	return ps.err()
}

// NodeScalars lists the keys of NODE.yaml that hold one value, outside lists:
// those that a flag or an environment variable may override. version is not
// among them: it belongs to the file that it stands in.
func NodeScalars() []Key {
	var out []Key
	for _, k := range keysOfType(reflect.TypeFor[Node](), "") {
		if k.Path != "version" && !strings.Contains(k.Path, "[]") && k.Type != "a list" && k.Type != "a mapping" {
			out = append(out, k)
		}
	}
	return out
}

// NodeKeys lists every key of NODE.yaml, list elements as patches[].id.
func NodeKeys() []Key { return keysOfType(reflect.TypeFor[Node](), "") }

// ClusterKeys lists every key of cluster.yaml, list elements as servers[].id.
func ClusterKeys() []Key { return keysOfType(reflect.TypeFor[Cluster](), "") }

func keysOfType(t reflect.Type, path string) []Key {
	var out []Key
	for _, f := range fieldsOf(t) {
		ft, at := t.Field(f.index).Type, join(path, f.key)
		out = append(out, Key{Path: at, Type: want(ft), Doc: f.doc, Default: f.def, Example: f.example, Enum: f.enum, Required: f.required})
		if textual(ft) {
			continue
		}
		if ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct {
			ft, at = ft.Elem(), at+"[]"
		}
		if ft.Kind() == reflect.Struct {
			out = append(out, keysOfType(ft, at)...)
		}
	}
	return out
}

// nodeField finds the struct field of a key outside lists, in a fresh Node.
func nodeField(path string) (field, reflect.Value, bool) {
	v := reflect.ValueOf(new(Node)).Elem()
	for {
		name, rest, more := strings.Cut(path, ".")
		fields := fieldsOf(v.Type())
		i := indexOf(fields, name)
		if i < 0 {
			return field{}, reflect.Value{}, false
		}
		v = v.Field(fields[i].index)
		if !more {
			return fields[i], v, true
		}
		if v.Kind() != reflect.Struct {
			return field{}, reflect.Value{}, false
		}
		path = rest
	}
}
