package server

import (
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"statnet/internal/node"
)

// Command is `statnet server`.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "server --config FILE",
		Short: "Hold a part of the collective key; add and switch ciphertexts",
		Long:  "Runs one server until SIGTERM: it passes questions to its gateways, adds what verifiers accepted and makes key-switch shares.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, _, err := node.FromFlags(cmd.Flags(), "server")
			if err != nil {
				return err
			}
			defer n.Close()
			cfg := n.Config
			vault, err := OpenVault(cfg.DataDir)
			if err != nil {
				return n.Explain(err)
			}
			defer vault.Close()
			lis, err := net.Listen("tcp", cfg.Listen)
			if err != nil {
				return n.Explain(fmt.Errorf("listen: %w", err))
			}
			s, err := Open(n, vault, lis)
			if err != nil {
				return n.Explain(err)
			}
			defer s.Close()
			s.Ready = func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }
			n.Log.Info("server runs", "id", cfg.ID, "listen", cfg.Listen, "cluster", n.Cluster.Name)
			return s.Run(cmd.Context())
		},
	}
}
