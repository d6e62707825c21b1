package querier

import (
	"fmt"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// Stage is how far a question has come.
type Stage int

// The stages, in order.
const (
	Registered Stage = iota + 1
	Answering
	Judging
	Opening
	Closed
)

// Progress is what a person may see while waiting. It is comparable.
type Progress struct {
	Stage    Stage
	QueryID  record.Hash
	Answered int // gateways
	Accepted int // of them, by a quorum of verifiers
	Asked    int
}

// String is the line that a terminal shows.
func (p Progress) String() string {
	switch p.Stage {
	case Registered:
		return "registered"
	case Answering:
		return fmt.Sprintf("answered %d/%d", p.Answered, p.Asked)
	case Judging:
		return fmt.Sprintf("checked %d/%d", p.Accepted, p.Asked)
	case Opening:
		return "opening"
	case Closed:
		return "co-signed"
	}
	return ""
}

func progressOf(q *fsm.Query) Progress {
	p := Progress{QueryID: q.ID, Asked: len(q.Asked), Answered: len(q.Answers), Accepted: len(q.AcceptedGateways())}
	switch q.Phase {
	case fsm.Open:
		p.Stage = Answering
	case fsm.Judge1, fsm.Sum, fsm.Judge2:
		p.Stage = Judging
	case fsm.Switch, fsm.Judge3, fsm.Done:
		p.Stage = Opening
	default:
		p.Stage = Closed
	}
	return p
}

func (q *Querier) report(p Progress) {
	if q.Progress != nil {
		q.Progress(p)
	}
}

// Lap is how long one part of a question took.
type Lap struct {
	Name string
	Took time.Duration
}

// stopwatch measures what the querier does itself, by its own clock.
type stopwatch struct {
	now         func() time.Time
	start, last time.Time
	took        map[string]time.Duration
}

func newStopwatch(now func() time.Time) *stopwatch {
	t := now()
	return &stopwatch{now: now, start: t, last: t, took: map[string]time.Duration{}}
}

// lap ends one part and begins the next.
func (s *stopwatch) lap(name string) {
	t := s.now()
	s.took[name], s.last = t.Sub(s.last), t
}

// laps lists the parts in the order of a question's life, then the total.
func (s *stopwatch) laps() []Lap {
	var out []Lap
	for _, name := range []string{"register", "answer", "open"} {
		out = append(out, Lap{name, s.took[name]})
	}
	return append(out, Lap{"total", s.now().Sub(s.start)})
}
