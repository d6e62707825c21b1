package status

import (
	"github.com/spf13/cobra"

	"statnet/internal/cli"
	"statnet/internal/node"
)

// Command is `statnet status`.
func Command() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how every node of the cluster is", Args: cobra.NoArgs,
		Long: "Asks every verifier and server how it is, and which gateways are attached. Exit code 7 if a node is not ok.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, setup, err := node.FromFlags(cmd.Flags())
			if err != nil {
				return err
			}
			defer n.Close()
			c := ask(cmd.Context(), n.Dialer, setup.Cluster)
			if err := cli.Print(cmd.OutOrStdout(), setup.Globals.Output, c, rows(c)); err != nil {
				return err
			}
			if !c.Healthy() {
				return &cli.Error{Code: cli.Unavailable, What: "some nodes are not ok", Cause: c.ailing(), Next: c.remedy()}
			}
			return nil
		},
	}
}
