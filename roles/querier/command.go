package querier

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/node"
	"statnet/stat"
)

// flags are those of `statnet query`.
type flags struct {
	stat, signal, window, from, to, cohort, purpose string
	patients                                        []string
	quantile                                        float64
	bins                                            int
	minCohort                                       uint64
	timeout                                         time.Duration
	receipt                                         string
	dryRun                                          bool
}

// Command is `statnet query`.
func Command() *cobra.Command {
	f := &flags{timeout: 2 * time.Minute}
	cmd := &cobra.Command{
		Use:   "query --stat STATISTIC",
		Short: "Ask one question and check the answer",
		Long: `Asks one question about many hearts, checks every step of the answer, and only then opens and prints it.
Exit code 0 is an answer, 3 an answer without some providers; with any other code no number is printed.`,
		Example: `  statnet query --stat variance --window 24h
  statnet query --stat mean --signal hr --window 72h --cohort ward-a --output json
  statnet query --stat rmssd --patient p-0007 --from 2026-11-20T00:00:00Z --to 2026-11-21T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.stat, "stat", "", "statistic: "+strings.Join(statistics(), " "))
	fs.StringVar(&f.signal, "signal", "rr", "rr (intervals, ms) or hr (heart rate, 1/min)")
	fs.StringVar(&f.window, "window", "", "how far back from now, e.g. 24h, 7d")
	fs.StringVar(&f.from, "from", "", "start of the window, RFC 3339 or a duration back from now")
	fs.StringVar(&f.to, "to", "", "end of the window, exclusive, RFC 3339 or a duration back from now")
	fs.StringVar(&f.cohort, "cohort", "", "named group of patients; default: the first one that the policy gives you")
	fs.StringArrayVar(&f.patients, "patient", nil, "one patient instead of a cohort; may be repeated")
	fs.StringVar(&f.purpose, "purpose", "", "clinical or research; default: that of the policy")
	fs.Float64Var(&f.quantile, "quantile", 0, "for --stat quantile: between 0 and 1, e.g. 0.9")
	fs.IntVar(&f.bins, "bins", 0, "for --stat histogram: number of bins, 2 to 64")
	fs.Uint64Var(&f.minCohort, "min-cohort", 0, "refuse an answer from fewer patients; the policy may demand more")
	fs.Var((*config.Duration)(&f.timeout), "timeout", "how long the whole question may take, 10s to 24h")
	fs.StringVar(&f.receipt, "receipt", "", "write the receipt to this file, for statnet ledger verify")
	fs.BoolVar(&f.dryRun, "dry-run", false, "show who would be asked and what each would learn; sends nothing")
	return cmd
}

func statistics() []string {
	return []string{"count", "sum", "mean", "variance", "stddev", "rmssd", "pnn50", "cv", "min", "max", "median",
		"quantile", "histogram", "summary", "arrhythmia", "series"}
}

func run(cmd *cobra.Command, f *flags) error {
	now := time.Now().Truncate(time.Second) // what people type has no finer parts
	ask, err := f.ask(now)
	if err != nil {
		return err
	}
	n, setup, err := node.FromFlags(cmd.Flags(), "querier")
	if err != nil {
		return err
	}
	defer n.Close()
	q, err := Open(n)
	if err != nil {
		return n.Explain(err)
	}
	defer q.Ledger.Close()
	receipt, err := openReceipt(f.receipt)
	if err != nil {
		return err
	}
	defer receipt.discard()
	if f.dryRun {
		return dryRun(cmd.OutOrStdout(), q, ask, setup.Globals.Output)
	}
	endLine := func() {}
	if !setup.Globals.Quiet && cli.IsTerminal(cmd.ErrOrStderr()) {
		q.Progress, endLine = progressLine(cmd.ErrOrStderr())
	}
	a, err := q.Answer(cmd.Context(), ask)
	endLine()
	if err != nil {
		return err
	}
	out := q.output(a)
	out.Verification.Receipt = f.receipt
	if receipt != nil {
		// The answer has cost the patients some of their budget: it is not lost
		// because a disk is full. Its receipt is kept beside the query, too.
		if err := receipt.write(a.Receipt); err != nil {
			out.Verification.Receipt = filepath.Join(q.dir(a.Query.ID), "receipt.tar")
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: --receipt %s: %v; it is in %s\n", f.receipt, err, out.Verification.Receipt)
		}
	}
	if err := cli.Print(cmd.OutOrStdout(), setup.Globals.Output, out, rows(out)); err != nil {
		return err
	}
	if a.Partial() {
		return &cli.Error{Code: cli.Partial, What: "the answer is checked, but providers are missing",
			Cause: missing(out), Next: "statnet status"}
	}
	return nil
}

// ask turns the flags into a question. Every error names the flag, the value
// and one that would work.
func (f *flags) ask(now time.Time) (Ask, error) {
	var ask Ask
	usage := func(format string, args ...any) (Ask, error) {
		return ask, cli.Usagef("statnet query --help", format, args...)
	}
	if f.stat == "" {
		return usage("--stat: required, e.g. --stat variance")
	}
	if !contains(statistics(), f.stat) {
		return usage("--stat %s: unknown, must be one of %s", f.stat, strings.Join(statistics(), " "))
	}
	if wrong := f.parameters(); wrong != "" {
		return usage("%s", wrong)
	}
	if f.timeout < 10*time.Second || f.timeout > 24*time.Hour {
		return usage("--timeout %v: must lie between 10s and 24h, e.g. 2m", config.Duration(f.timeout))
	}
	if len(f.patients) > 0 && f.cohort != "" {
		return usage("--patient %s and --cohort %s: give one of them", strings.Join(f.patients, " "), f.cohort)
	}
	ask = Ask{
		Question: stat.Question{Statistic: stat.Statistic(f.stat), Signal: stat.Signal(f.signal),
			QuantilePPM: uint32(f.quantile*1e6 + 0.5), Bins: f.bins},
		Cohort: f.cohort, Patients: f.patients, MinCohort: f.minCohort, Purpose: f.purpose, Timeout: f.timeout,
	}
	if err := ask.Question.Validate(); err != nil {
		return usage("--stat %s --signal %s: %v, e.g. --signal rr", f.stat, f.signal, err)
	}
	var err error
	ask.From, ask.To, err = f.times(now)
	return ask, err
}

// parameters checks what belongs to the statistic and returns what is wrong.
// stat.Question.Validate has the last word; it does not know the flags' names.
func (f *flags) parameters() string {
	switch {
	case f.signal != string(stat.RR) && f.signal != string(stat.HR):
		return fmt.Sprintf("--signal %s: must be rr or hr, e.g. rr", f.signal)
	case f.stat == string(stat.Quantile) && !(f.quantile >= 0.000001 && f.quantile <= 0.999999):
		if f.quantile == 0 {
			return "--quantile: required with --stat quantile, between 0 and 1, e.g. 0.9"
		}
		return fmt.Sprintf("--quantile %v: must lie between 0 and 1, e.g. 0.9", f.quantile)
	case f.stat != string(stat.Quantile) && f.quantile != 0:
		return fmt.Sprintf("--quantile %v: only with --stat quantile, this is --stat %s", f.quantile, f.stat)
	case f.stat != string(stat.Histogram) && f.bins != 0:
		return fmt.Sprintf("--bins %d: only with --stat histogram, this is --stat %s", f.bins, f.stat)
	case f.bins != 0 && (f.bins < 2 || f.bins > stat.NumBins):
		return fmt.Sprintf("--bins %d: must lie between 2 and %d, e.g. 16", f.bins, stat.NumBins)
	case f.stat == string(stat.Series) && f.receipt != "":
		return fmt.Sprintf("--receipt %s: a series has a receipt for every hour, kept in data_dir/queries; give it with one question, e.g. --stat mean", f.receipt)
	case f.purpose != "" && f.purpose != "clinical" && f.purpose != "research":
		return fmt.Sprintf("--purpose %s: must be clinical or research, e.g. clinical", f.purpose)
	}
	return ""
}

func (f *flags) times(now time.Time) (from, to time.Time, err error) {
	switch {
	case f.window != "" && (f.from != "" || f.to != ""):
		return from, to, cli.Usagef("statnet query --help", "--window %s and --from, --to: give the one or the others", f.window)
	case f.window != "":
		d, err := back("--window", f.window)
		// The end that can be asked about lies a little back: so does the start.
		end := now.Add(-settle)
		return end.Add(-d), end, err
	case f.from == "" || f.to == "":
		return from, to, cli.Usagef("statnet query --help", "--window: required, or --from and --to, e.g. --window 24h")
	}
	if from, err = instant("--from", f.from, now); err != nil {
		return from, to, err
	}
	if to, err = instant("--to", f.to, now); err != nil {
		return from, to, err
	}
	if !from.Before(to) {
		return from, to, cli.Usagef("statnet query --help", "--from %s: must be before --to %s, e.g. --from 2h --to 1h", f.from, f.to)
	}
	return from, to, nil
}

func back(flag, text string) (time.Duration, error) {
	d, err := config.ParseDuration(text)
	if err != nil {
		why := strings.TrimLeft(strings.TrimPrefix(err.Error(), text), ": ")
		return 0, cli.Usagef("statnet query --help", "%s %s: %s, e.g. 24h", flag, text, why)
	}
	if d <= 0 {
		return 0, cli.Usagef("statnet query --help", "%s %s: must be positive, e.g. 24h", flag, text)
	}
	return time.Duration(d), nil
}

func instant(flag, text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	d, err := back(flag, text)
	if err != nil {
		return now, cli.Usagef("statnet query --help", "%s %s: must be a time or a duration back from now, e.g. 2026-11-20T00:00:00Z or 24h", flag, text)
	}
	return now.Add(-d), nil
}

// progressLine rewrites one line on a terminal. end leaves the line, so that an
// error does not run into it.
func progressLine(w io.Writer) (show func(Progress), end func()) {
	var steps []string
	var stage Stage
	end = func() {
		if len(steps) > 0 {
			fmt.Fprintln(w)
		}
		steps, stage = nil, 0
	}
	return func(p Progress) {
		if len(steps) > 0 && (stage == Answering || stage == Judging) {
			p := p // the last count of a step may come with the next step
			p.Stage = stage
			steps[len(steps)-1] = p.String()
		}
		if p.Stage != stage {
			steps, stage = append(steps, p.String()), p.Stage
		}
		fmt.Fprintf(w, "\r\033[K%s", strings.Join(steps, " → "))
		if p.Stage == Closed {
			end()
		}
	}, end
}

func missing(o Output) string {
	var parts []string
	for _, e := range o.Providers.Excluded {
		parts = append(parts, e.ID+": "+e.Reason)
	}
	if len(parts) == 0 {
		return "an hour of the series could not be answered"
	}
	return fmt.Sprintf("%d of %d providers included; %s", o.Providers.Included, o.Providers.Asked, strings.Join(parts, ", "))
}
