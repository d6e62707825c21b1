package stat_test

import (
	"errors"
	"reflect"
	"testing"

	"statnet/stat"
)

func TestHours(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to int64
		want     []stat.Window
		err      error
	}{
		{"two whole hours", 7200, 14400, []stat.Window{{7200, 10800}, {10800, 14400}}, nil},
		{"both ends cut", 6900, 11100, []stat.Window{{6900, 7200}, {7200, 10800}, {10800, 11100}}, nil},
		{"within an hour", 300, 900, []stat.Window{{300, 900}}, nil},
		{"empty", 300, 300, nil, stat.ErrSeries},
		{"backwards", 600, 300, nil, stat.ErrSeries},
		{"not snapped", 301, 600, nil, stat.ErrSeries},
		{"too long", 0, 28*86400 + 300, nil, stat.ErrSeries},
	} {
		got, err := stat.Hours(tt.from, tt.to)
		if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%s: Hours = %v, %v, want %v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
	longest, err := stat.Hours(300, 28*86400+300)
	if err != nil || len(longest) != stat.MaxHours {
		t.Errorf("four weeks = %d hours, %v, want %d", len(longest), err, stat.MaxHours)
	}
}

func TestJoin(t *testing.T) {
	s := ward(t)
	q := stat.Question{Statistic: stat.Series, Signal: stat.RR}
	shown, err := stat.Compute(q, s)
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := stat.ComputeCohort(q, s, 3)
	if err != nil {
		t.Fatal(err)
	}
	windows := []stat.Window{{0, 3600}, {3600, 7200}, {7200, 10800}}
	r, err := stat.Join(windows, []*stat.Result{&shown, nil, &hidden})
	if err != nil {
		t.Fatal(err)
	}
	points := r.Value.Object.([]stat.SeriesPoint)
	if points[0].Mean.Value == "" || points[1].Mean.Value != "" || points[2].Mean.Value != "" {
		t.Errorf("means = %q, %q, %q, want only the first", points[0].Mean.Value, points[1].Mean.Value, points[2].Mean.Value)
	}
	if got := points[2].Patients.String(); got != "<3" {
		t.Errorf("patients of the hidden hour = %s, want <3", got)
	}
	if points[1].From != 3600 || r.Beats.Count != 500 || len(r.Notes) != 2 {
		t.Errorf("joined = %+v, want hour 1 at 3600, 500 beats and two notes", r)
	}
	mean, err := stat.Compute(stat.Question{Statistic: stat.Mean, Signal: stat.RR}, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stat.Join(windows[:1], []*stat.Result{&mean}); !errors.Is(err, stat.ErrSeries) {
		t.Errorf("Join of a mean = %v, want ErrSeries", err)
	}
	if _, err := stat.Join(windows, nil); !errors.Is(err, stat.ErrSeries) {
		t.Errorf("Join of no answers = %v, want ErrSeries", err)
	}
}
