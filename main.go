// Command statnet answers questions about the heartbeats of many patients
// without showing any of them. This file has the signals, the root command and
// the exit code, and nothing else: roles/ is where the work is.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"statnet/internal/cli"
	"statnet/roles/admin"
	"statnet/roles/auditor"
	"statnet/roles/demo"
	"statnet/roles/ecgtool"
	"statnet/roles/gateway"
	"statnet/roles/querier"
	"statnet/roles/server"
	"statnet/roles/status"
	"statnet/roles/verifier"
)

// commands lists what statnet can do, apart from package admin's commands.
func commands() []*cobra.Command {
	return []*cobra.Command{
		auditor.Command(),
		demo.Command(),
		ecgtool.Command(),
		gateway.Command(),
		querier.Command(),
		server.Command(),
		status.Command(),
		verifier.Command(),
	}
}

func main() { os.Exit(int(run())) }

// run is main with deferred calls. SIGINT and SIGTERM cancel the context; a
// second signal ends the process at once.
func run() cli.Code {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := rootCommand()
	started := prepare(root)
	err := root.ExecuteContext(ctx)
	var known *cli.Error
	if err != nil && !*started && !errors.As(err, &known) {
		err = cli.Usagef("statnet --help", "%s", err) // cobra's own words: wrong arguments, missing flags
	}
	return cli.Report(os.Stderr, err)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "statnet",
		Short: "Heart statistics over many patients, without showing any of them",
		Long: `statnet answers a question about the hearts of many patients (variance of the RR
intervals over 24 hours, mean heart rate of a ward) and shows nobody anything
else: gateways encrypt, servers add, verifiers check and keep the ledger.`,
		SilenceErrors: true, SilenceUsage: true,
	}
	f := root.PersistentFlags()
	f.String(cli.FlagConfig, "", "node.yaml of this process (default: $STATNET_CONFIG, else ./node.yaml)")
	f.String(cli.FlagDataDir, "", "directory for data, instead of node.yaml's data_dir")
	f.String(cli.FlagLogLevel, "", "debug, info, warn or error, instead of node.yaml's log.level")
	f.Bool(cli.FlagQuiet, false, "no progress on standard error")
	f.String(cli.FlagOutput, "", "how data are printed: "+strings.Join(cli.Formats, ", ")+" (default table)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef(cmd.CommandPath()+" --help", "%s", flagWords(cmd, err))
	})
	root.AddCommand(admin.Commands()...)
	root.AddCommand(commands()...)
	root.InitDefaultHelpCmd()
	if c, _, err := root.Find([]string{"help"}); err == nil {
		c.Run, c.RunE = nil, help
	}
	return root
}

// prepare makes every command tell whether it was reached, so that errors
// before that are known to be the user's, and every group refuse a command that
// it does not have: cobra would print help and exit 0.
func prepare(root *cobra.Command) (started *bool) {
	started = new(bool)
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.HasSubCommands() && !c.Runnable() {
			c.Args, c.RunE = cobra.ArbitraryArgs, group
		}
		if inner := c.Args; inner != nil {
			c.Args = func(cmd *cobra.Command, args []string) error { return argWords(cmd, args, inner(cmd, args)) }
		}
		if inner := c.RunE; inner != nil {
			c.RunE = func(cmd *cobra.Command, args []string) error {
				*started = true
				return inner(cmd, args)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	return started
}

// group runs a command that only has subcommands.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	cmd.SuggestionsMinimumDistance = 2
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return cli.Usagef(cmd.CommandPath()+" --help", "%s %s: no such command%s", cmd.CommandPath(), args[0], hint)
}
