package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"statnet/config"
	"statnet/internal/cli"
)

// Command is `statnet demo`.
func Command() *cobra.Command {
	var f struct {
		records, rr                     []string
		signal                          int
		stat, sig, history, keep, bins  string
		quantile, receipt, cohort, ptnt string
	}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The whole system on this machine, and one question",
		Long: `Shows the whole system on this machine with no set-up: 9 patches, 3 gateways, 3 servers, 3 verifiers and 1 querier,
each a process of its own, with real TLS on loopback, a real ledger and real encryption. Then one question is asked,
and everything is taken down again.`,
		Example: `  statnet demo
  statnet demo --stat mean --signal hr --output json
  statnet demo --record ecg/100 --record ecg/119 --record ecg/208 --stat variance`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			globals, err := cli.GlobalsFrom(cmd.Flags())
			if err != nil {
				return err
			}
			history, err := config.ParseDuration(f.history)
			if err != nil || history.Std() < 10*time.Minute || history.Std() > 24*time.Hour {
				return cli.Usagef("statnet demo --help", "--history %s: must be a duration from 10m to 24h, e.g. 1h", f.history)
			}
			plan := Synthetic(history.Std(), time.Now())
			switch {
			case len(f.records) > 0 && len(f.rr) > 0:
				return cli.Usagef("statnet demo --help", "--record and --rr: give one of them")
			case len(f.records) > 0:
				plan, err = Replay(config.SourceWFDB, f.records, f.signal, time.Now())
			case len(f.rr) > 0:
				plan, err = Replay(config.SourceRR, f.rr, 0, time.Now())
			}
			if err != nil {
				return err
			}
			query := []string{"--stat", f.stat, "--signal", f.sig, "--output", string(globals.Output)}
			for _, o := range []struct{ flag, value string }{{"--quantile", f.quantile}, {"--bins", f.bins}, {"--patient", f.ptnt}} {
				if o.value != "" {
					query = append(query, o.flag, o.value)
				}
			}
			if f.receipt != "" {
				path, err := filepath.Abs(f.receipt)
				if err != nil {
					return err
				}
				query = append(query, "--receipt", path)
			}
			return show(cmd, globals, plan, f.keep, query)
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.records, "record", nil, "replay this WFDB record (without extension) as one patient; may be repeated")
	fs.IntVar(&f.signal, "record-signal", 0, "which signal of the records")
	fs.StringArrayVar(&f.rr, "rr", nil, "replay this list of RR intervals (CSV time_ms,rr_ms) as one patient; may be repeated, one file goes to three gateways")
	fs.StringVar(&f.history, "history", "1h", "how long the synthetic patches have been sending")
	fs.StringVar(&f.stat, "stat", "variance", "statistic, as in statnet query")
	fs.StringVar(&f.sig, "signal", "rr", "rr or hr, as in statnet query")
	fs.StringVar(&f.quantile, "quantile", "", "for --stat quantile, e.g. 0.9")
	fs.StringVar(&f.bins, "bins", "", "for --stat histogram")
	fs.StringVar(&f.ptnt, "patient", "", "one patient, e.g. p-0001, instead of all")
	fs.StringVar(&f.keep, "keep", "", "keep the cluster's files in this directory, which must be absent or empty")
	fs.StringVar(&f.receipt, "receipt", "", "write the receipt to this file")
	return cmd
}

// show runs the demonstration with the user's terminal around it.
func show(cmd *cobra.Command, globals cli.Globals, plan Plan, keep string, query []string) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	dir := keep
	if dir == "" {
		parent, err := os.MkdirTemp("", "statnet-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(parent)
		dir = filepath.Join(parent, "cluster")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cli.Usagef("ls -A "+keep, "--keep %s: must be absent or an empty directory, e.g. %s-2", keep, filepath.Clean(keep))
	}
	start := time.Now()
	d := &Demo{
		Binary: binary, Dir: dir, Plan: plan, LogLevel: globals.LogLevel, Query: query,
		Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr(),
		Progress: func(format string, args ...any) {
			if !globals.Quiet {
				fmt.Fprintf(cmd.ErrOrStderr(), "%5.1f s  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
			}
		},
	}
	code, err := d.Run(cmd.Context())
	switch {
	case err != nil && cmd.Context().Err() != nil:
		return err
	case err != nil:
		return &cli.Error{Code: code, What: "demo: the network did not start", Cause: err.Error(), Next: "statnet demo --keep DIR, then read DIR/logs", Err: err}
	case keep != "":
		d.Progress("kept in %s; start a node again with: statnet verifier --config %s", dir, filepath.Join(dir, "v1", "node.yaml"))
	}
	if code != cli.OK { // the query has said why, in its own three lines
		return &cli.Error{Code: code, What: "the demo's question", Told: true}
	}
	return nil
}
