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

// laps lists every part in the order of a question's life, then the total.
// What the others did is taken from the ledger's own time, which advances in
// steps: the parts are good to some 50 ms and leave out what lies between.
func (s *stopwatch) laps(q *fsm.Query) []Lap {
	ended := func(p fsm.Phase) uint64 {
		if t, ok := q.Ended[p]; ok {
			return t
		}
		return q.T0
	}
	between := func(a, b uint64) time.Duration { return time.Duration(max(b, a)-a) * time.Millisecond }
	return []Lap{
		{"register", s.took["register"]},
		{"collect", between(q.T0, ended(fsm.Open))},
		{"verify", between(ended(fsm.Open), ended(fsm.Judge1)) + between(ended(fsm.Sum), ended(fsm.Judge2)) + between(ended(fsm.Switch), ended(fsm.Judge3))},
		{"sum", between(ended(fsm.Judge1), ended(fsm.Sum))},
		{"switch", between(ended(fsm.Judge2), ended(fsm.Switch))},
		{"open", s.took["open"]},
		{"total", s.now().Sub(s.start)},
	}
}
