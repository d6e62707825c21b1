package admin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/node"
	"statnet/internal/nodeconfig"
)

// Config groups the commands about configuration files. Its help documents
// every key, so `statnet help config` is the reference.
func Config() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and explain configuration files", Long: keysText()}
	cmd.AddCommand(validate(), show(), schema())
	return cmd
}

func validate() *cobra.Command {
	var textOnly bool
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Check a node.yaml or cluster.yaml, and report every problem at once",
		Long: `Checks a file as a node would at its start. For a node.yaml this includes the
environment, the modes of its key files, and that certificate, keys, cluster.yaml
and first ledger record belong together; --text-only checks nothing but the text.`,
		Example: "  statnet config validate ward/gw-1/node.yaml\n  statnet config validate ward/cluster.yaml",
		Args:    exactly(1, "FILE", "statnet config validate ward/cluster.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := check(cmd, args[0], textOnly)
			if err != nil {
				return err
			}
			warnEnvironment(cmd)
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s)\n", args[0], kind)
			return nil
		},
	}
	cmd.Flags().BoolVar(&textOnly, "text-only", false, "check the text alone, not the files that it names")
	return cmd
}

// check validates a file of either kind and says which it was.
func check(cmd *cobra.Command, path string, textOnly bool) (kind string, err error) {
	cluster, err := isCluster(path)
	if err != nil {
		return "", nodeconfig.Explain("read "+path, path, err)
	}
	if cluster {
		c, err := config.ReadCluster(path)
		if err != nil {
			return "", nodeconfig.Explain("read "+path, path, err)
		}
		return fmt.Sprintf("cluster %s, ledger %s, SHA-256 %x", c.Name, c.FaultModel(), c.Digest), nil
	}
	if textOnly {
		n, _, err := nodeconfig.Merge(path, nil)
		if err != nil {
			return "", nodeconfig.Explain("read "+path, path, err)
		}
		return n.Path(), nil
	}
	s, err := nodeconfig.LoadFile(path, cmd.Flags())
	if err != nil {
		return "", err
	}
	if _, err := node.Check(s.Node, s.Cluster, s.Genesis); err != nil {
		return "", &cli.Error{Code: cli.Usage, What: "check " + path + ": a node would not start with it", Cause: err.Error(), Err: err,
			Next: "statnet config show " + path + " --origin"}
	}
	return s.Node.Path(), nil
}

// isCluster tells the two kinds of file apart by a key that only one has.
func isCluster(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return false, cli.Usagef("ls "+path, "FILE %s: is a directory, must be a file, e.g. %s", path, filepath.Join(path, "node.yaml"))
	}
	if info.Size() > config.MaxClusterBytes {
		return false, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), config.MaxClusterBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		for _, key := range []string{"verifiers:", "servers:", "gateways:", "ledger:"} {
			if strings.HasPrefix(line, key) {
				return true, nil
			}
		}
	}
	return false, nil
}

// warnEnvironment points at variables that look as if they were meant for us.
func warnEnvironment(cmd *cobra.Command) {
	for _, name := range nodeconfig.UnknownEnv(os.Environ()) {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: environment variable %s overrides nothing; see statnet help config\n", name)
	}
}

func show() *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:     "show [FILE]",
		Short:   "Show what a node makes of its file, flags, environment and defaults",
		Example: "  statnet config show ward/gw-1/node.yaml --origin",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			globals, err := cli.GlobalsFrom(cmd.Flags())
			if err != nil {
				return err
			}
			path := globals.Config
			if len(args) == 1 {
				path = args[0]
			}
			if path == "" {
				return cli.Usagef("statnet config show --help", "FILE: required, e.g. statnet config show ward/gw-1/node.yaml")
			}
			values, err := values(cmd, path)
			if err != nil {
				return err
			}
			warnEnvironment(cmd)
			return printValues(cmd, globals, path, values, origin)
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value came from: flag, environment, line of the file, or default")
	return cmd
}

func values(cmd *cobra.Command, path string) ([]nodeconfig.Origin, error) {
	cluster, err := isCluster(path)
	if err == nil && cluster {
		return clusterValues(path)
	}
	var out []nodeconfig.Origin
	if err == nil {
		_, out, err = nodeconfig.Merge(path, cmd.Flags())
	}
	if err != nil {
		return nil, nodeconfig.Explain("read "+path, path, err)
	}
	return out, nil
}

func clusterValues(path string) ([]nodeconfig.Origin, error) {
	c, where, err := config.LocateCluster(path)
	if err != nil {
		return nil, nodeconfig.Explain("read "+path, path, err)
	}
	var out []nodeconfig.Origin
	for _, v := range c.Values() {
		from := where(v.Key)
		if from == "" {
			from = "default"
		}
		out = append(out, nodeconfig.Origin{Key: v.Key, Text: v.Text, From: from})
	}
	return out, nil
}

func printValues(cmd *cobra.Command, globals cli.Globals, path string, values []nodeconfig.Origin, origin bool) error {
	rows := cli.Rows{Head: []string{"key", "value"}}
	if origin {
		rows.Head = append(rows.Head, "origin")
	}
	for i := range values {
		if !origin {
			values[i].From = ""
			rows.Add(values[i].Key, values[i].Text)
			continue
		}
		rows.Add(values[i].Key, values[i].Text, values[i].From)
	}
	out := struct {
		Schema string              `json:"schema"`
		File   string              `json:"file"`
		Values []nodeconfig.Origin `json:"values"`
	}{"statnet.config.v1", path, values}
	return cli.Print(cmd.OutOrStdout(), globals.Output, out, rows)
}

func schema() *cobra.Command {
	return &cobra.Command{
		Use:       "schema [node|cluster]",
		Short:     "Print the JSON schema of node.yaml (default) or cluster.yaml, for editors",
		Example:   "  statnet config schema cluster > cluster.schema.json",
		ValidArgs: []string{config.NodeSchema, config.ClusterSchema},
		Args:      cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := config.NodeSchema
			if len(args) == 1 {
				kind = args[0]
			}
			if kind != config.NodeSchema && kind != config.ClusterSchema {
				return cli.Usagef("statnet config schema --help", "%s: must be node or cluster, e.g. statnet config schema cluster", kind)
			}
			text, err := config.Schema(kind)
			if err != nil {
				return fmt.Errorf("write schema: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}

// exactly checks the number of arguments and offers a command that would work.
func exactly(n int, name, good string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return cli.Usagef(cmd.CommandPath()+" --help", "%s: %d given, %d expected, e.g. %s", name, len(args), n, good)
	}
}
