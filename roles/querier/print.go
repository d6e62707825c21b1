package querier

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"statnet/internal/cli"
	"statnet/stat"
)

// rows is the answer for people and spreadsheets: one name and value a line.
func rows(o Output) cli.Rows {
	r := cli.Rows{Head: []string{"what", "value"}}
	add := func(name, value string) { r.Add(name, value) }
	add("question", fmt.Sprintf("%s of %s", o.Statistic, o.Signal))
	add("window", o.Window.From.Format(time.RFC3339)+" to "+o.Window.To.Format(time.RFC3339))
	for _, line := range valueLines(o.Result) {
		add(line[0], line[1])
	}
	if b := o.Resolved; b != nil {
		add("read from", fmt.Sprintf("bin %s to %s %s of the histogram, %s wide", text(b.From), text(b.To), unit(b.Unit), text(b.Width)))
	}
	if o.Parts != nil {
		add("within residents", quantity(o.Parts.Within, o.Parts.Unit))
		add("between residents", quantity(o.Parts.Between, o.Parts.Unit))
	}
	for _, l := range o.Also {
		add(l.Label, quantity(l.Value, l.Unit))
	}
	add("beats", o.Beats.String())
	add("patients", o.Patients.String())
	add("observed", fmt.Sprintf("%s of %d s", o.Coverage.ObservedSeconds, o.Coverage.ExpectedSeconds))
	add("rejected beats", o.Coverage.RejectedBeats.String())
	add("providers", fmt.Sprintf("%d of %d", o.Providers.Included, o.Providers.Asked))
	for _, e := range o.Providers.Excluded {
		add("  excluded", e.ID+": "+e.Reason)
	}
	for _, n := range o.Notes {
		add("note", n)
	}
	add("checked", fmt.Sprintf("%d answers, %d of %d verifiers must agree (%s), ledger of %d records",
		o.Verification.Answers, o.Verification.Quorum, o.Verification.Verifiers, o.Verification.FaultModel, o.Verification.Checkpoint.Size))
	add("not checked", "proofs: none. A gateway could lie about its own values,")
	add("", "a server could shift what it opens, and nobody would see it")
	for _, w := range o.Verification.Warnings {
		add("warning", w)
	}
	add("query", o.QueryID)
	add("time", fmt.Sprintf("%d ms", o.Timing["total"]))
	return r
}

// valueLines spreads an answer that has several values over several lines.
func valueLines(r stat.Result) [][2]string {
	b, err := json.Marshal(r.Value)
	if err != nil {
		return [][2]string{{"value", err.Error()}}
	}
	switch v := r.Value.Object.(type) {
	case nil:
		return [][2]string{{string(r.Statistic), quantity(r.Value.Number, r.Unit)}}
	case stat.Members:
		var out [][2]string
		for _, q := range v.Quantities {
			out = append(out, [2]string{q.Label, quantity(q.Value, q.Unit)})
		}
		for _, f := range v.Flags {
			out = append(out, [2]string{f.Rule, flagText(f)})
		}
		return out
	case stat.HistogramValue:
		var out [][2]string
		for _, bin := range v.Bins {
			out = append(out, [2]string{fmt.Sprintf("%s to %s %s", text(bin.From), text(bin.To), unit(v.Unit)), bin.Count.String()})
		}
		return out
	case []stat.SeriesPoint:
		var out [][2]string
		for _, p := range v {
			out = append(out, [2]string{time.Unix(p.From, 0).UTC().Format("2006-01-02 15:04"),
				fmt.Sprintf("mean %s, stddev %s %s", text(p.Mean.Value), text(p.StdDev.Value), unit(p.Mean.Unit))})
		}
		return out
	}
	return [][2]string{{string(r.Statistic), string(b)}}
}

func flagText(f stat.Flag) string {
	state := "not enough beats to say"
	if f.Raised != nil {
		state = map[bool]string{true: "raised", false: "not raised"}[*f.Raised]
	}
	return fmt.Sprintf("%s (%s, threshold %s); %s", state, quantity(f.Value, f.Unit), quantity(f.Threshold, f.Unit), f.Hint)
}

func text(d stat.Decimal) string {
	if d.Absent() {
		return "absent"
	}
	return string(d)
}

// quantity is a number with its unit; what is absent has none.
func quantity(d stat.Decimal, u string) string {
	if d.Absent() || unit(u) == "" {
		return text(d)
	}
	return text(d) + " " + u
}

// unit leaves out the unit of plain numbers.
func unit(u string) string {
	if u == "1" {
		return ""
	}
	return u
}

// Plan is the JSON form of --dry-run.
type Plan struct {
	Schema     string        `json:"schema"` // "statnet.plan.v1"
	Statistic  string        `json:"stat"`
	Signal     string        `json:"signal"`
	From       time.Time     `json:"from"`
	To         time.Time     `json:"to"`
	Questions  int           `json:"questions"` // more than 1 for a series
	Policy     string        `json:"policy"`    // "allowed"; a refusal is an error
	Purpose    string        `json:"purpose"`
	Cohort     string        `json:"cohort,omitempty"`
	Patients   int           `json:"patients"`
	MinCohort  uint64        `json:"min_cohort"`
	Gateways   []string      `json:"gateways"`
	Ciphertext int           `json:"ciphertext_bytes_each"`
	Proof      int           `json:"proof_bytes_each"`
	Learns     []PartyLearns `json:"learns"`
}

// PartyLearns says what one party would see of the question.
type PartyLearns struct {
	Party string `json:"party"`
	What  string `json:"what"`
}

// dryRun plans by the own copy of the roster and policy, without asking anyone.
func dryRun(w io.Writer, q *Querier, ask Ask, format cli.Format) error {
	p, size, err := q.dryPlan(ask)
	if err != nil {
		return err
	}
	out := Plan{
		Schema: "statnet.plan.v1", Statistic: string(ask.Question.Statistic), Signal: string(ask.Question.Signal),
		From: time.Unix(int64(p.record.From), 0).UTC(), To: time.Unix(int64(p.record.To), 0).UTC(), Questions: 1,
		Policy: "allowed", Purpose: p.record.Purpose, Cohort: p.record.Cohort,
		Patients: len(p.plan.Patients), MinCohort: p.plan.Minimum, Ciphertext: size,
		Learns: []PartyLearns{
			{"gateways", "the question; nothing about other gateways' patients"},
			{"servers", "who asks what, and which gateways answer; no value"},
			{"verifiers", "who asks what, and which gateways answer; no value"},
			{"you", "the one result and the opened sums listed in it"},
		},
	}
	if ask.Question.Statistic == series {
		hours, err := stat.Hours(p.window.From, p.window.To)
		if err != nil {
			return cli.Usagef("statnet query --help", "--stat series: %v", err)
		}
		out.Questions = len(hours)
	}
	for _, path := range p.plan.Asked {
		out.Gateways = append(out.Gateways, trimRole(path))
	}
	sort.Strings(out.Gateways)
	return cli.Print(w, format, out, planRows(out))
}

func planRows(p Plan) cli.Rows {
	whom := p.Cohort
	if whom == "" {
		whom = "named patients"
	}
	r := cli.Rows{Head: []string{"what", "value"}}
	r.Add("question", p.Statistic+" of "+p.Signal)
	r.Add("window", p.From.Format(time.RFC3339)+" to "+p.To.Format(time.RFC3339))
	r.Add("questions", p.Questions)
	r.Add("policy", fmt.Sprintf("%s, %s", p.Policy, p.Purpose))
	r.Add("patients", fmt.Sprintf("%s, %d, at least %d must take part", whom, p.Patients, p.MinCohort))
	r.Add("gateways", strings.Join(p.Gateways, " "))
	r.Add("each sends", fmt.Sprintf("%d bytes of ciphertext a question, no proof", p.Ciphertext))
	for _, l := range p.Learns {
		r.Add(l.Party+" learn", l.What)
	}
	return r
}
