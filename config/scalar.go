package config

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"time"
)

// decimal is the one spelling of a whole number: no 0x, 0o, 1_000, +1, 007.
var decimal = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// setText sets a scalar field from text: file, environment and defaults share
// it. It does not check enum.
func setText(v reflect.Value, text string) error {
	if textual(v.Type()) {
		return setTextual(v, text)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		return setBool(v, text)
	case reflect.Int, reflect.Int64:
		return setInt(v, text)
	case reflect.Uint64:
		return setUint(v, text)
	default:
		return fmt.Errorf("%s cannot be written as one word", v.Type())
	}
	return nil
}

func setTextual(v reflect.Value, text string) error {
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		if v.Type() == reflect.TypeFor[time.Time]() {
			return fmt.Errorf("%q is not a time in RFC 3339 form", text)
		}
		return err
	}
	if at, ok := v.Addr().Interface().(*time.Time); ok {
		*at = at.UTC()
	}
	return nil
}

func setBool(v reflect.Value, text string) error {
	if text != "true" && text != "false" {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	v.SetBool(text == "true")
	return nil
}

func setInt(v reflect.Value, text string) error {
	if !decimal.MatchString(text) {
		return fmt.Errorf("%q is not a whole number in decimal digits", text)
	}
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		return fmt.Errorf("%s does not fit %d bits", text, v.Type().Bits())
	}
	v.SetInt(n)
	return nil
}

func setUint(v reflect.Value, text string) error {
	if !decimal.MatchString(text) {
		return fmt.Errorf("%q is not a whole number in decimal digits", text)
	}
	n, err := strconv.ParseUint(text, 10, v.Type().Bits())
	if err != nil {
		return fmt.Errorf("%s is not between 0 and 2^%d", text, v.Type().Bits())
	}
	v.SetUint(n)
	return nil
}

// want names the type of a field for people.
func want(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return "a duration"
	case t == reflect.TypeFor[Hex]():
		return "hexadecimal digits"
	case t == reflect.TypeFor[time.Time]():
		return "a time"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	default:
		return "a mapping"
	}
}
