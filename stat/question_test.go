package stat_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"statnet/stat"
)

// questions lists one question of every kind.
func questions() (out []stat.Question) {
	for _, s := range stat.Statistics() {
		for _, signal := range []stat.Signal{stat.RR, stat.HR} {
			q := stat.Question{Statistic: s, Signal: signal}
			if s == stat.Quantile {
				q.QuantilePPM = 900_000
			}
			if q.Validate() == nil {
				out = append(out, q)
			}
		}
	}
	return out
}

func TestQuestionsSurviveTheWire(t *testing.T) {
	all := append(questions(), stat.Question{Statistic: stat.Histogram, Signal: stat.HR, Bins: 16},
		stat.Question{Statistic: stat.Quantile, Signal: stat.RR, QuantilePPM: 1},
		stat.Question{Statistic: stat.Quantile, Signal: stat.RR, QuantilePPM: 999_999})
	if len(all) != 16+12+3 {
		t.Errorf("%d questions, want 16 of rr, 12 of hr and 3", len(all))
	}
	for _, q := range all {
		got, err := stat.ParseQuestion(string(q.Statistic), q.Params())
		if err != nil || got != q {
			t.Errorf("ParseQuestion(%s, %s) = %+v, %v", q.Statistic, q.Params(), got, err)
		}
	}
	written := stat.Question{Statistic: stat.Histogram, Signal: stat.RR, Bins: 64}
	if got := string(written.Params()); got != "v1 rr" {
		t.Errorf("parameters with the default number of bins = %q, want them left out", got)
	}
}

func TestParseQuestionRefuses(t *testing.T) {
	for _, tt := range []struct{ statistic, params, why string }{
		{"mean", "", "no parameters"},
		{"mean", "v1", "no signal"},
		{"mean", "v2 rr", "another version"},
		{"mean", "v1 rr ", "trailing space"},
		{"mean", "v1  rr", "two spaces"},
		{"mean", "v1 RR", "another case"},
		{"mean", "v1 rr\n", "line end"},
		{"mean", "v1 rr x=1", "unknown parameter"},
		{"mean", "v1 rr quantile=500000", "parameter of another statistic"},
		{"mode", "v1 rr", "unknown statistic"},
		{"", "v1 rr", "no statistic"},
		{"rmssd", "v1 hr", "differences of rates"},
		{"quantile", "v1 rr", "no quantile"},
		{"quantile", "v1 rr quantile=0", "zero"},
		{"quantile", "v1 rr quantile=1000000", "one"},
		{"quantile", "v1 rr quantile=0900000", "leading zero"},
		{"quantile", "v1 rr quantile=+900000", "sign"},
		{"quantile", "v1 rr quantile=900000 quantile=900000", "twice"},
		{"quantile", "v1 rr quantile=4294967297", "beyond 32 bits"},
		{"histogram", "v1 rr bins=1", "one bin"},
		{"histogram", "v1 rr bins=65", "too many bins"},
		{"histogram", "v1 rr bins=64", "default written out"},
		{"histogram", "v1 rr bins=0", "zero written out"},
		{"histogram", "v1 rr bins", "no value"},
		{"mean", "v1 rr" + strings.Repeat(" ", 100), "too long"},
	} {
		if q, err := stat.ParseQuestion(tt.statistic, []byte(tt.params)); !errors.Is(err, stat.ErrQuestion) {
			t.Errorf("%s: ParseQuestion(%q, %q) = %+v, %v, want ErrQuestion", tt.why, tt.statistic, tt.params, q, err)
		}
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	err := stat.Question{Statistic: "mode", Signal: "bp", QuantilePPM: 1, Bins: 1}.Validate()
	for _, want := range []string{"statistic", "signal", "quantile", "bins", "e.g. mean"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want it to name %s", err, want)
		}
	}
}

func FuzzParseQuestion(f *testing.F) {
	for _, q := range questions() {
		f.Add(string(q.Statistic), q.Params())
	}
	f.Fuzz(func(t *testing.T, statistic string, params []byte) {
		q, err := stat.ParseQuestion(statistic, params)
		if err != nil {
			return
		}
		if string(q.Statistic) != statistic || !bytes.Equal(q.Params(), params) {
			t.Errorf("accepted %q %q, canonical is %q %q", statistic, params, q.Statistic, q.Params())
		}
		if q.Selection().Validate() != nil {
			t.Errorf("accepted question %+v has no selection", q)
		}
	})
}
