package querier

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"statnet/chain/bundle"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/internal/cli"
	"statnet/stat"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s = %s\nwant %s", name, got, want)
	}
}

// answered is a closed question without gw-3, on a ledger in memory.
func answered(t *testing.T) (*Querier, *Answer) {
	t.Helper()
	l := fsmtest.New(t, fsmtest.Options{})
	l.Keygen()
	id := l.Ask(l.QueryRecord())
	l.Answer(id, "gateway/gw-1", "gateway/gw-2")
	end, _ := l.Query(id).Deadline()
	l.Cut(end - l.NowMS)
	l.Judge(id, record.PhaseAnswers)
	l.Sum(id)
	l.Judge(id, record.PhaseSums)
	l.Switch(id)
	l.Judge(id, record.PhaseShares)
	size := l.Finish(id)
	query := l.Query(id)
	q := &Querier{ID: "dr-a", Cluster: l.Cluster}
	from, to := time.Unix(int64(query.Record.From), 0), time.Unix(int64(query.Record.To), 0)
	a := &Answer{
		Query: query, Window: Window{from.Unix(), to.Unix()},
		Ask: Ask{From: from.Add(-time.Minute), To: to.Add(time.Minute)},
		Report: &bundle.Report{Query: query, FaultModel: "byzantine f=1", NotChecked: []string{"proofs: none"},
			Checkpoint: note.Signed{Checkpoint: note.Checkpoint{Origin: "ward.example/00", Size: size, Root: record.Hash{0xab}}}},
		Timing: []Lap{{"register", 12 * time.Millisecond}, {"total", 1234 * time.Millisecond}},
	}
	return q, a
}

// sums are those of two gateways with two patients each, an hour at about 800 ms,
// 16 ms more and less in turn.
func sums(t *testing.T, q stat.Question) stat.Sums {
	t.Helper()
	coeffs := make([]uint32, stat.K)
	for gateway := range 2 {
		var patients []stat.Totals
		for p := range 2 {
			patients = append(patients, hour(int32(800+20*gateway+10*p)))
		}
		part, err := stat.Encode(patients, q.Selection())
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range part {
			coeffs[i] += uint32(c)
		}
	}
	s, err := stat.Decode(coeffs, q.Selection())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hour(around int32) stat.Totals {
	var one stat.Totals
	var prev int32
	for k := range int32(4400) {
		rr := around - 16 + 32*(k%2)
		one.Accept(rr, prev)
		prev = rr
	}
	one.REJ, one.OBS = 12, 3550
	return one
}

// TestOutput is the JSON that programs read, and the rows that people do.
func TestOutput(t *testing.T) {
	for _, question := range []stat.Question{
		{Statistic: stat.Mean, Signal: stat.RR},
		{Statistic: stat.Variance, Signal: stat.RR},
		{Statistic: stat.Histogram, Signal: stat.RR, Bins: 16},
		{Statistic: stat.Arrhythmia, Signal: stat.RR},
		{Statistic: stat.Series, Signal: stat.RR},
	} {
		t.Run(string(question.Statistic), func(t *testing.T) {
			q, a := answered(t)
			var err error
			if a.Result, err = stat.ComputeCohort(question, sums(t, question), 3); err != nil {
				t.Fatal(err)
			}
			if question.Statistic == stat.Series {
				hours, err := stat.Hours(a.Window.From, a.Window.To)
				if err != nil {
					t.Fatal(err)
				}
				if a.Result, err = stat.Join(hours, []*stat.Result{&a.Result, nil}); err != nil {
					t.Fatal(err)
				}
			}
			o := q.output(a)
			data, err := marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, string(question.Statistic)+".json", data)
			var table bytes.Buffer
			if err := cli.Print(&table, cli.Table, o, rows(o)); err != nil {
				t.Fatal(err)
			}
			golden(t, string(question.Statistic)+".txt", table.Bytes())
			claims(t, data)
		})
	}
}

// claims: nothing is called verified that no proof has shown.
func claims(t *testing.T, data []byte) {
	t.Helper()
	if bytes.Contains(bytes.ToLower(data), []byte(`"verified`)) {
		t.Error("the output says verified")
	}
	var o struct {
		Verification struct{ Status, Proofs string }
		Providers    struct {
			Included, Asked int
			Excluded        []Excluded
		}
	}
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	if o.Verification.Status != "checked" || o.Verification.Proofs != "none" {
		t.Errorf("verification = %+v, want checked and none", o.Verification)
	}
	if p := o.Providers; p.Asked != 3 || p.Included != 2 || len(p.Excluded) != 1 || p.Excluded[0] != (Excluded{"gw-3", "no_answer"}) {
		t.Errorf("providers = %+v, want 2 of 3 without gw-3", p)
	}
}
