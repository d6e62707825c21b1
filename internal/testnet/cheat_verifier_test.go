//go:build e2e

package testnet_test

import (
	"slices"
	"strings"
	"testing"

	"statnet/chain/record"
	"statnet/internal/cli"
	"statnet/internal/testnet"
	"statnet/roles/gateway"
	"statnet/stat"
)

// TestOneBadVerifierDecidesNothing: v2 does what it likes, and so does gw-3,
// whose ciphertext is malformed. The answer is that of gw-1 and gw-2.
func TestOneBadVerifierDecidesNothing(t *testing.T) {
	t.Parallel()
	malformed := []record.Code{record.CodeMalformed}
	n := testnet.Start(t, testnet.Options{
		Gateway: map[string]func(*gateway.Gateway){"gw-3": testnet.Ciphertexts(testnet.ResidueTooLarge)}})
	for _, tt := range []struct {
		name   string
		double testnet.VerifierDouble
		why    []record.Code // that the exclusion of gw-3 may give
	}{
		{"finds everything valid", testnet.SaysAlways(record.CodeValid), malformed},
		// Two votes reject: which of their two reasons is shown, v2 may decide.
		{"finds everything invalid", testnet.SaysAlways(record.CodeInvalid), []record.Code{record.CodeMalformed, record.CodeInvalid}},
		{"has no opinion", testnet.SaysNothing(), malformed},
		{"throws blobs away", testnet.WithholdsBlobs(), malformed},
		{"gives other blobs", testnet.GivesOtherBlobs(make([]byte, 108592)), malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			again(t, n, "v2", tt.double)
			a := ask(t, n, n.Question(stat.Variance, stat.RR))
			check(t, n, a, "gw-1", "gw-2")
			if e := a.Query.Excluded(); len(e) != 1 || e[0].Path != "gateway/gw-3" || !slices.Contains(tt.why, e[0].Code) {
				t.Errorf("excluded = %v, want gw-3 as malformed", e)
			}
		})
	}
	t.Run("is killed", func(t *testing.T) {
		n.Kill("v2")
		check(t, n, ask(t, n, n.Question(stat.Mean, stat.RR)), "gw-1", "gw-2")
	})
	t.Run("is back, while another one is gone", func(t *testing.T) {
		n.Reform("v2")
		n.Restart(t.Context(), "v2")
		n.Kill("v3")
		check(t, n, ask(t, n, n.Question(stat.Mean, stat.RR)), "gw-1", "gw-2")
	})
}

// TestTwoSilentVerifiersStopQuestions: safe, not live; the doctor hears what is
// missing.
func TestTwoSilentVerifiersStopQuestions(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Gateways: 1, Patients: 3})
	ask(t, n, n.Question(stat.Mean, stat.RR)) // the doctor knows the ledger
	n.Kill("v2")
	n.Kill("v3")
	a, err := n.Ask(t.Context(), n.Question(stat.Mean, stat.RR))
	code(t, a, err, cli.Unavailable, "2 of 4 verifiers reachable, 3 must sign")
	if strings.Count(n.Logs("gw-1"), "msg=encrypted") != 1 {
		t.Error("gw-1 worked on a question that no quorum registered")
	}
}
