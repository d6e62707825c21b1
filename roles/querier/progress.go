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

// stopwatch measures the parts of a question by the querier's own clock.
type stopwatch struct {
	now         func() time.Time
	start, last time.Time
	phaseOf     map[string]time.Duration
}

func newStopwatch(now func() time.Time) *stopwatch {
	t := now()
	return &stopwatch{now: now, start: t, last: t, phaseOf: map[string]time.Duration{}}
}

// lapOf names the part of the timing that ends when a phase begins.
var lapOf = map[fsm.Phase]string{
	fsm.Judge1: "collect", fsm.Sum: "verify", fsm.Judge2: "sum", fsm.Switch: "verify",
	fsm.Judge3: "switch", fsm.Done: "verify", fsm.Closed: "close",
}

// phase notes that a phase was seen. Phases that pass between two looks count
// for the one that is seen.
func (s *stopwatch) phase(p fsm.Phase) {
	if name, ok := lapOf[p]; ok {
		s.lap(name)
	}
}

func (s *stopwatch) lap(name string) {
	t := s.now()
	s.phaseOf[name] += t.Sub(s.last)
	s.last = t
}

// laps lists every part in the order of a question's life, then the total.
func (s *stopwatch) laps() []Lap {
	var out []Lap
	for _, name := range []string{"register", "collect", "verify", "sum", "switch", "close", "open"} {
		out = append(out, Lap{name, s.phaseOf[name]})
	}
	return append(out, Lap{"total", s.now().Sub(s.start)})
}
