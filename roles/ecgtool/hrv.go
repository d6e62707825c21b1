package ecgtool

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"statnet/ecg"
	"statnet/ecg/score"
	"statnet/ecg/screen"
	"statnet/ecg/wfdb"
	"statnet/internal/cli"
)

// hrvOptions are the flags of `ecg hrv`.
type hrvOptions struct {
	from   string // atr, detect
	beats  string // nn, all, clean
	limits string // "200-3000", "none"
	signal int
	tuning string
	rateHz float64
	output cli.Format
	screen screen.Limits
	plot   string
}

// interval is one RR interval with what selections need to know.
type interval struct {
	us     int64 // R peak that ends it
	rr     int32
	joined bool // follows the previous interval: they share a beat
	normal bool // both beats are annotated N L R e j
	flags  ecg.Flags
}

// hrvResult is what `ecg hrv` prints.
type hrvResult struct {
	Record     string         `json:"record"`
	From       string         `json:"from"`
	Beats      string         `json:"beats"`
	Limits     string         `json:"limits"`
	Sums       screen.Sums    `json:"sums"`
	Derived    screen.Derived `json:"statistics"`
	Raw        screen.Sums    `json:"raw_sums"` // neither first nor outside 200-3000 ms
	Counts     tally          `json:"counts"`
	Rejected   *float64       `json:"rejected_share"`
	Screening  screen.Counts  `json:"screening"`
	Disclaimer string         `json:"note"`
}

const disclaimer = "screening hint, not a diagnosis; not a medical device"

// hrv runs `ecg hrv`.
func hrv(w io.Writer, path string, o hrvOptions) error {
	lo, hi, err := parseLimits(o.limits)
	if err != nil {
		return err
	}
	if o.from == "detect" && o.beats == "nn" {
		return cli.Usagef("statnet ecg hrv "+path+" --from detect --beats clean", "--beats nn: needs beat labels, which only --from atr has; e.g. clean")
	}
	list, name, counts, err := o.intervals(path)
	if err != nil {
		return err
	}
	res := hrvResult{Record: name, From: o.from, Beats: o.beats, Limits: o.limits, Counts: counts, Disclaimer: disclaimer}
	res.Sums = sumSelected(list, func(x interval) bool { return x.rr >= lo && x.rr <= hi && selected(o.beats, x) })
	res.Derived = res.Sums.Derive()
	res.Raw = sumSelected(list, func(x interval) bool { return x.flags&ecg.Range == 0 })
	if n := counts.Accepted + counts.Rejected; n > 0 {
		share := float64(counts.Rejected) / float64(n)
		res.Rejected = &share
	}
	if res.Screening, err = screenAll(list, o.screen); err != nil {
		return cli.Usagef("statnet ecg hrv --help", "%s", err)
	}
	if o.plot != "" {
		if err := plotIntervals(o.plot, name, list); err != nil {
			return err
		}
	}
	return cli.Print(w, o.output, res, res.rows())
}

func parseLimits(s string) (lo, hi int32, err error) {
	if s == "none" {
		return 1, 1<<31 - 1, nil
	}
	a, b, ok := strings.Cut(s, "-")
	low, errLow := strconv.ParseInt(a, 10, 32)
	high, errHigh := strconv.ParseInt(b, 10, 32)
	if !ok || errLow != nil || errHigh != nil || low < 1 || low > high {
		return 0, 0, cli.Usagef("statnet ecg hrv --help", "--limits %s: must be LOW-HIGH in milliseconds or none, e.g. 200-3000", s)
	}
	return int32(low), int32(high), nil
}

// intervals lists a record's intervals from labels or from the detector.
func (o hrvOptions) intervals(path string) ([]interval, string, tally, error) {
	if o.from == "detect" {
		tuning, err := readTuning(o.tuning)
		if err != nil {
			return nil, "", tally{}, err
		}
		r, err := openRecord(path, o.rateHz)
		if err != nil {
			return nil, "", tally{}, err
		}
		d, err := detect(r, o.signal, tuning)
		if err != nil {
			return nil, "", tally{}, err
		}
		return intervalsOf(d.beats, nil), r.Name, count(d.beats), nil
	}
	beats, normal, name, err := annotated(strings.TrimSuffix(path, ".hea"))
	if err != nil {
		return nil, "", tally{}, err
	}
	return intervalsOf(beats, normal), name, count(beats), nil
}

// intervalsOf takes the intervals out of beats; normal says which beats are, nil
// if nobody knows.
func intervalsOf(beats []found, normal []bool) []interval {
	var out []interval
	joined := false
	for i, b := range beats {
		if b.Flags&ecg.First != 0 {
			joined = false
			continue
		}
		x := interval{us: b.At, rr: b.RR, joined: joined, flags: b.Flags}
		x.normal = normal != nil && normal[i] && normal[i-1]
		out = append(out, x)
		joined = true
	}
	return out
}

// maxSample keeps the times of annotations without a known end in range.
const maxSample = 1 << 38

// annotated reads the labelled beats of a record; no interval reaches over a
// flutter episode.
func annotated(path string) (beats []found, normal []bool, name string, err error) {
	ann, err := wfdb.ReadAnnotations(path + ".atr")
	if err != nil {
		return nil, nil, "", badInput(err, "ls "+path+".atr")
	}
	h, err := wfdb.ReadHeader(path + ".hea")
	if err != nil {
		return nil, nil, "", badInput(err, "ls "+path+".hea")
	}
	if t := wfdb.Ticks(ann); t != "" {
		return nil, nil, "", badInput(fmt.Errorf("%s.atr: its time step of 1/%s s differs from the samples", path, t), "use annotations on the record's own samples")
	}
	ref := score.NewReference(ann)
	var clean ecg.Cleaner
	for i, b := range ref.Beats {
		if h.Samples > 0 && b.At >= float64(h.Samples) || b.At > maxSample {
			return nil, nil, "", badInput(fmt.Errorf("%s.atr: beat at %.0f lies behind the record's end", path, b.At), "repair the annotations")
		}
		p := ecg.Peak{Index: int64(b.At)}
		if i > 0 && ref.FlutterBetween(ref.Beats[i-1].At, b.At) {
			p.Flags = ecg.First
		}
		ns := h.TimeNs(p.Index)
		beat, err := clean.Put(p, ns, ns/1000)
		if err != nil {
			return nil, nil, "", badInput(fmt.Errorf("%s.atr: %w", path, err), "repair the annotations")
		}
		beats = append(beats, found{beat, p.Offset(), p.Index})
		normal = append(normal, b.Normal)
	}
	return beats, normal, h.Name, nil
}

// selected says which intervals a choice of beats keeps.
func selected(beats string, x interval) bool {
	switch beats {
	case "nn":
		return x.normal
	case "clean":
		return x.flags.Accepted()
	}
	return true
}

func sumSelected(list []interval, keep func(interval) bool) (s screen.Sums) {
	prev := int32(0)
	for _, x := range list {
		if !x.joined {
			prev = 0
		}
		if !keep(x) {
			prev = 0
			continue
		}
		s.Put(x.rr, prev)
		prev = x.rr
	}
	return s
}

func screenAll(list []interval, l screen.Limits) (screen.Counts, error) {
	c, err := screen.NewCounter(l)
	if err != nil {
		return screen.Counts{}, err
	}
	for _, x := range list {
		if !x.joined {
			c.Gap()
		}
		c.Put(x.rr)
	}
	return c.Counts(), nil
}

func (r hrvResult) rows() cli.Rows {
	rows := cli.Rows{Head: []string{"figure", "value", "unit"}}
	rows.Add("record", r.Record+" ("+r.From+", "+r.Beats+", "+r.Limits+")", "")
	rows.Add("beats", r.Counts.Detected, "")
	s, d := r.Sums, r.Derived
	for _, x := range []struct {
		name string
		v    uint64
	}{{"N", s.N}, {"S1", s.S1}, {"S2", s.S2}, {"M", s.M}, {"D2", s.D2}, {"NN50", s.NN50}} {
		rows.Add(x.name, x.v, "")
	}
	for _, x := range []struct {
		name, unit string
		v          *float64
	}{{"mean RR", "ms", d.MeanRR}, {"HR", "/min", d.MeanHR}, {"variance", "ms^2", d.Variance}, {"SDNN", "ms", d.SDNN},
		{"RMSSD", "ms", d.RMSSD}, {"pNN50", "", d.PNN50}, {"CV", "", d.CV}, {"rejected share", "", r.Rejected}} {
		rows.Add(x.name, figure(x.v), x.unit)
	}
	c := r.Screening
	rows.Add("irregular windows", fmt.Sprintf("%d of %d", c.Irregular, c.Windows), "128 intervals")
	rows.Add("fast / slow beats", fmt.Sprintf("%d / %d", c.Tachycardia, c.Bradycardia), "")
	rows.Add("pauses", c.Pauses, "")
	if r.Rejected != nil && *r.Rejected > 0.1 {
		rows.Notes = append(rows.Notes, fmt.Sprintf("%.0f %% of the intervals were rejected: SDNN and RMSSD describe only the rest.", 100**r.Rejected))
	}
	rows.Notes = append(rows.Notes, disclaimer)
	return rows
}

// figure prints an existing value with six decimals, "absent" otherwise: an
// absent heart rate is not 0.
func figure(v *float64) string {
	if v == nil {
		return "absent"
	}
	return strconv.FormatFloat(*v, 'f', 6, 64)
}
