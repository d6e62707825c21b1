// Package ecgtool is the command `statnet ecg`: the detector, its score, heart
// rate variability and synthetic ECG, on files.
//
//	RECORD ──detect──▶ beats ──score──▶ Se, PPV        RECORD ──hrv──▶ sums, hints
//	synth ──▶ RECORD with known beats, or with noise
//
// The gateway finds beats in files by the same call, wfdb.Record.Beats, so that
// what this command prints is what a query counts.
package ecgtool

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"statnet/internal/cli"
)

// Command returns the `ecg` command.
func Command() *cobra.Command {
	c := &cobra.Command{Use: "ecg", Short: "Find heartbeats in files, score them, make test ECG"}
	c.AddCommand(detectCommand(), scoreCommand(), hrvCommand(), synthCommand())
	return c
}

func detectCommand() *cobra.Command {
	var o detectOptions
	c := &cobra.Command{
		Use:   "detect RECORD...",
		Short: "Find the R peaks of WFDB records or of a CSV column of microvolts",
		Example: "  statnet ecg detect mitdb/100 --output csv\n" +
			"  statnet ecg detect mitdb/100 mitdb/104 --samples-only --decimals 2 --out-dir det",
		Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error { return detectAll(cmd.OutOrStdout(), args, o) },
	}
	f := c.Flags()
	f.IntVar(&o.signal, "signal", 0, "signal of the record, from 0")
	f.StringVar(&o.output, cli.FlagOutput, "", strings.Join(detectFormats, ", ")+" (default csv)")
	f.BoolVar(&o.samples, "samples-only", false, "sample indices only, one a line, for `ecg score`")
	f.IntVar(&o.decimals, "decimals", 0, "decimals of --samples-only, 0 to 3")
	f.StringVar(&o.outDir, "out-dir", "", "write DIR/RECORD.txt (samples only), or DIR/RECORD.FORMAT with --output")
	tuningFlags(c, &o.tuning, &o.rateHz)
	f.StringVar(&o.plot, "plot", "", "draw strip, tachogram and Poincare plot into this SVG file")
	return c
}

func tuningFlags(c *cobra.Command, tuning *string, rate *float64) {
	c.Flags().StringVar(tuning, "tuning", "", "YAML file of detector constants instead of the built-in set; absent keys are the papers'")
	c.Flags().Float64Var(rate, "rate", 0, "sampling rate of a CSV file, Hz")
}

// atLeastOne and exactly are cobra's checks in our words and exit code.
func atLeastOne(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Usagef(cmd.CommandPath()+" --help", "%s: needs a record, e.g. mitdb/100", cmd.CommandPath())
	}
	return nil
}

func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return cli.Usagef(cmd.CommandPath()+" --help", "%s: %d arguments, want %s", cmd.CommandPath(), len(args), cmd.Use)
		}
		return nil
	}
}

func scoreCommand() *cobra.Command {
	o := scoreOptions{}
	c := &cobra.Command{
		Use:   "score REFDIR DETDIR",
		Short: "Score DETDIR/RECORD.txt against the annotations REFDIR/RECORD.atr, as EC57 and bxb do",
		Args:  exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.quiet, _ = cmd.Flags().GetBool(cli.FlagQuiet)
			return scoreDir(cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], args[1], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.records, "records", "", "comma-separated names (default: every .atr file)")
	f.Float64Var(&o.windowMS, "window-ms", 150, "matching window, ms")
	f.Float64Var(&o.learnS, "learn-s", 300, "learning period that view ec57 does not score, s")
	f.BoolVar(&o.full, "full", false, "per-record table over the whole record")
	f.StringVar(&o.json, "json", "", "write all figures to this file")
	f.StringVar(&o.csv, "csv", "", "write both views of every record to this file")
	f.Bool(cli.FlagQuiet, false, "pooled lines only")
	f.BoolVar(&o.allowMissing, "allow-missing", false, "score what there is")
	return c
}

func hrvCommand() *cobra.Command {
	o := hrvOptions{}
	c := &cobra.Command{
		Use:   "hrv RECORD",
		Short: "Heart rate variability and screening hints of a record, from its labels or from detected beats",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := cli.GlobalsFrom(cmd.Flags())
			if err != nil {
				return err
			}
			o.output = g.Output
			if err := o.complete(); err != nil {
				return err
			}
			return hrv(cmd.OutOrStdout(), args[0], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "detect", "atr (the record's labels) or detect")
	f.StringVar(&o.beats, "beats", "", "nn (labelled normal), all, or clean (default: nn with --from atr, else clean)")
	f.StringVar(&o.limits, "limits", "none", "keep intervals within LOW-HIGH ms, or none")
	f.IntVar(&o.signal, "signal", 0, "signal of the record, from 0")
	f.Int32Var(&o.screen.PauseMS, "pause-ms", 3000, "a longer interval is a pause")
	tuningFlags(c, &o.tuning, &o.rateHz)
	f.StringVar(&o.plot, "plot", "", "draw tachogram and Poincare plot into this SVG file")
	return c
}

// complete fills the default of --beats and checks the words.
func (o *hrvOptions) complete() error {
	if !slices.Contains([]string{"atr", "detect"}, o.from) {
		return cli.Usagef("statnet ecg hrv --help", "--from %s: must be atr or detect, e.g. detect", o.from)
	}
	if o.beats == "" {
		o.beats = "clean"
		if o.from == "atr" {
			o.beats = "nn"
		}
	}
	if !slices.Contains([]string{"nn", "all", "clean"}, o.beats) {
		return cli.Usagef("statnet ecg hrv --help", "--beats %s: must be nn, all or clean, e.g. clean", o.beats)
	}
	return nil
}

func synthCommand() *cobra.Command {
	var o synthOptions
	c := &cobra.Command{
		Use:   "synth --out PATH",
		Short: "Make a record whose beats are known, or disturb a record with noise",
		Example: "  statnet ecg synth --out /tmp/sinus --seconds 60 --rate 250 --rhythm pvc --seed 1\n" +
			"  statnet ecg synth --record mitdb/119 --noise em:0 --seed 1 --out /tmp/119",
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return makeSynth(o) },
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "record to write: PATH.hea, .dat, .atr and truth in nanoseconds, .csv")
	f.IntVar(&o.seconds, "seconds", 60, "length")
	f.Float64Var(&o.rateHz, "rate", 250, "sampling rate, 100 to 1000 Hz")
	f.StringVar(&o.rhythm, "rhythm", "sinus", "sinus, af, pvc, brady, tachy, pause, flat, rail or drop")
	f.Uint64Var(&o.seed, "seed", 1, "the same seed makes the same record")
	f.StringVar(&o.record, "record", "", "disturb this record instead")
	f.StringVar(&o.noise, "noise", "", "KIND:DECIBEL with KIND pl, ma, bw or em, e.g. em:0")
	return c
}
