package config

import (
	"strings"
	"testing"
)

func TestExcerptKeepsTheCaretInSight(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, tt := range []struct {
		name, line string
		col        int
		want       string
		wantCol    int
	}{
		{"short", "id: x", 5, "id: x", 5},
		{"behind the end", "id:", 4, "id:", 4},
		{"far behind the end", "id:", 9, "id:", 4},
		{"tab", "\tid: x", 2, " id: x", 2},
		{"escape sequence", "id: \x1b[31mx", 5, "id: ?[31mx", 5},
		{"exactly the width", long[:120], 120, long[:120], 120},
		{"long, at the start", long, 1, long[:119] + "…", 1},
		{"long, in the middle", long, 150, "…" + long[:118] + "…", 60},
		{"long, at the end", long, 300, "…" + long[:119], 120},
		{"long, behind the end", long, 301, "…" + long[:119], 121},
	} {
		got, col := excerpt(tt.line, tt.col)
		if got != tt.want || col != tt.wantCol {
			t.Errorf("%s: excerpt = %q, %d, want %q, %d", tt.name, got, col, tt.want, tt.wantCol)
		}
	}
}

func TestNearestNeedsToBeNear(t *testing.T) {
	words := []string{"gateway", "server", "rr", "hr"}
	for _, tt := range []struct{ word, want string }{
		{"gatway", "gateway"}, {"gateways", "gateway"}, {"sevrer", "server"}, {"servant", ""}, {"r", "rr"}, {"", ""}, {"xy", ""},
	} {
		if got := nearest(tt.word, words); got != tt.want {
			t.Errorf("nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
