package auditor

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"statnet/chain/note"
	"statnet/internal/cli"
	"statnet/internal/node"
	"statnet/internal/nodeconfig"
)

// maxReceipt is the largest receipt that is read, in bytes.
const maxReceipt = 64 << 20

// Command is `statnet ledger`.
func Command() *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Read and check the ledger of questions and answers"}
	cmd.AddCommand(logCommand(), showCommand(), checkpointCommand(), verifyCommand())
	return cmd
}

// with opens the node of --config and reads its ledger.
func with(cmd *cobra.Command, use func(*nodeconfig.Setup, *Ledger) error) error {
	n, setup, err := open(cmd)
	if err != nil {
		return err
	}
	defer n.Close()
	return read(cmd.Context(), n, func(l *Ledger) error { return use(setup, l) })
}

func open(cmd *cobra.Command) (*node.Node, *nodeconfig.Setup, error) {
	return node.FromFlags(cmd.Flags(), "querier", "operator")
}

func logCommand() *cobra.Command {
	var from uint64
	var count int
	var all bool
	cmd := &cobra.Command{
		Use: "log", Short: "List the records", Args: cobra.NoArgs,
		Long: "Lists the records of the co-signed ledger, every one of them checked. Without --all, the clock records (CUT) are left out.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(setup *nodeconfig.Setup, l *Ledger) error {
				lines := []Line{}
				rows := cli.Rows{Head: []string{"index", "type", "signer", "query", ""}}
				for i := from; i < l.Size && len(lines) < count; i++ {
					leaf, err := l.Leaf(i)
					if err != nil {
						return err
					}
					line, err := line(i, leaf)
					if err != nil {
						return err
					}
					if line.Type == "CUT" && !all {
						continue
					}
					lines = append(lines, line)
					rows.Add(line.Index, line.Type, line.Signer, line.Query, line.Summary)
				}
				return cli.Print(cmd.OutOrStdout(), setup.Globals.Output, lines, rows)
			})
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "first record")
	cmd.Flags().IntVar(&count, "count", 1000, "at most so many records")
	cmd.Flags().BoolVar(&all, "all", false, "clock records, too")
	return cmd
}

func showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show INDEX", Short: "Show one record whole", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil {
				return cli.Usagef("statnet ledger log", "%s: not the index of a record, e.g. 0", args[0])
			}
			return with(cmd, func(setup *nodeconfig.Setup, l *Ledger) error {
				if index >= l.Size {
					return cli.Usagef("statnet ledger log", "%d: the ledger has %d records, the last one is %d", index, l.Size, l.Size-1)
				}
				leaf, err := l.Leaf(index)
				if err != nil {
					return err
				}
				s, err := show(index, leaf)
				if err != nil {
					return err
				}
				rows := cli.Rows{Head: []string{"", ""}}
				rows.Add("index", s.Index)
				rows.Add("type", s.Type)
				rows.Add("signer", s.Signer)
				rows.Add("leaf hash", s.LeafHash)
				rows.Add("payload", string(s.Payload))
				return cli.Print(cmd.OutOrStdout(), setup.Globals.Output, s, rows)
			})
		},
	}
}

func checkpointCommand() *cobra.Command {
	return &cobra.Command{
		Use: "checkpoint", Short: "Print the newest co-signed checkpoint", Args: cobra.NoArgs,
		Long: "Prints the newest checkpoint that a quorum has signed (C2SP tlog-checkpoint with tlog-cosignature lines), after checking the ledger under it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(_ *nodeconfig.Setup, l *Ledger) error {
				_, err := cmd.OutOrStdout().Write(l.Checkpoint())
				return err
			})
		},
	}
}

func verifyCommand() *cobra.Command {
	var policyFile string
	cmd := &cobra.Command{
		Use: "verify [FILE]", Short: "Check a receipt without a network, or the whole ledger", Args: cobra.MaximumNArgs(1),
		Long: `With FILE: checks a receipt that statnet query --receipt wrote, without any network. Whose signatures count comes
from --policy, or from the cluster of --config; never from the receipt itself.
Without FILE: reads the whole ledger from the verifiers, hashes every record, applies every rule, and compares the
checkpoints of all verifiers.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return verifyLive(cmd)
			}
			policy, err := pinned(cmd, policyFile)
			if err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return cli.Usagef("statnet ledger verify --help", "%v", err)
			}
			if info.Size() > maxReceipt {
				return cli.Usagef("statnet ledger verify --help", "%s has %d bytes, a receipt has at most %d", args[0], info.Size(), maxReceipt)
			}
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			report, err := verifyFile(data, policy)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, l := range report.Lines {
				fmt.Fprintln(out, l)
			}
			for _, w := range report.Warnings {
				fmt.Fprintln(out, "WARNING:", w)
			}
			for _, c := range report.NotChecked {
				fmt.Fprintln(out, "NOT CHECKED:", c)
			}
			fmt.Fprintln(out, "OK")
			return nil
		},
	}
	cmd.Flags().StringVar(&policyFile, "policy", "", "file that says whose signatures count (C2SP tlog-policy)")
	return cmd
}

// pinned is the policy that the caller got elsewhere than from the receipt.
func pinned(cmd *cobra.Command, file string) (note.Policy, error) {
	if file == "" {
		n, _, err := open(cmd)
		if err != nil {
			return note.Policy{}, err
		}
		defer n.Close()
		return n.Policy, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return note.Policy{}, cli.Usagef("statnet ledger verify --help", "--policy: %v", err)
	}
	p, err := note.ParsePolicy(text)
	if err != nil {
		return note.Policy{}, cli.Usagef("statnet ledger verify --help", "--policy %s: %v", file, err)
	}
	return p, nil
}

// verifyLive checks the ledger as the verifiers show it now.
func verifyLive(cmd *cobra.Command) error {
	return with(cmd, func(setup *nodeconfig.Setup, l *Ledger) error {
		out := cmd.OutOrStdout()
		fmt.Fprintf(out, "ok  %d records of %s hashed and applied\n", l.Size, l.Origin)
		fmt.Fprintf(out, "ok  checkpoint co-signed by %d of %d verifiers\n", setup.Cluster.Q(), setup.Cluster.N())
		fmt.Fprintln(out, "NOT CHECKED: ciphertexts, sums and shares; a verifier's verdict on them is in the ledger")
		fmt.Fprintln(out, "OK")
		return nil
	})
}
