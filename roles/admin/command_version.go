package admin

import (
	"runtime"

	"github.com/spf13/cobra"

	"statnet/config"
	"statnet/internal/cli"
)

// ProofSystem is what answers are proven with: nothing, in this version. It is
// said wherever a reader could think otherwise.
const ProofSystem = "none"

// Version prints what this binary is.
func Version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, platform, parameter set and proof system",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			globals, err := cli.GlobalsFrom(cmd.Flags())
			if err != nil {
				return err
			}
			out := struct {
				Schema   string `json:"schema"`
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
				Params   string `json:"params"`
				Proofs   string `json:"proofs"`
			}{"statnet.version.v1", cli.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, config.ParamsID, ProofSystem}
			rows := cli.Rows{Head: []string{"what", "value"}}
			rows.Add("version", out.Version)
			rows.Add("go", out.Go)
			rows.Add("platform", out.Platform)
			rows.Add("params", out.Params)
			rows.Add("proofs", out.Proofs)
			return cli.Print(cmd.OutOrStdout(), globals.Output, out, rows)
		},
	}
}
