package config

import "testing"

func TestHexHasOneSpelling(t *testing.T) {
	for _, tt := range []struct {
		text string
		ok   bool
	}{{"", true}, {"00ff", true}, {"0a", true}, {"0A", false}, {"0", false}, {"0x00", false}, {"zz", false}, {"0 0", false}} {
		var h Hex
		err := h.UnmarshalText([]byte(tt.text))
		if (err == nil) != tt.ok || (tt.ok && h.String() != tt.text) {
			t.Errorf("Hex %q = %s, %v, want ok = %t", tt.text, h, err, tt.ok)
		}
	}
}
