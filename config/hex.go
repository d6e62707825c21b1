package config

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Hex is a public byte string written as lower-case hexadecimal digits: a key,
// a digest, an identifier. One value has one spelling, so upper case is
// refused. Lengths are checked by Validate, which knows what the bytes are.
type Hex []byte

// String writes the digits.
func (h Hex) String() string { return hex.EncodeToString(h) }

// MarshalText writes the digits.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads an even number of lower-case digits.
func (h *Hex) UnmarshalText(text []byte) error {
	for i, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("character %d is %q, not one of 0-9a-f", i+1, c)
		}
	}
	if len(text)%2 != 0 {
		return errors.New("odd number of hexadecimal digits")
	}
	out := make([]byte, len(text)/2)
	if _, err := hex.Decode(out, text); err != nil {
		return fmt.Errorf("read hexadecimal digits: %w", err)
	}
	*h = out
	return nil
}
