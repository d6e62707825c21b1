package config

import (
	"math"
	"strings"
	"testing"
)

func TestQuorumTable(t *testing.T) {
	for _, tt := range []struct {
		model   string
		n, f, q int
		want    string // wording of the mode, or part of the error after "error: "
	}{
		{Byzantine, 4, 1, 3, "byzantine f=1"},
		{Byzantine, 5, 1, 4, "byzantine f=1"},
		{Byzantine, 7, 2, 5, "byzantine f=2"},
		{Byzantine, 10, 3, 7, "byzantine f=3"},
		{Byzantine, 3, 1, 3, "byzantine f=1, not live"},
		{CrashOnly, 3, 0, 2, "crash-only"},
		{CrashOnly, 1, 0, 1, "crash-only"},
		{Byzantine, 4, 1, 2, "error: 2q > n+f is violated: 2*2 = 4, n+f = 4+1 = 5"},
		{Byzantine, 5, 1, 3, "error: 2q > n+f is violated: 2*3 = 6, n+f = 5+1 = 6"},
		{Byzantine, 3, 1, 2, "error: 2q > n+f is violated: 2*2 = 4, n+f = 3+1 = 4"},
		{Byzantine, 4, 1, 4, "error: q <= n-f is violated: q = 4, n-f = 4-1 = 3"},
		{Byzantine, 6, 2, 5, "error: q <= n-f is violated: q = 5, n-f = 6-2 = 4"},
		{Byzantine, 3, 0, 2, "error: fault_model crash-only"},
		{CrashOnly, 4, 1, 3, "error: faulty must be 0"},
		{CrashOnly, 4, 0, 2, "error: 2q > n+f is violated"},
		{Byzantine, 0, 0, 0, "error: 0 verifiers"},
		{Byzantine, 4, 4, 4, "error: faulty is 4"},
		{Byzantine, 4, -1, 3, "error: faulty is -1"},
		{Byzantine, 4, 1, 5, "error: quorum is 5"},
		{"", 4, 1, 3, "error: unknown fault model"},
	} {
		mode, err := CheckQuorum(tt.model, tt.n, tt.f, tt.q)
		got := mode.Describe(tt.f)
		if err != nil {
			got = "error: " + err.Error()
		}
		wantErr, isErr := strings.CutPrefix(tt.want, "error: ")
		if isErr && (err == nil || !strings.Contains(got, wantErr)) || !isErr && got != tt.want {
			t.Errorf("CheckQuorum(%s, %d/%d/%d) = %q, want %q", tt.model, tt.n, tt.f, tt.q, got, tt.want)
		}
	}
}

// TestDefaultQuorumIsAccepted for every size of cluster.
func TestDefaultQuorumIsAccepted(t *testing.T) {
	for n := 1; n <= MaxVerifiers; n++ {
		l := DefaultQuorum(n)
		if _, err := CheckQuorum(l.FaultModel, n, l.Faulty, l.Quorum); err != nil {
			t.Errorf("DefaultQuorum(%d) = %+v: %v", n, l, err)
		}
	}
}

// TestAcceptedQuorumsShareAnHonestVerifier counts instead of using the
// inequality: two quorums of q out of n overlap in at least 2q-n, and more than
// f of those must be left.
func TestAcceptedQuorumsShareAnHonestVerifier(t *testing.T) {
	for n := 1; n <= 12; n++ {
		for f := range n {
			for q := 1; q <= n; q++ {
				for _, model := range []string{Byzantine, CrashOnly} {
					mode, err := CheckQuorum(model, n, f, q)
					if err != nil {
						continue
					}
					if overlap := 2*q - n; overlap <= f {
						t.Errorf("%s %d/%d/%d accepted: two quorums may share only %d verifiers", model, n, f, q, overlap)
					}
					if mode == ModeByzantine && n-f < q {
						t.Errorf("%s %d/%d/%d is called live, but only %d are honest", model, n, f, q, n-f)
					}
				}
			}
		}
	}
}

func TestSubKeys(t *testing.T) {
	for _, tt := range []struct{ n, t, want int }{
		{3, 2, 3}, {3, 3, 3}, {4, 3, 6}, {5, 3, 10}, {6, 3, 15}, {7, 4, 35}, {16, 2, 16}, {16, 16, 16}, {1, 1, 1}, {3, 4, 0}, {3, 0, 0},
		{1000, 500, math.MaxInt},
	} {
		if got := SubKeys(tt.n, tt.t); got != tt.want {
			t.Errorf("SubKeys(%d, %d) = %d, want %d", tt.n, tt.t, got, tt.want)
		}
	}
	for _, tt := range []struct{ n, want int }{{1, 1}, {2, 2}, {3, 2}, {4, 3}, {5, 3}, {6, 6}, {7, 7}, {16, 16}} {
		if got := DefaultThreshold(tt.n); got != tt.want {
			t.Errorf("DefaultThreshold(%d) = %d, want %d", tt.n, got, tt.want)
		}
	}
}
