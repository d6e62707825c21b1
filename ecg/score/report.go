package score

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"statnet/ecg/wfdb"
)

// Record is one record scored in both views.
type Record struct {
	Name       string
	FS         float64
	Detections int
	EC57, Full View
	Want, Got  Rhythm // annotated, detected
}

// paced are the records that EC57 leaves out of its summary.
var paced = []string{"102", "104", "107", "217"}

// Score scores detections against a record's annotations. samples 0 means
// unknown.
func Score(name string, ann []wfdb.Annotation, det []float64, fs float64, samples int64, o Options) Record {
	ref := NewReference(ann)
	det = slices.Sorted(slices.Values(det))
	return Record{
		Name: name, FS: fs, Detections: len(det),
		EC57: NewView(ref, det, fs, samples, o.WindowMS, o.LearnS),
		Full: NewView(ref, det, fs, samples, o.WindowMS, 0),
		Want: NewRhythm(ref.times(), ref, fs), Got: NewRhythm(det, ref, fs),
	}
}

// Dir scores DETDIR/NAME.txt against REFDIR/NAME.atr for every name, or for
// every .atr file if names is nil. Records without detections are returned by
// name.
func Dir(refDir, detDir string, names []string, o Options) (recs []Record, missing []string, err error) {
	if names == nil {
		atr, err := filepath.Glob(filepath.Join(refDir, "*.atr"))
		if err != nil {
			return nil, nil, fmt.Errorf("list annotations in %s: %w", refDir, err)
		}
		for _, p := range atr {
			names = append(names, strings.TrimSuffix(filepath.Base(p), ".atr"))
		}
		slices.Sort(names)
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("no .atr files in %s", refDir)
	}
	for _, name := range names {
		det, err := ReadDetections(filepath.Join(detDir, name+".txt"))
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		ann, err := wfdb.ReadAnnotations(filepath.Join(refDir, name+".atr"))
		if err != nil {
			return nil, nil, err
		}
		rate, samples, err := header(filepath.Join(refDir, name+".hea"))
		if err != nil {
			return nil, nil, err
		}
		recs = append(recs, Score(name, ann, det, rate, samples, o))
	}
	return recs, missing, nil
}

// header returns a record's rate and length; 360 Hz and unknown without one.
func header(path string) (fs_ float64, samples int64, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 360, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read header: %w", err)
	}
	h, err := wfdb.ParseHeader(text)
	if err != nil {
		return 0, 0, fmt.Errorf("read header %s: %w", path, err)
	}
	return float64(h.RateMilliHz) / 1000, h.Samples, nil
}

// ReadDetections reads one sample index a line; decimals and # comments are
// allowed, only the first word counts.
func ReadDetections(path string) ([]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read detections: %w", err)
	}
	defer f.Close()
	var det []float64
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		line, _, _ := strings.Cut(in.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimRight(words[0], ","), 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, fmt.Errorf("read detections %s:%d: %q is not a sample index", path, n, words[0])
		}
		det = append(det, v)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read detections %s: %w", path, err)
	}
	return det, nil
}

const head = "record       beats      TP    FN    FP      Se%     PPV%      F1%    DER%     off    jit    RRe   RR95"

func row(name string, s Summary) string {
	return fmt.Sprintf("%-10s %7d %7d %5d %5d %8s %8s %8s %7s %7s %6s %6s %6s", name, s.Beats, s.TP, s.FN, s.FP,
		fixed(100*s.Se, 3), fixed(100*s.PPV, 3), fixed(100*s.F1, 3), fixed(100*s.DER, 3),
		fixed(s.Off, 1), fixed(s.Jit, 2), fixed(s.RRe, 2), fixed(s.RR95, 2))
}

func fixed(x Number, digits int) string {
	if math.IsNaN(float64(x)) {
		return "nan"
	}
	return strconv.FormatFloat(float64(x), 'f', digits, 64)
}

// WriteTable prints what score.py prints after its first line: the records in
// one view, the pooled lines of both, and the rates.
func WriteTable(w io.Writer, recs []Record, full, quiet bool) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, head)
	for _, r := range recs {
		if !quiet {
			fmt.Fprintln(out, row(r.Name, r.view(full).Summary()))
		}
	}
	for _, g := range grossLines(recs) {
		fmt.Fprintf(out, "%s  avg Se %s PPV %s worst F1 %s\n", row("G:"+g.name, g.Summary),
			fixed(100*g.AvgSe, 3), fixed(100*g.AvgPPV, 3), fixed(100*g.WorstF1, 2))
	}
	if s, ok := statsOf(recs); ok {
		fmt.Fprintf(out, "# per-record statistics: |HR error| mean %.2f max %.2f bpm; |RMSSD error| median %.1f%% max %.0f%%\n",
			s.HRMean, s.HRMax, 100*s.RMSSDMedian, 100*s.RMSSDMax)
	}
	fmt.Fprintln(out, "# ec57-nop: paced records 102 104 107 217 left out, as EC57 does")
	return out.Flush()
}

func (r Record) view(full bool) View {
	if full {
		return r.Full
	}
	return r.EC57
}

type namedGross struct {
	name string
	Gross
}

// grossLines pools the records, once without the paced ones.
func grossLines(recs []Record) []namedGross {
	var ec57, nop, full []View
	for _, r := range recs {
		ec57, full = append(ec57, r.EC57), append(full, r.Full)
		if !slices.Contains(paced, r.Name) {
			nop = append(nop, r.EC57)
		}
	}
	var out []namedGross
	for _, g := range []struct {
		name  string
		views []View
	}{{"ec57", ec57}, {"ec57-nop", nop}, {"full", full}} {
		if len(g.views) > 0 {
			out = append(out, namedGross{g.name, Pool(g.views)})
		}
	}
	return out
}

// Stats are the errors of what a gateway would report without beat labels.
type Stats struct {
	HRMean      float64 `json:"hr_abs_err_mean"`
	HRMax       float64 `json:"hr_abs_err_max"`
	RMSSDMedian float64 `json:"rmssd_rel_err_median"`
	RMSSDMax    float64 `json:"rmssd_rel_err_max"`
}

func statsOf(recs []Record) (s Stats, ok bool) {
	var hr, rm []float64
	for _, r := range recs {
		if !math.IsNaN(r.Got.HR) {
			hr = append(hr, math.Abs(r.Got.HR-r.Want.HR))
		}
		if !math.IsNaN(r.Got.RMSSD) && r.Want.RMSSD > 0 {
			rm = append(rm, math.Abs(r.Got.RMSSD/r.Want.RMSSD-1))
		}
	}
	if len(hr) == 0 || len(rm) == 0 {
		return s, false
	}
	self := func(x float64) float64 { return x }
	return Stats{meanOf(hr, self), slices.Max(hr), percentile(rm, 0.5), slices.Max(rm)}, true
}

// MarshalJSON writes null for a figure that does not exist.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}
