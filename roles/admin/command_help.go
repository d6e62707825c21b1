package admin

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"statnet/config"
	"statnet/internal/cli"
)

// ExitCodes is the help topic `statnet help exit-codes`. A command without Run
// is what cobra calls an additional help topic.
func ExitCodes() *cobra.Command {
	var b strings.Builder
	b.WriteString("The exit code says how a command ended. A number never changes its meaning.\nThe answer to a question is printed only with 0 and 3.\n\n")
	for _, c := range cli.Codes {
		fmt.Fprintf(&b, "  %3d  %s\n", int(c), c)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: strings.TrimRight(b.String(), "\n")}
}

// keysText documents every key from the structs that read them.
func keysText() string {
	var b strings.Builder
	b.WriteString(`Two kinds of file, both strict: an unknown key, a wrong type, a duplicate or
missing key is an error with its line and a value that would work.

A value in node.yaml can be overridden: flag, then environment variable, then
file, then default. The variable of data_dir is STATNET_DATA_DIR, that of
log.level is STATNET_LOG_LEVEL; lists have none. Durations need a unit: 30s, 5m,
36h, 7d, 2w.

node.yaml
`)
	writeKeys(&b, config.NodeKeys())
	b.WriteString("\ncluster.yaml\n")
	writeKeys(&b, config.ClusterKeys())
	return strings.TrimRight(b.String(), "\n")
}

func writeKeys(b *strings.Builder, keys []config.Key) {
	for _, k := range keys {
		notes := []string{k.Type}
		if k.Required {
			notes = append(notes, "required")
		}
		if len(k.Enum) > 1 {
			notes = append(notes, strings.Join(k.Enum, "|"))
		}
		if k.Default != "" {
			notes = append(notes, "default "+k.Default)
		}
		fmt.Fprintf(b, "  %s  (%s)\n      %s\n", k.Path, strings.Join(notes, ", "), k.Doc)
	}
}
