package config

import (
	"encoding/json"
	"reflect"
)

// Kinds of schema.
const (
	NodeSchema    = "node"
	ClusterSchema = "cluster"
)

// schema is the part of JSON Schema (draft 2020-12) that ours need. Field order
// is the order of the output.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	ID          string             `json:"$id,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        string             `json:"type,omitempty"`
	Const       any                `json:"const,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Format      string             `json:"format,omitempty"`
	Default     any                `json:"default,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Closed      *bool              `json:"additionalProperties,omitempty"`
	Items       *schema            `json:"items,omitempty"`
}

// Schema returns the JSON schema of NODE.yaml or cluster.yaml, for editors. It
// is generated from the structs. A file that fits it can still be refused: the
// schema knows no rule between values.
func Schema(kind string) ([]byte, error) {
	t, title := reflect.TypeFor[Node](), "statnet NODE.yaml"
	if kind == ClusterSchema {
		t, title = reflect.TypeFor[Cluster](), "statnet cluster.yaml"
	}
	s := schemaOf(t)
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.ID = "urn:statnet:schema:" + kind + ":v1"
	s.Title = title
	return json.MarshalIndent(s, "", "  ")
}

func schemaOf(t reflect.Type) *schema {
	switch t {
	case reflect.TypeFor[Duration]():
		return &schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+$`}
	case reflect.TypeFor[Hex]():
		return &schema{Type: "string", Pattern: `^([0-9a-f]{2})+$`}
	}
	if textual(t) {
		return &schema{Type: "string", Format: "date-time"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return objectSchema(t)
	case reflect.Slice:
		return &schema{Type: "array", Items: schemaOf(t.Elem())}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.String:
		return &schema{Type: "string"}
	default:
		return &schema{Type: "integer"}
	}
}

func objectSchema(t reflect.Type) *schema {
	closed := false
	s := &schema{Type: "object", Properties: map[string]*schema{}, Closed: &closed}
	for _, f := range fieldsOf(t) {
		ft := t.Field(f.index).Type
		p := schemaOf(ft)
		p.Description = f.doc
		if f.def != "" {
			p.Default = f.def
		}
		f.words(p)
		if f.required {
			s.Required = append(s.Required, f.key)
		}
		s.Properties[f.key] = p
	}
	return s
}

// words adds the allowed words to a property, or to the elements of its list.
func (f field) words(p *schema) {
	switch {
	case len(f.enum) == 0:
	case p.Type == "integer":
		p.Const = json.Number(f.enum[0])
	case p.Type == "array":
		p.Items.Enum = f.enum
	default:
		p.Enum = f.enum
	}
}
