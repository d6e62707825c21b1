package querier

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"statnet/stat"
)

// Schema names the JSON form of an answer; its fields never change meaning.
const Schema = "statnet.query.v1"

// Output is the JSON form of an answer (docs/reference/output.md).
type Output struct {
	Schema  string       `json:"schema"`
	QueryID string       `json:"query_id"`
	Window  OutputWindow `json:"window"`
	stat.Result
	Providers    Providers        `json:"providers"`
	Coverage     Coverage         `json:"coverage"`
	Verification Verification     `json:"verification"`
	Timing       map[string]int64 `json:"timing_ms"`
}

// OutputWindow is the window that was answered and the one that was asked for.
type OutputWindow struct {
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Requested struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	} `json:"requested"`
}

// Providers says whose sums are in the answer.
type Providers struct {
	Asked    int        `json:"asked"`
	Included int        `json:"included"`
	Excluded []Excluded `json:"excluded"`
}

// Excluded is a gateway that was asked and is not in the sum.
type Excluded struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Coverage says how much of the window was observed, as the gateways declare
// it.
type Coverage struct {
	ExpectedSeconds uint64    `json:"expected_seconds"` // window times patients with data
	ObservedSeconds stat.Cell `json:"observed_seconds"`
	RejectedBeats   stat.Cell `json:"rejected_beats"`
}

// Verification says what was checked, and what was not.
type Verification struct {
	Status     string           `json:"status"` // "checked": everything but what Proofs would show
	Proofs     string           `json:"proofs"` // "none"
	Answers    int              `json:"answers"`
	Verifiers  int              `json:"verifiers"`
	Quorum     int              `json:"quorum"`
	FaultModel string           `json:"fault_model"`
	Checkpoint OutputCheckpoint `json:"checkpoint"`
	Receipt    string           `json:"receipt,omitempty"` // path
	NotChecked []string         `json:"not_checked"`
	Warnings   []string         `json:"warnings,omitempty"`
}

// OutputCheckpoint names the co-signed state of the ledger.
type OutputCheckpoint struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   string `json:"root"`
}

// output is the JSON form of an answer.
func (q *Querier) output(a *Answer) Output {
	from, to := time.Unix(a.Window.From, 0).UTC(), time.Unix(a.Window.To, 0).UTC()
	o := Output{
		Schema: Schema, QueryID: fmt.Sprintf("%x", a.Query.ID), Result: a.Result,
		Window:    OutputWindow{From: from, To: to},
		Providers: Providers{Asked: len(a.Query.Asked), Included: len(a.Query.AcceptedGateways()), Excluded: []Excluded{}},
		Coverage: Coverage{
			ExpectedSeconds: uint64(a.Window.To-a.Window.From) * a.Result.Patients.Count,
			ObservedSeconds: a.Result.ObservedSeconds, RejectedBeats: a.Result.RejectedBeats,
		},
		Verification: Verification{
			Status: "checked", Proofs: "none", Answers: len(a.Query.AcceptedGateways()),
			Verifiers: q.Cluster.N(), Quorum: q.Cluster.Q(), FaultModel: a.Report.FaultModel,
			Checkpoint: OutputCheckpoint{
				Origin: a.Report.Checkpoint.Origin, Size: a.Report.Checkpoint.Size, Root: fmt.Sprintf("%x", a.Report.Checkpoint.Root),
			},
			NotChecked: a.Report.NotChecked, Warnings: a.Report.Warnings,
		},
		Timing: map[string]int64{},
	}
	o.Window.Requested.From, o.Window.Requested.To = a.Ask.From.UTC(), a.Ask.To.UTC()
	for _, e := range a.Query.Excluded() {
		o.Providers.Excluded = append(o.Providers.Excluded, Excluded{ID: trimRole(e.Path), Reason: e.Code.String()})
	}
	for _, l := range a.Timing {
		o.Timing[l.Name] = l.Took.Milliseconds()
	}
	return o
}

func marshal(o Output) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(o); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return buf.Bytes(), nil
}
