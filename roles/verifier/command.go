package verifier

import (
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"statnet/internal/node"
)

// Command is `statnet verifier`.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "verifier --config FILE",
		Short: "Check every step and keep the ledger",
		Long:  "Runs one verifier until SIGTERM: it orders, checks and co-signs every record of a query.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, _, err := node.FromFlags(cmd.Flags(), "verifier")
			if err != nil {
				return err
			}
			defer n.Close()
			cfg := n.Config
			api, err := net.Listen("tcp", cfg.Listen)
			if err != nil {
				return n.Explain(fmt.Errorf("listen: %w", err))
			}
			raft, err := net.Listen("tcp", cfg.RaftListen)
			if err != nil {
				_ = api.Close()
				return n.Explain(fmt.Errorf("raft_listen: %w", err))
			}
			v, err := Open(n, api, raft)
			if err != nil {
				return n.Explain(err)
			}
			v.Ready = func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }
			n.Log.Info("verifier runs", "id", cfg.ID, "listen", cfg.Listen, "raft", cfg.RaftListen, "cluster", n.Cluster.Name)
			return v.Run(cmd.Context())
		},
	}
}
