package gateway

import (
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/store"
)

const (
	// defaultPatience bounds a task whose server names no deadline: the answer
	// phase of a question with the default timeout.
	defaultPatience = 66 * time.Second

	// longestPatience bounds what a server may ask for: the answer phase of the
	// longest timeout.
	longestPatience = 24 * time.Hour * 55 / 100

	// resendTime is for sending again what is already stored, after the phase.
	resendTime = 10 * time.Second
)

// patience is how long a task may occupy this gateway, whatever its server says.
func (g *Gateway) patience(t Task) time.Duration {
	if t.Deadline.IsZero() {
		return defaultPatience
	}
	return min(max(t.Deadline.Sub(g.Config.Now()), 0), longestPatience)
}

// remaining is the time left to answer q: until its OPEN phase ends by itself,
// by this gateway's clock.
func (g *Gateway) remaining(q *fsm.Query) time.Duration {
	if q.Phase != fsm.Open {
		return resendTime
	}
	end, ok := q.EndOf(fsm.Open)
	if !ok { // no CUT since: the phase has all its time
		return min(time.Duration(q.Record.TimeoutMS)*time.Millisecond*55/100, longestPatience)
	}
	return max(time.UnixMilli(int64(end)).Sub(g.Config.Now()), 0)
}

// outcomeOf reads the outcome of a stored answer's record; internal if it
// cannot be read.
func outcomeOf(a store.Answer) record.AnswerOutcome {
	e, err := record.Decode(a.Leaf)
	if rec, ok := e.Payload.(*record.Answer); err == nil && ok {
		return rec.Outcome
	}
	return record.DeclinedInternal
}
