package fsmtest

import (
	"slices"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// Ask registers q and posts the CUT that starts its clock.
func (l *Ledger) Ask(q *record.Query) record.Hash {
	l.T.Helper()
	res, err := l.Post("querier/dr-a", q)
	if err != nil {
		l.T.Fatalf("ask: %v", err)
	}
	l.Cut(20)
	return res.Query
}

// Query is the state of a query.
func (l *Ledger) Query(id record.Hash) *fsm.Query {
	l.T.Helper()
	q, ok := l.State.Query(id)
	if !ok {
		l.T.Fatalf("no query %x", id[:4])
	}
	return q
}

// AnswerRecord is a gateway's honest answer.
func (l *Ledger) AnswerRecord(id record.Hash, gateway string) *record.Answer {
	q := l.Query(id)
	own := slices.DeleteFunc(l.Own(gateway), func(p record.Pseudonym) bool { return !slices.Contains(q.Patients, p) })
	_, gw, _ := record.SplitPath(gateway)
	g, _ := l.Cluster.Gateway(gw)
	return &record.Answer{QueryID: id, ProofSystem: record.ProofNone, HomeServer: "server/" + g.Server, LogRows: 12,
		Parts: []record.Part{{Ciphertext: Digest("ciphertext", id, gateway), Patients: own}}}
}

// Answer posts the answers of the gateways, or of all that were asked.
func (l *Ledger) Answer(id record.Hash, gateways ...string) {
	l.T.Helper()
	if gateways == nil {
		gateways = l.Query(id).Asked
	}
	for _, g := range gateways {
		l.Must(g, l.AnswerRecord(id, g))
	}
}

// VerdictRecord gives one code to every item of a phase.
func (l *Ledger) VerdictRecord(id record.Hash, phase uint8, code record.Code) *record.Verdict {
	l.T.Helper()
	codes := map[uint64]record.Code{}
	q := l.Query(id)
	switch phase {
	case record.PhaseAnswers:
		for _, a := range q.Answers {
			if !a.Record.Declined() {
				codes[a.Leaf] = code
			}
		}
	case record.PhaseSums:
		codes[q.Totals[0].Leaf] = code
		for _, p := range q.Partials {
			codes[p.Leaf] = code
		}
	case record.PhaseShares:
		for _, k := range q.Shares() {
			codes[k.Leaf] = code
		}
	}
	return &record.Verdict{QueryID: id, Phase: phase, Version: "none/1", Items: record.VerdictItems(codes)}
}

// Judge posts valid verdicts of the verifiers, or of the first q.
func (l *Ledger) Judge(id record.Hash, phase uint8, verifiers ...string) {
	l.T.Helper()
	if verifiers == nil {
		verifiers = l.Verifiers[:l.Cluster.Q()]
	}
	for _, v := range verifiers {
		l.Must(v, l.VerdictRecord(id, phase, record.CodeValid))
	}
}

// TotalRecord is the honest total, to be opened by the first servers.
func (l *Ledger) TotalRecord(id record.Hash) *record.Aggregate {
	var active []byte
	for i := range l.Cluster.Opening.Threshold {
		active = append(active, byte(i+1))
	}
	return &record.Aggregate{QueryID: id, Attempt: record.AttemptTotal, Answers: l.Query(id).Accepted(),
		C0: Digest("c0", id), C1: Digest("c1", id), Active: active, K: fsm.K}
}

// PartialRecord is a server's honest partial sum; nil if it has no accepted
// gateway.
func (l *Ledger) PartialRecord(id record.Hash, server string) *record.Aggregate {
	q := l.Query(id)
	var own []uint64
	for _, a := range q.Answers {
		if a.Decision == fsm.Accepted && a.Record.HomeServer == server {
			own = append(own, a.Leaf)
		}
	}
	if own == nil {
		return nil
	}
	return &record.Aggregate{QueryID: id, Answers: record.Runs(own), C0: Digest("c0", id, server), C1: Digest("c1", id, server), K: fsm.K}
}

// Sum posts every server's partial sum and the coordinator's total.
func (l *Ledger) Sum(id record.Hash) {
	l.T.Helper()
	for _, s := range l.Servers {
		if p := l.PartialRecord(id, s); p != nil {
			l.Must(s, p)
		}
	}
	l.Must(l.Servers[0], l.TotalRecord(id))
}

// KeySwitchRecord is a server's honest share of the current total.
func (l *Ledger) KeySwitchRecord(id record.Hash, server string) *record.KeySwitch {
	t := l.Query(id).Total()
	return &record.KeySwitch{QueryID: id, Aggregate: t.Leaf, Share: Digest("share", id, server, t.Leaf), ShareSize: 57712, Attempt: t.Record.Attempt}
}

// Switch posts the shares of the active servers.
func (l *Ledger) Switch(id record.Hash) {
	l.T.Helper()
	for _, s := range l.Query(id).Active() {
		l.Must(s, l.KeySwitchRecord(id, s))
	}
}

// Finish posts RESULT, CLOSE and a CUT, and returns the size of the checkpoint
// that a receipt needs.
func (l *Ledger) Finish(id record.Hash) uint64 {
	l.T.Helper()
	if r, ok := l.Query(id).ResultRecord(); ok {
		l.Must(l.Servers[0], r)
	}
	c, ok := l.State.CloseRecord(id)
	if !ok {
		l.T.Fatalf("query is in %s, cannot close", l.Query(id).Phase)
	}
	l.Must(l.Verifiers[0], c)
	return l.Cut(20) + 1
}

// Run takes a question from QUERY to CLOSE with everybody honest.
func (l *Ledger) Run(q *record.Query) (id record.Hash, size uint64) {
	l.T.Helper()
	id = l.Ask(q)
	l.Answer(id)
	l.Judge(id, record.PhaseAnswers)
	l.Sum(id)
	l.Judge(id, record.PhaseSums)
	l.Switch(id)
	l.Judge(id, record.PhaseShares)
	return id, l.Finish(id)
}
