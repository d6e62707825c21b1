package node

import (
	"github.com/spf13/pflag"

	"statnet/internal/nodeconfig"
)

// FromFlags loads what --config names and opens it, as one of the given roles;
// none means any. Its errors are for the command line: three lines, exit code 2.
func FromFlags(flags *pflag.FlagSet, roles ...string) (*Node, *nodeconfig.Setup, error) {
	setup, err := nodeconfig.Load(flags, roles...)
	if err != nil {
		return nil, nil, err
	}
	n, err := Open(setup.Node, setup.Cluster, setup.Genesis, setup.Log())
	if err != nil {
		return nil, nil, nodeconfig.Explain("start "+setup.Node.Path(), setup.Node.File, err)
	}
	return n, setup, nil
}
