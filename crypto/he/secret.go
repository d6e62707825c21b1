package he

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const secretText = "he: secret"

var errSecret = errors.New(secretText)

// hidden is embedded in every type that holds a secret. Printing, logging or
// encoding such a value gives "he: secret", whatever verb or handler is used.
// Binary encoders get an error: a marker stored in place of a key would be
// noticed too late.
type hidden struct{}

// String implements fmt.Stringer.
func (hidden) String() string { return secretText }

// GoString implements fmt.GoStringer.
func (hidden) GoString() string { return secretText }

// Format implements fmt.Formatter: %x and %d would bypass String.
func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secretText) }

// LogValue implements slog.LogValuer.
func (hidden) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText implements encoding.TextMarshaler.
func (hidden) MarshalText() ([]byte, error) { return []byte(secretText), nil }

// MarshalJSON implements json.Marshaler.
func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + secretText + `"`), nil }

// MarshalYAML implements the marshaler interface of the usual YAML packages.
func (hidden) MarshalYAML() (any, error) { return secretText, nil }

// MarshalBinary refuses: secrets leave this package through Export only.
func (hidden) MarshalBinary() ([]byte, error) { return nil, errSecret }

// MarshalCBOR refuses, like MarshalBinary.
func (hidden) MarshalCBOR() ([]byte, error) { return nil, errSecret }

// GobEncode refuses, like MarshalBinary.
func (hidden) GobEncode() ([]byte, error) { return nil, errSecret }
