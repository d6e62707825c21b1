package gateway

import (
	"errors"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"statnet/config"
	"statnet/internal/node"
	"statnet/internal/nodeconfig"
	"statnet/store"
)

// Command is `statnet gateway`.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "gateway --config FILE",
		Short: "Collect heartbeats; answer questions with encrypted sums",
		Long:  "Runs one gateway until SIGTERM: it finds its patients' heartbeats, keeps them on its disk and answers what the policy allows.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			n, _, err := node.FromFlags(cmd.Flags(), config.RoleGateway)
			if err != nil {
				return err
			}
			defer n.Close()
			cfg := n.Config
			g, err := Open(n)
			var source *SourceError
			if errors.As(err, &source) {
				return nodeconfig.Explain("start gateway "+cfg.ID, cfg.File, err)
			}
			if errors.Is(err, store.ErrLocked) {
				return n.InUse(err)
			}
			if err != nil {
				return n.Explain(err)
			}
			defer func() { err = errors.Join(err, g.Close()) }()
			g.Ready = func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }
			n.Log.Info("gateway runs", "id", cfg.ID, "patches", len(cfg.Patches), "cluster", n.Cluster.Name)
			return g.Run(cmd.Context())
		},
	}
}
