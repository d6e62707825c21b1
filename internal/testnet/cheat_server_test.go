//go:build e2e

package testnet_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"statnet/chain/record"
	"statnet/internal/cli"
	"statnet/internal/testnet"
	"statnet/roles/server"
	"statnet/stat"
)

// again stops a node and starts it with another double.
func again[D any](t *testing.T, n *testnet.Net, id string, double D) {
	t.Helper()
	n.Kill(id)
	testnet.Replace(n, id, double)
	n.Restart(t.Context(), id)
}

// TestCheatingServersOpenNothing: s1 coordinates, s1 and s2 open. Whatever they
// do, no number is shown that is not the answer.
func TestCheatingServersOpenNothing(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Gateways: 2, Patients: 4, Timeout: time.Minute})
	for _, tt := range []struct {
		name   string
		server string
		double func(*server.Server)
		words  []string
	}{
		{"leaves one ciphertext out", "s1", testnet.Sums(testnet.DropsOne), []string{"VERIFICATION FAILED", "server/s1"}},
		{"adds one twice", "s1", testnet.Sums(testnet.DoublesOne), []string{"VERIFICATION FAILED", "server/s1"}},
		{"posts a wrong digest", "s1", testnet.WrongC0, []string{"VERIFICATION FAILED", "server/s1"}},
		{"sends bytes that are no share", "s2", testnet.Shares(testnet.NoShare), []string{"VERIFICATION FAILED", "server/s2"}},
		{"sends another share", "s2", testnet.Shares(testnet.OtherShare), []string{"VERIFICATION FAILED"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			again(t, n, tt.server, tt.double)
			a, err := n.Ask(t.Context(), n.Question(stat.Variance, stat.RR))
			code(t, a, err, cli.VerificationFailed, tt.words...)
			n.Kill(tt.server)
			n.Reform(tt.server)
			n.Restart(t.Context(), tt.server)
		})
	}
	a := ask(t, n, n.Question(stat.Variance, stat.RR))
	check(t, n, a, "gw-1", "gw-2")
	if a.Query.KeyEpoch != 1 {
		t.Errorf("key epoch after ten restarts = %d, want 1: the vault keeps it", a.Query.KeyEpoch)
	}
}

// TestSilentCoordinatorIsReplaced: the next server posts sum and result.
func TestSilentCoordinatorIsReplaced(t *testing.T) {
	t.Parallel()
	for name, double := range map[string]func(*server.Server){
		"posts nothing":                 testnet.NeverPosts[*record.Aggregate],
		"posts a sum over a short list": testnet.ShortList, // the ledger refuses it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := testnet.Start(t, testnet.Options{Gateways: 1, Patients: 3, Timeout: time.Minute,
				Server: map[string]func(*server.Server){"s1": double}})
			a := ask(t, n, n.Question(stat.Variance, stat.RR))
			check(t, n, a, "gw-1")
			if got := a.Query.Total().Server; got != "server/s2" {
				t.Errorf("the sum was posted by %s, want server/s2", got)
			}
		})
	}
}

// TestSilentServerIsLeftOut: a server that is silent during the opening is
// replaced once, and the answer stands.
func TestSilentServerIsLeftOut(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Gateways: 1, Patients: 3, Timeout: time.Minute,
		Server: map[string]func(*server.Server){"s2": testnet.NeverPosts[*record.KeySwitch]}})
	a := ask(t, n, n.Question(stat.Variance, stat.RR))
	check(t, n, a, "gw-1")
	if got := a.Query.Active(); len(a.Query.Totals) != 2 || !slices.Equal(got, []string{"server/s1", "server/s3"}) {
		t.Errorf("opened by %v after %d sums, want s1 and s3 after 2", got, len(a.Query.Totals))
	}
	if !strings.Contains(n.Logs("s1"), "silent=[s2]") {
		t.Errorf("s1 does not name the silent server:\n%s", n.Logs("s1"))
	}
}

// TestKilledServerSendsTheSameShare: the share that its vault keeps, and no
// other.
func TestKilledServerSendsTheSameShare(t *testing.T) {
	t.Parallel()
	share := make(chan record.Hash, 1)
	n := testnet.Start(t, testnet.Options{Gateways: 1, Patients: 3, Timeout: time.Minute,
		Server: map[string]func(*server.Server){"s2": testnet.SilentOpening(share)}})
	var want record.Hash
	a := askWhile(t, n, n.Question(stat.Variance, stat.RR), func() {
		want = <-share
		n.Kill("s2")
		n.Reform("s2")
		n.Restart(t.Context(), "s2")
	})
	check(t, n, a, "gw-1")
	if got := a.Query.Shares()["server/s2"].Record.Share; got != want {
		t.Errorf("share after the restart = %x, before %x", got[:8], want[:8])
	}
}

// TestWrongSeedIsComplainedAbout: a dealer that sends a wrong seed ends the key
// epoch, and the next one is made with fresh secrets.
func TestWrongSeedIsComplainedAbout(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Gateways: 1, Patients: 3,
		Server: map[string]func(*server.Server){"s1": testnet.DealsWrongSeeds}})
	a := ask(t, n, n.Question(stat.Variance, stat.RR))
	check(t, n, a, "gw-1")
	if a.Query.KeyEpoch != 2 {
		t.Errorf("key epoch = %d, want 2: the first one was spoilt", a.Query.KeyEpoch)
	}
	if !strings.Contains(n.Logs("s2")+n.Logs("s3"), "complaint about a sub-key") {
		t.Error("nobody complained")
	}
}
