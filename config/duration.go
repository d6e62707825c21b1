package config

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Duration is a span of time as people write it in a file or flag: 90s, 5m,
// 36h, 7d, 2w, or a chain such as 1d12h. A day is 24 hours and a week seven
// days, always: calendars and summer time play no part.
//
// A bare number is refused. "30" has been seen to mean 30 nanoseconds to one
// library and 30 seconds to its reader.
//
// It satisfies pflag.Value, so that flags and files share one parser.
type Duration time.Duration

// longUnits are the units that the standard library does not know, in hours.
var longUnits = map[string]time.Duration{"d": 24, "w": 7 * 24}

// ParseDuration reads a duration. The sign is kept: whether a negative span
// makes sense is for the caller to say.
func ParseDuration(s string) (Duration, error) {
	rest, negative := s, false
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		negative = rest[0] == '-'
		rest = rest[1:]
	}
	if rest == "" {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	var total time.Duration
	for rest != "" {
		number, unit, tail := cutTerm(rest)
		switch {
		case number == "":
			return 0, fmt.Errorf("%q is not a duration", s)
		case unit == "":
			return 0, fmt.Errorf("%s has no unit", s)
		}
		part, err := parseTerm(number, unit)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", s, err)
		}
		if total > math.MaxInt64-part {
			return 0, fmt.Errorf("%s is longer than 292 years", s)
		}
		total += part
		rest = tail
	}
	if negative {
		total = -total
	}
	return Duration(total), nil
}

// cutTerm splits "36h5m" into "36", "h" and "5m".
func cutTerm(s string) (number, unit, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		return s, "", ""
	}
	j := strings.IndexFunc(s[i:], func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
	if j < 0 {
		return s[:i], s[i:], ""
	}
	return s[:i], s[i : i+j], s[i+j:]
}

func parseTerm(number, unit string) (time.Duration, error) {
	hours, long := longUnits[unit]
	if !long {
		d, err := time.ParseDuration(number + unit)
		if err != nil {
			return 0, fmt.Errorf("unknown unit or number %q (units: ns us ms s m h d w)", number+unit)
		}
		return d, nil
	}
	d, err := time.ParseDuration(number + "h")
	if err != nil {
		return 0, fmt.Errorf("unknown number %q", number)
	}
	if d > math.MaxInt64/hours {
		return 0, fmt.Errorf("longer than 292 years")
	}
	return d * hours, nil
}

// Std returns the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes the shortest form that ParseDuration reads back: 1m, 36h, 7d.
func (d Duration) String() string {
	const day = 24 * time.Hour
	v := time.Duration(d)
	switch {
	case v != 0 && v%(7*day) == 0:
		return fmt.Sprintf("%dw", v/(7*day))
	case v != 0 && v%day == 0:
		return fmt.Sprintf("%dd", v/day)
	}
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Set and Type make a *Duration a command-line flag.
func (d *Duration) Set(s string) error { return d.UnmarshalText([]byte(s)) }

// Type names the value in `--help`.
func (d *Duration) Type() string { return "duration" }
