// Package nodeconfig loads what a process is told at its start: NODE.yaml with
// flags and environment on top, and the cluster.yaml and first ledger record
// that it names.
//
//	flag > environment STATNET_… > NODE.yaml > default ──▶ config.Node ─┐
//	                                    cluster.yaml ──▶ config.Cluster ─┼▶ Setup
//	                                                     genesis.cbor ───┘
//
// It is the only importer of viper, so that viper's traps are handled in one
// place instead of one per role. Measured with v1.21.0: 30 becomes 30 ns and 7d
// becomes 0; misspelt keys are ignored; Name and name merge; keys with dots
// come apart; a value that is only in the environment is missed. merge.go says
// how each is met; a test holds each.
//
// Not checked here: that certificate and key belong together (crypto/pki), and
// that the genesis record fits cluster.yaml (chain).
package nodeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"statnet/config"
	"statnet/internal/cli"
)

// maxGenesis is the largest ledger record, in bytes.
const maxGenesis = 64 << 10

// Setup is all that a role is given before it runs. Read only.
type Setup struct {
	Node    *config.Node
	Cluster *config.Cluster
	Genesis []byte // first ledger record, as read
	Globals cli.Globals
	Origins []Origin // where each value of Node came from
}

// Load reads everything that --config names. roles are those that the command
// can run as; none means any. Its errors are *cli.Error with exit code 2.
func Load(flags *pflag.FlagSet, roles ...string) (*Setup, error) {
	globals, err := cli.GlobalsFrom(flags)
	if err != nil {
		return nil, err
	}
	path, err := findFile(globals.Config)
	if err != nil {
		return nil, err
	}
	return LoadFile(path, flags, roles...)
}

// LoadFile is Load for a file named otherwise than by --config.
func LoadFile(path string, flags *pflag.FlagSet, roles ...string) (*Setup, error) {
	globals, err := cli.GlobalsFrom(flags)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, cli.Usagef("ls "+path, "--config %s: is a directory, must be a file, e.g. %s", path, filepath.Join(path, "node.yaml"))
	}
	node, origins, err := ReadNode(path, flags)
	if err != nil {
		return nil, Explain("read "+path, path, err)
	}
	if err := checkRole(path, node, roles); err != nil {
		return nil, err
	}
	s := &Setup{Node: node, Globals: globals, Origins: origins}
	if err := s.readCluster(path); err != nil {
		return nil, err
	}
	return s, nil
}

// findFile applies the default of --config: $STATNET_CONFIG, else node.yaml
// here.
func findFile(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if env := os.Getenv("STATNET_CONFIG"); env != "" {
		return env, nil
	}
	if _, err := os.Stat("node.yaml"); err == nil {
		return "node.yaml", nil
	}
	return "", cli.Usagef("statnet init DIR makes a cluster, with one node.yaml for each node",
		"--config: required, because there is no node.yaml here; e.g. --config ward/dr-a/node.yaml")
}

func checkRole(path string, node *config.Node, roles []string) error {
	for _, r := range roles {
		if node.Role == r {
			return nil
		}
	}
	if len(roles) == 0 {
		return nil
	}
	return cli.Usagef("statnet config show "+path+" --origin",
		"--config %s: role is %s, must be %s", path, node.Role, strings.Join(roles, " or "))
}

func (s *Setup) readCluster(path string) error {
	cluster, err := config.ReadCluster(s.Node.Cluster)
	if err != nil {
		return Explain("read cluster file", s.Node.Cluster, err)
	}
	if err := s.Node.CheckMember(cluster); err != nil {
		return notEnrolled(path, s.Node, err)
	}
	info, err := os.Stat(s.Node.Genesis)
	if err == nil && info.Size() > maxGenesis {
		err = fmt.Errorf("%s has %d bytes, more than %d", s.Node.Genesis, info.Size(), maxGenesis)
	}
	if err == nil {
		s.Genesis, err = os.ReadFile(s.Node.Genesis)
	}
	if err != nil {
		return Explain("read genesis record", path, err)
	}
	s.Cluster = cluster
	return nil
}

// notEnrolled is exit code 4: the file is well formed, but the cluster does not
// know the node.
func notEnrolled(path string, node *config.Node, err error) error {
	return &cli.Error{Code: cli.NotAuthorised, What: "find this node in the cluster: " + node.Path() + " is not enrolled", Err: err,
		Cause: err.Error(), Next: "ask an operator to enrol it, or check role and id in " + path}
}

// Log returns the process's log on standard error, as NODE.yaml and --log-level
// ask for.
func (s *Setup) Log() *slog.Logger {
	return cli.NewLogger(os.Stderr, s.Node.Log.Level, s.Node.Log.Format)
}

// Explain turns an error about a configuration file into the three lines of a
// command, exit code 2.
func Explain(what, path string, err error) error {
	var known *cli.Error
	if errors.As(err, &known) {
		return err
	}
	next := "statnet config validate " + path
	var problems config.Problems
	if errors.As(err, &problems) {
		count := "1 problem"
		if len(problems) != 1 {
			count = fmt.Sprintf("%d problems", len(problems))
		}
		return &cli.Error{
			Code: cli.Usage, Err: err, Detail: problems.Error(), Next: next,
			What: what + ": " + count, Cause: "the configuration is not one that statnet can run with",
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &cli.Error{Code: cli.Usage, Err: err, What: what, Cause: err.Error(), Next: "ls " + filepath.Dir(path)}
	}
	return &cli.Error{Code: cli.Usage, Err: err, What: what, Cause: err.Error(), Next: next}
}
