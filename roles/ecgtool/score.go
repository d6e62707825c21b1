package ecgtool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"statnet/ecg/score"
	"statnet/internal/cli"
)

// scoreOptions are the flags of `ecg score`, those of the reference script.
type scoreOptions struct {
	records      string // comma separated, "" for all
	windowMS     float64
	learnS       float64
	full, quiet  bool
	json, csv    string // files
	allowMissing bool
}

// scoreDir runs `ecg score`. Records without detections are exit 3, unless
// allowed.
func scoreDir(w, warn io.Writer, refDir, detDir string, o scoreOptions) error {
	help := "statnet ecg score --help"
	if !(o.windowMS > 0 && o.windowMS <= 1000) {
		return cli.Usagef(help, "--window-ms %g: must be above 0 and up to 1000, e.g. 150", o.windowMS)
	}
	if !(o.learnS >= 0 && o.learnS <= 1e6) {
		return cli.Usagef(help, "--learn-s %g: must not be negative, e.g. 300", o.learnS)
	}
	var names []string
	if o.records != "" {
		names = strings.Split(o.records, ",")
	}
	recs, missing, err := score.Dir(refDir, detDir, names, score.Options{WindowMS: o.windowMS, LearnS: o.learnS})
	if err != nil {
		return badInput(err, help)
	}
	if len(missing) > 0 {
		fmt.Fprintln(warn, "missing detections:", strings.Join(missing, " "))
		if !o.allowMissing || len(recs) == 0 {
			return &cli.Error{Code: cli.Partial, What: fmt.Sprintf("%d records have no detections in %s", len(missing), detDir),
				Cause: "statnet ecg detect was not run on them", Next: "statnet ecg detect RECORD... --samples-only --out-dir " + detDir}
		}
	}
	view := "ec57"
	if o.full {
		view = "full"
	}
	fmt.Fprintf(w, "# %s vs %s  window %g ms  per-record view: %s\n", detDir, refDir, o.windowMS, view)
	if err := score.WriteTable(w, recs, o.full, o.quiet); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return o.export(recs)
}

// export writes the files of --json and --csv.
func (o scoreOptions) export(recs []score.Record) error {
	if o.json != "" {
		b, err := json.MarshalIndent(score.NewReport(recs), "", " ")
		if err != nil {
			return fmt.Errorf("encode scores: %w", err)
		}
		if err := os.WriteFile(o.json, b, 0o644); err != nil {
			return fmt.Errorf("write scores: %w", err)
		}
	}
	if o.csv != "" {
		var buf bytes.Buffer
		if err := score.WriteCSV(&buf, recs); err != nil {
			return err
		}
		if err := os.WriteFile(o.csv, buf.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write scores: %w", err)
		}
	}
	return nil
}
