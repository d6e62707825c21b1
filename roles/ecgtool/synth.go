package ecgtool

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"statnet/ecg/synth"
	"statnet/ecg/wfdb"
	"statnet/internal/cli"
)

// synthOptions are the flags of `ecg synth`.
type synthOptions struct {
	out     string
	seconds int
	rateHz  float64
	rhythm  string
	seed    uint64
	record  string // disturb this record instead
	noise   string // KIND:SNR
}

const synthHelp = "statnet ecg synth --help"

// makeSynth runs `ecg synth`: a record with its truth, or a record with noise.
func makeSynth(o synthOptions) error {
	if o.out == "" {
		return cli.Usagef(synthHelp, "--out: required, e.g. --out /tmp/sinus")
	}
	name := filepath.Base(o.out)
	if o.record != "" {
		return o.disturb(name)
	}
	if o.noise != "" {
		return cli.Usagef(synthHelp, "--noise %s: needs --record PATH, the record to disturb", o.noise)
	}
	if o.seconds < 1 || o.seconds > 86_400 {
		return cli.Usagef(synthHelp, "--seconds %d: must be 1 to 86400, e.g. 60", o.seconds)
	}
	if !(o.rateHz >= 100 && o.rateHz <= 1000) {
		return cli.Usagef(synthHelp, "--rate %g: must be 100 to 1000 Hz, e.g. 250", o.rateHz)
	}
	rate := int64(math.Round(o.rateHz * 1000))
	g, err := synth.New(synth.Config{RateMilliHz: rate, Rhythm: synth.Rhythm(o.rhythm), Seed: o.seed})
	if err != nil {
		return cli.Usagef(synthHelp, "--rhythm %s: must be one of %v", o.rhythm, synth.Rhythms())
	}
	counts := make([]int32, int64(o.seconds)*rate/1000)
	for i := range counts {
		counts[i] = g.Next() // 1 uV; synth.Missing is wfdb.Missing
	}
	head := wfdb.OneSignal(name, rate, 1000, "synth")
	head.Comments = []string{fmt.Sprintf(" rhythm %s seed %d: a test signal, not physiology", o.rhythm, o.seed)}
	return o.store(head, counts, g.Truth(nil), rate)
}

func (o synthOptions) store(head wfdb.Header, counts []int32, truth []synth.Beat, rate int64) error {
	rec, err := wfdb.NewRecord(head, [][]int32{counts})
	if err != nil {
		return cli.Usagef(synthHelp, "--out %s: %s", o.out, err)
	}
	dir := filepath.Dir(o.out)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory for record: %w", err)
	}
	if err := rec.Write(dir); err != nil {
		return err
	}
	var ann []wfdb.Annotation
	csv := bytes.NewBufferString("time_ns,kind\n")
	for _, b := range truth {
		a := wfdb.Annotation{Sample: nearestSample(b.AtNs, rate), Code: wfdb.CodeNormal}
		if b.Wide {
			a.Code = wfdb.CodePVC
		}
		ann = append(ann, a)
		fmt.Fprintf(csv, "%d,%s\n", b.AtNs, a.Symbol())
	}
	if err := wfdb.WriteAnnotations(o.out+".atr", ann); err != nil {
		return err
	}
	if err := os.WriteFile(o.out+".csv", csv.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

func nearestSample(ns, rateMilliHz int64) int64 {
	return int64(math.Round(float64(ns) / 1e9 * float64(rateMilliHz) / 1000))
}

// disturb adds noise to signal 0 of a record with annotations.
func (o synthOptions) disturb(name string) error {
	kind, snr, err := parseNoise(o.noise)
	if err != nil {
		return err
	}
	rec, err := openRecord(o.record, 0)
	if err != nil {
		return err
	}
	ann, err := wfdb.ReadAnnotations(strings.TrimSuffix(o.record, ".hea") + ".atr")
	if err != nil {
		return badInput(err, "ls "+o.record+".atr")
	}
	noisy, err := synth.Disturb(rec, ann, kind, snr, o.seed, name)
	if err != nil {
		return badInput(err, synthHelp)
	}
	dir := filepath.Dir(o.out)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory for record: %w", err)
	}
	if err := noisy.Write(dir); err != nil {
		return err
	}
	return wfdb.WriteAnnotations(o.out+".atr", ann)
}

func parseNoise(s string) (synth.Kind, float64, error) {
	kind, db, ok := strings.Cut(s, ":")
	snr, err := strconv.ParseFloat(db, 64)
	if !ok || err != nil || !(snr >= -40 && snr <= 80) {
		return "", 0, cli.Usagef(synthHelp, "--noise %s: must be KIND:DECIBEL with KIND pl, ma, bw or em, e.g. em:0", s)
	}
	return synth.Kind(kind), snr, nil
}
