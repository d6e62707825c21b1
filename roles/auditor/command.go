package auditor

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

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
			if count < 1 {
				return cli.Usagef("statnet ledger log --help", "--count %d: must be at least 1, e.g. 1000", count)
			}
			return with(cmd, func(setup *nodeconfig.Setup, l *Ledger) error {
				if from >= l.Size {
					return cli.Usagef("statnet ledger log", "--from %d: the ledger has %d records, e.g. %d", from, l.Size, l.Size-1)
				}
				lines := []Line{}
				rows := cli.Rows{Head: []string{"index", "type", "signer", "query", "what"}}
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
				return cli.Usagef("statnet ledger log", "INDEX %s: must be a whole number, e.g. 0", args[0])
			}
			return with(cmd, func(setup *nodeconfig.Setup, l *Ledger) error {
				if index >= l.Size {
					return cli.Usagef("statnet ledger log", "INDEX %d: the ledger has %d records, e.g. %d for the last one", index, l.Size, l.Size-1)
				}
				leaf, err := l.Leaf(index)
				if err != nil {
					return err
				}
				s, err := show(index, leaf)
				if err != nil {
					return err
				}
				rows := cli.Rows{Head: []string{"what", "value"}}
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
			return with(cmd, func(setup *nodeconfig.Setup, l *Ledger) error {
				text := l.Checkpoint()
				if setup.Globals.Output == cli.Table { // the note itself, byte for byte
					_, err := cmd.OutOrStdout().Write(text)
					return err
				}
				s, err := l.Policy.Verify(text)
				if err != nil {
					return err
				}
				c := Signed{Schema: "statnet.checkpoint.v1", Origin: s.Origin, Size: s.Size,
					Root: hex.EncodeToString(s.Root[:]), Signers: s.Signers, Note: string(text)}
				rows := cli.Rows{Head: []string{"what", "value"}}
				rows.Add("origin", c.Origin)
				rows.Add("size", c.Size)
				rows.Add("root", c.Root)
				rows.Add("signers", strings.Join(c.Signers, " "))
				return cli.Print(cmd.OutOrStdout(), setup.Globals.Output, c, rows)
			})
		},
	}
}

// Signed is a checkpoint for programs.
type Signed struct {
	Schema  string   `json:"schema"` // "statnet.checkpoint.v1"
	Origin  string   `json:"origin"`
	Size    uint64   `json:"size"`
	Root    string   `json:"root"` // hexadecimal
	Signers []string `json:"signers"`
	Note    string   `json:"note"`
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
			data, err := readReceipt(args[0])
			if err != nil {
				return err
			}
			report, err := verifyFile(data, policy)
			if err != nil {
				return err
			}
			return printChecked(cmd, Checked{Lines: report.Lines, Warnings: report.Warnings, NotChecked: report.NotChecked})
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

// readReceipt reads a file that claims to be a receipt.
func readReceipt(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, cli.Usagef("statnet ledger verify --help", "FILE %s: no such file can be read, e.g. the one that statnet query --receipt wrote: %v", path, err)
	case !info.Mode().IsRegular():
		return nil, cli.Usagef("statnet ledger verify --help", "FILE %s: must be a file, e.g. the one that statnet query --receipt wrote", path)
	case info.Size() > maxReceipt:
		return nil, cli.Usagef("statnet ledger verify --help", "FILE %s: %d bytes, a receipt has at most %d", path, info.Size(), maxReceipt)
	}
	return os.ReadFile(path)
}

// Checked is what a verification that succeeded says; one that fails is an
// error, and nothing of it is printed.
type Checked struct {
	Schema     string   `json:"schema"` // "statnet.verify.v1"
	OK         bool     `json:"ok"`     // always true
	Lines      []string `json:"checked"`
	Warnings   []string `json:"warnings,omitempty"`
	NotChecked []string `json:"not_checked"`
}

func printChecked(cmd *cobra.Command, c Checked) error {
	globals, err := cli.GlobalsFrom(cmd.Flags())
	if err != nil {
		return err
	}
	c.Schema, c.OK = "statnet.verify.v1", true
	rows := cli.Rows{Head: []string{"result", "what"}}
	text := ""
	add := func(result, separator string, lines []string) {
		for _, l := range lines {
			rows.Add(result, l)
			text += result + separator + l + "\n"
		}
	}
	for i, l := range c.Lines {
		c.Lines[i] = strings.TrimPrefix(l, "ok  ")
	}
	add("ok", "  ", c.Lines)
	add("WARNING", ": ", c.Warnings)
	add("NOT CHECKED", ": ", c.NotChecked)
	if globals.Output != cli.Table {
		return cli.Print(cmd.OutOrStdout(), globals.Output, c, rows)
	}
	_, err = io.WriteString(cmd.OutOrStdout(), text+"OK\n")
	return err
}

// verifyLive checks the ledger as the verifiers show it now.
func verifyLive(cmd *cobra.Command) error {
	return with(cmd, func(setup *nodeconfig.Setup, l *Ledger) error {
		agree, err := l.rehash()
		if err != nil {
			return err
		}
		c := Checked{Lines: []string{
			fmt.Sprintf("%d records of %s hashed and applied", l.Size, l.Origin),
			fmt.Sprintf("checkpoint: size %d, co-signed by at least %d of %d verifiers", l.Size, setup.Cluster.Q(), setup.Cluster.N()),
			fmt.Sprintf("checkpoints of %d of %d verifiers compared: one ledger", agree, setup.Cluster.N()),
		}, NotChecked: []string{"ciphertexts, sums and shares; a verifier's verdict on them is in the ledger"}}
		for _, s := range l.Shown {
			if s.Note.Size == 0 {
				c.Warnings = append(c.Warnings, s.Verifier+" showed no co-signed checkpoint")
			}
		}
		return printChecked(cmd, c)
	})
}
