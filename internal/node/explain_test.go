package node_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"statnet/chain"
	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/disk"
	"statnet/internal/node"
)

// TestExplainSaysWhatToDo: what an administrator can mend has an exit code of
// its own and a next step; what she cannot passes unchanged.
func TestExplainSaysWhatToDo(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	_, taken := net.Listen("tcp", lis.Addr().String())
	for _, tt := range []struct {
		name, role string
		err        error
		code       cli.Code
		next       string
	}{
		{"port in use", "server", fmt.Errorf("listen: %w", taken), cli.Usage, "change listen in"},
		{"data directory in use", "server", fmt.Errorf("open vault: %w", disk.ErrLocked), cli.Usage, "end the other statnet process"},
		{"another command of the same doctor", "querier", fmt.Errorf("open: %w", disk.ErrLocked), cli.Unavailable, "when the other one has ended"},
		{"data directory not writable", "gateway", fmt.Errorf("open: %w", os.ErrPermission), cli.Usage, "ls -ld data"},
		{"wiped verifier", "verifier", fmt.Errorf("open: %w", chain.ErrInstance), cli.Usage, "under a new id"},
		{"damaged copy of a reader", "querier", disk.Damaged("data/ledger.db", "page 0"), cli.Unexpected, "rm data/ledger.db"},
		{"damaged file of a verifier", "verifier", disk.Damaged("data/ledger.db", "page 0"), cli.Unexpected, "under a new id"},
		{"damaged file that is no copy", "server", disk.Damaged("data/server.db", "page 0"), cli.Unexpected, "restore data"},
		{"explained already", "server", &cli.Error{Code: cli.Unavailable, Next: "wait"}, cli.Unavailable, "wait"},
		{"anything else", "server", errors.New("x"), cli.Unexpected, ""},
	} {
		n := &node.Node{Config: &config.Node{Role: tt.role, ID: "a", DataDir: "data", File: "node.yaml"}}
		err := n.Explain(tt.err)
		var e *cli.Error
		next := ""
		if errors.As(err, &e) {
			next = e.Next
		}
		if cli.CodeOf(err) != tt.code || !strings.Contains(next, tt.next) || (tt.next == "" && next != "") {
			t.Errorf("%s: exit %d, next %q, want %d, %q", tt.name, cli.CodeOf(err), next, tt.code, tt.next)
		}
		if !errors.Is(err, tt.err) && e != tt.err {
			t.Errorf("%s: the cause is lost", tt.name)
		}
	}
	if err := (&node.Node{Config: &config.Node{}}).Explain(nil); err != nil {
		t.Errorf("Explain(nil) = %v", err)
	}
}
