package verifier

import (
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"statnet/internal/node"
	"statnet/internal/nodeconfig"
)

// Command is `statnet verifier`.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "verifier --config FILE",
		Short: "Check every step and keep the ledger",
		Long:  "Runs one verifier until SIGTERM: it orders, checks and co-signs every record of a query.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			setup, err := nodeconfig.Load(cmd.Flags(), "verifier")
			if err != nil {
				return err
			}
			cfg, log := setup.Node, setup.Log()
			n, err := node.Open(cfg, setup.Cluster, setup.Genesis, log)
			if err != nil {
				return nodeconfig.Explain("start verifier "+cfg.ID, cfg.File, err)
			}
			defer n.Close()
			api, err := net.Listen("tcp", cfg.Listen)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			raft, err := net.Listen("tcp", cfg.RaftListen)
			if err != nil {
				_ = api.Close()
				return fmt.Errorf("raft_listen: %w", err)
			}
			v, err := Open(n, api, raft)
			if err != nil {
				return err
			}
			v.Ready = func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }
			log.Info("verifier runs", "id", cfg.ID, "listen", cfg.Listen, "raft", cfg.RaftListen, "cluster", n.Cluster.Name)
			return v.Run(cmd.Context())
		},
	}
}
