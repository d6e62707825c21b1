package admin

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/nodeconfig"
	"statnet/internal/provision"
)

// Init writes a deployable cluster into a directory.
func Init() *cobra.Command {
	spec := provision.Spec{}
	history := config.Duration(time.Hour)
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Write a cluster: certificates, keys, cluster.yaml and one node.yaml per node",
		Long: `Writes into DIR, which must be absent or empty, everything that a cluster needs: a
certificate authority, cluster.yaml (roster and policy), the ledger's first
record, and one directory per node with its certificate, keys and node.yaml.

The default policy lets the querier dr-a ask everything about the cohort "all".
The gateways' patches are synthetic until node.yaml names real ones.`,
		Example: "  statnet init ward --gateways 3 --servers 3 --verifiers 4 --patients 9\n  statnet server --config ward/s1/node.yaml",
		Args:    exactly(1, "DIR", "statnet init ward"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if history <= 0 {
				return cli.Usagef(cmd.CommandPath()+" --help", "--history %s: must be positive, e.g. 1h", history)
			}
			spec.Sources = provision.Synthetic(history)
			return runInit(cmd, args[0], spec)
		},
	}
	f := cmd.Flags()
	f.IntVar(&spec.Gateways, "gateways", 3, "number of gateways")
	f.IntVar(&spec.Servers, "servers", 3, "number of servers")
	f.IntVar(&spec.Verifiers, "verifiers", 4, "number of verifiers: 4, 7, 10, ... survive 1, 2, 3, ... bad ones; 3 are safe, but one silent verifier stops queries")
	f.IntVar(&spec.Patients, "patients", 9, "number of patients in all, dealt out over the gateways")
	f.StringVar(&spec.Name, "name", provision.DefaultName, "name of the cluster")
	f.StringVar(&spec.Host, "host", "127.0.0.1", "host of every address")
	f.IntVar(&spec.BasePort, "base-port", provision.DefaultBasePort, "ports: servers from +1, verifiers from +101, their raft from +201")
	f.StringVar(&spec.LogLevel, "node-log-level", "info", "log level written into each node.yaml")
	f.Var(&history, "history", "synthetic signal before each gateway's start, e.g. 1h")
	return cmd
}

func runInit(cmd *cobra.Command, dir string, spec provision.Spec) error {
	globals, err := cli.GlobalsFrom(cmd.Flags())
	if err != nil {
		return err
	}
	if err := checkInit(spec); err != nil {
		return err
	}
	written, err := provision.Write(dir, spec)
	if err != nil {
		return explainInit(dir, err)
	}
	return printInit(cmd, globals, written)
}

// checkInit names the flag where provision could only name the number.
func checkInit(s provision.Spec) error {
	const next = "statnet init --help"
	for _, n := range []struct {
		flag            string
		got, low, limit int
		good            string
	}{
		{"gateways", s.Gateways, 1, 1000, "3"},
		{"servers", s.Servers, 1, config.MaxServers, "3"},
		{"verifiers", s.Verifiers, 1, config.MaxVerifiers, "4"},
		{"patients", s.Patients, s.Gateways, s.Gateways * config.MaxPatientsOfGateway, fmt.Sprint(3 * s.Gateways)},
		{"base-port", s.BasePort, 1, 65000, "7000"},
	} {
		if n.got < n.low || n.got > n.limit {
			return cli.Usagef(next, "--%s %d: must be from %d to %d, e.g. %s", n.flag, n.got, n.low, n.limit, n.good)
		}
	}
	if words := []string{"debug", "info", "warn", "error"}; !slices.Contains(words, s.LogLevel) {
		return cli.Usagef(next, "--node-log-level %s: must be one of %s, e.g. info", s.LogLevel, strings.Join(words, ", "))
	}
	if !config.ValidName(s.Name) {
		return cli.Usagef(next, "--name %s: must be lower-case letters, digits, '-' and '.', e.g. ward.example", s.Name)
	}
	return nil
}

func explainInit(dir string, err error) error {
	var full *provision.NotEmptyError
	if errors.As(err, &full) {
		return &cli.Error{
			Code: cli.Usage, Err: err, What: fmt.Sprintf("init %s: the directory is not empty", dir),
			Cause: "a cluster is never written over another, because its keys could not be made again",
			Next:  "statnet init " + filepath.Clean(dir) + "-2",
		}
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		return nodeconfig.Explain("init "+dir, dir, err)
	}
	return fmt.Errorf("init: %w", err)
}

func printInit(cmd *cobra.Command, globals cli.Globals, w *provision.Written) error {
	type node struct {
		Path    string `json:"path"`
		Config  string `json:"config"`
		Address string `json:"address,omitempty"`
	}
	out := struct {
		Schema     string `json:"schema"`
		Dir        string `json:"dir"`
		Name       string `json:"name"`
		Digest     string `json:"cluster_sha256"`
		FaultModel string `json:"fault_model"`
		Nodes      []node `json:"nodes"`
	}{"statnet.init.v1", w.Dir, w.Cluster.Name, fmt.Sprintf("%x", w.Cluster.Digest), w.Cluster.FaultModel(), nil}
	rows := cli.Rows{Head: []string{"node", "config", "address"}}
	addresses := map[string]string{}
	for _, m := range w.Cluster.Members() {
		addresses[m.Path()] = m.Address
	}
	for _, n := range w.Nodes {
		out.Nodes = append(out.Nodes, node{n.Path(), n.File, addresses[n.Path()]})
		rows.Add(n.Path(), n.File, addresses[n.Path()])
	}
	rows.Notes = []string{
		"", fmt.Sprintf("cluster %s, ledger %s, %d of %d servers open a result", w.Cluster.Name, w.Cluster.FaultModel(), w.Cluster.Opening.Threshold, len(w.Cluster.Servers)),
		"keep " + filepath.Join(w.Dir, "ca", "root.key") + " away from every node",
		"certificates are valid for one year",
	}
	return cli.Print(cmd.OutOrStdout(), globals.Output, out, rows)
}
