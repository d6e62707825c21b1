package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// tokenOf finds the token where a node begins. A mapping's own token is its
// first colon, which is not where a reader looks.
func tokenOf(n ast.Node) *token.Token {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return tokenOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return tokenOf(n.Key)
	}
	return n.GetToken()
}

// keyText is the text of a mapping's key.
func keyText(key ast.MapKeyNode) string {
	if t := key.GetToken(); t != nil {
		return t.Value
	}
	return key.String()
}

// scalarText returns the text of a scalar that may go into v. Text of a type
// with its own syntax is taken as written, so that the digits of a key are
// never read as a number; plain text must not look like anything else.
func scalarText(n ast.Node, v reflect.Value) (string, bool) {
	if s, ok := n.(*ast.StringNode); ok {
		number := v.Kind() != reflect.String && !textual(v.Type())
		return s.Value, !number
	}
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Token.Value, textual(v.Type()) || isInt(v.Kind())
	case *ast.FloatNode:
		return n.Token.Value, textual(v.Type())
	case *ast.BoolNode:
		return fmt.Sprint(n.Value), v.Kind() == reflect.Bool
	}
	return "", false
}

func isInt(k reflect.Kind) bool {
	return k == reflect.Int || k == reflect.Int64 || k == reflect.Uint64
}

// mismatch says what a node is and what should stand there instead.
func mismatch(n ast.Node, want string) string {
	is := ""
	switch n := n.(type) {
	case *ast.NullNode:
		return "has no value; expected is " + want
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "anchors and aliases are not allowed; write the value out"
	case *ast.TagNode:
		return "YAML tags are not allowed; write the value alone"
	case *ast.MappingNode, *ast.MappingValueNode:
		is = "is a mapping"
	case *ast.SequenceNode:
		is = "is a list"
	case *ast.StringNode:
		is = fmt.Sprintf("%q is text", n.Value)
	case *ast.LiteralNode:
		is = "is a block of text"
	case *ast.IntegerNode:
		is = n.Token.Value + " is a number"
	case *ast.FloatNode:
		is = n.Token.Value + " is a number with a fraction"
	case *ast.BoolNode:
		is = n.Token.Value + " is a truth value"
	default:
		is = fmt.Sprintf("is a YAML %s", strings.ToLower(n.Type().String()))
	}
	return is + ", not " + want
}

func indexOf(fields []field, key string) int {
	for i, f := range fields {
		if f.key == key {
			return i
		}
	}
	return -1
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

func didYouMean(fields []field, key string) string {
	if near := nearest(strings.ToLower(key), keysOf(fields)); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return "; known here: " + strings.Join(keysOf(fields), ", ")
}

func suggestion(fields []field, key string) string {
	if near := nearest(strings.ToLower(key), keysOf(fields)); near != "" {
		return fields[indexOf(fields, near)].sample()
	}
	return ""
}
