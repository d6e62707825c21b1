package querier

import (
	"testing"
	"time"

	"statnet/internal/cli"
)

// TestSnap: inwards to whole epochs, and only to those that have settled.
func TestSnap(t *testing.T) {
	const e = 300
	base := int64(1_795_000_200) // a multiple of 300
	at := func(s int64) time.Time { return time.Unix(base+s, 0) }
	for _, tt := range []struct {
		name          string
		from, to, now time.Time
		want          Window // relative to base; zero for a usage error
	}{
		{"whole epochs", at(0), at(2 * e), at(10 * e), Window{0, 2 * e}},
		{"one second inside both ends", at(1), at(3*e - 1), at(10 * e), Window{e, 2 * e}},
		{"one second outside both ends", at(-1), at(2*e + 1), at(10 * e), Window{0, 2 * e}},
		{"a nanosecond after the start", at(0).Add(1), at(2 * e), at(10 * e), Window{e, 2 * e}},
		{"a nanosecond before the end", at(0), at(2 * e).Add(-1), at(10 * e), Window{0, e}},
		{"one epoch", at(0), at(e), at(10 * e), Window{0, e}},
		{"one second short of an epoch", at(0), at(e - 1), at(10 * e), Window{}},
		{"an epoch across a border", at(1), at(e + 1), at(10 * e), Window{}},
		{"settled at this second", at(0), at(2 * e), at(2*e + 180), Window{0, 2 * e}},
		{"settled in a second", at(0), at(2 * e), at(2*e + 179), Window{0, e}},
		{"end in the future", at(0), at(100 * e), at(2*e + 180), Window{0, 2 * e}},
		{"nothing settled", at(0), at(2 * e), at(e + 179), Window{}},
		{"empty", at(e), at(e), at(10 * e), Window{}},
		{"backwards", at(2 * e), at(e), at(10 * e), Window{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Snap(tt.from, tt.to, tt.now)
			want := tt.want
			if want != (Window{}) {
				want = Window{want.From + base, want.To + base}
			}
			if got != want || (err == nil) != (want != Window{}) {
				t.Errorf("Snap = %v, %v, want %v", got, err, want)
			}
			if err != nil && cli.CodeOf(err) != cli.Usage {
				t.Errorf("exit code = %d, want %d", cli.CodeOf(err), cli.Usage)
			}
		})
	}
}
