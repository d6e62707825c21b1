// Package admin has the commands that set a cluster up and explain it: init,
// config, version and the help topics. None of them runs a node.
//
//	init ──▶ internal/provision ──▶ DIR/*/node.yaml
//	config validate|show|schema ──▶ config, internal/nodeconfig ──▶ what a node would make of its file
package admin

import (
	"github.com/spf13/cobra"
)

// Commands lists every command of this package.
func Commands() []*cobra.Command {
	return []*cobra.Command{Init(), Config(), Version(), ExitCodes()}
}
