package fsm_test

import (
	"fmt"
	"slices"
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
)

func TestAnswerRefusals(t *testing.T) {
	l := newLedger(t)
	first := l.Ask(l.QueryRecord())
	l.Answer(first, "gateway/gw-1")
	id := l.Ask(l.QueryRecord())
	const gw = "gateway/gw-1"
	for _, tt := range []struct {
		name string
		code fsm.Code
		rule string
		edit func(*record.Answer)
	}{
		{"another's patient", fsm.PolicyRule, "P1", func(a *record.Answer) { a.Parts[0].Patients = l.Own("gateway/gw-2") }},
		{"ciphertext of the last query", fsm.Malformed, "", func(a *record.Answer) { a.Parts[0].Ciphertext = fsmtest.Digest("ciphertext", first, gw) }},
		{"another home server", fsm.Malformed, "", func(a *record.Answer) { a.HomeServer = "server/s2" }},
		{"a proof that nobody can check", fsm.Unsupported, "", func(a *record.Answer) { a.ProofSystem = "groth16/1" }},
		{"a proof digest", fsm.Unsupported, "", func(a *record.Answer) { a.Parts[0].ProofSize = 1 }},
		{"samples", fsm.Unsupported, "", func(a *record.Answer) { a.Samples = []record.Run{{First: 3, Count: 1}} }},
		{"unknown query", fsm.WrongPhase, "", func(a *record.Answer) { a.QueryID[0] ^= 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := l.AnswerRecord(id, gw)
			tt.edit(a)
			refused(t, l, gw, a, tt.code, tt.rule)
		})
	}
	own := l.QueryRecord()
	own.Cohort, own.Pseudonyms = "", l.Own(gw)[:1]
	for _, p := range l.Own(gw) {
		if p == record.PseudonymOf("ward.example", "p-0001") {
			own.Pseudonyms = []record.Pseudonym{p}
		}
	}
	own.CohortHash = record.CohortDigest(own.Pseudonyms)
	named := l.Ask(own)
	a := l.AnswerRecord(named, gw)
	a.Parts[0].Patients = l.Own(gw) // its own, but not asked for
	refused(t, l, gw, a, fsm.PolicyRule, "P1")
	b := l.AnswerRecord(named, gw)
	b.HomeServer = "server/s2"
	refused(t, l, "gateway/gw-2", b, fsm.WrongRole, "")

	l.Cut(66_000)
	refused(t, l, gw, l.AnswerRecord(id, gw), fsm.Late, "")
}

// A part holds no more patients than the sums have room for.
func TestPartSize(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{Gateways: 1, Patients: 17})
	l.Keygen()
	id := l.Ask(l.QueryRecord())
	a := l.AnswerRecord(id, "gateway/gw-1")
	refused(t, l, "gateway/gw-1", a, fsm.Malformed, "")
	all := a.Parts[0].Patients
	a.Parts = []record.Part{{Ciphertext: fsmtest.Digest(1), Patients: all[:16]}, {Ciphertext: fsmtest.Digest(2), Patients: all[16:]}}
	l.Must("gateway/gw-1", a)
}

// stage brings a query to a phase with everybody honest.
func stage(t *testing.T, to fsm.Phase) (*fsmtest.Ledger, record.Hash) {
	t.Helper()
	l := newLedger(t)
	id := l.Ask(l.QueryRecord())
	steps := []func(){
		func() { l.Answer(id) }, func() { l.Judge(id, record.PhaseAnswers) }, func() { l.Sum(id) },
		func() { l.Judge(id, record.PhaseSums) }, func() { l.Switch(id) }, func() { l.Judge(id, record.PhaseShares) },
	}
	for i := 0; l.Query(id).Phase < to; i++ {
		steps[i]()
	}
	if got := l.Query(id).Phase; got != to {
		t.Fatalf("phase %s, want %s", got, to)
	}
	return l, id
}

func TestVerdictRefusals(t *testing.T) {
	l, id := stage(t, fsm.Judge1)
	v := l.VerdictRecord(id, record.PhaseAnswers, record.CodeValid)
	partial := *v
	partial.Items = []record.VerdictRun{{First: v.Items[0].First, Count: 1, Code: record.CodeValid}}
	refused(t, l, "verifier/v1", &partial, fsm.Malformed, "")
	foreign := *v
	foreign.Items = append(slices.Clone(v.Items), record.VerdictRun{First: 500, Count: 1, Code: record.CodeValid})
	refused(t, l, "verifier/v1", &foreign, fsm.Malformed, "")
	noted := *v
	noted.Notes = []record.Note{{Leaf: 500, Code: record.CodeInvalid}}
	refused(t, l, "verifier/v1", &noted, fsm.Malformed, "")
	early := *v
	early.Phase = record.PhaseSums
	refused(t, l, "verifier/v1", &early, fsm.WrongPhase, "")
	early.Phase = record.PhaseShares
	refused(t, l, "verifier/v1", &early, fsm.WrongPhase, "")

	open := newLedger(t)
	other := open.Ask(open.QueryRecord())
	open.Answer(other, "gateway/gw-1")
	refused(t, open, "verifier/v1", open.VerdictRecord(other, record.PhaseAnswers, record.CodeValid), fsm.WrongPhase, "")
}

func TestAggregateRefusals(t *testing.T) {
	l, id := stage(t, fsm.Sum)
	total := func(edit func(*record.Aggregate)) *record.Aggregate {
		a := l.TotalRecord(id)
		edit(a)
		return a
	}
	s1 := "server/s1"
	refused(t, l, s1, total(func(a *record.Aggregate) { a.Answers[0].Count-- }), fsm.Malformed, "")
	refused(t, l, s1, total(func(a *record.Aggregate) { a.Answers[0].Count++ }), fsm.Malformed, "")
	refused(t, l, s1, total(func(a *record.Aggregate) { a.Active = []byte{1} }), fsm.Malformed, "")
	refused(t, l, s1, total(func(a *record.Aggregate) { a.Active = []byte{1, 2, 3} }), fsm.Malformed, "")
	refused(t, l, s1, total(func(a *record.Aggregate) { a.Active = []byte{1, 4} }), fsm.Malformed, "")
	refused(t, l, s1, total(func(a *record.Aggregate) { a.K = 128 }), fsm.Malformed, "")
	refused(t, l, "server/s2", l.TotalRecord(id), fsm.WrongRole, "")
	refused(t, l, s1, total(func(a *record.Aggregate) { a.Attempt = record.AttemptReissue }), fsm.WrongPhase, "")
	p := l.PartialRecord(id, s1)
	refused(t, l, "server/s2", p, fsm.Malformed, "")

	// From half of SUM the next server may, the one after it may not.
	l.Cut(87_000 - (l.NowMS - l.Query(id).T0))
	refused(t, l, "server/s3", l.TotalRecord(id), fsm.WrongRole, "")
	l.Must("server/s2", l.TotalRecord(id))
	refused(t, l, s1, l.TotalRecord(id), fsm.WrongPhase, "")
	refused(t, l, s1, p, fsm.WrongPhase, "")
}

func TestKeySwitchRefusals(t *testing.T) {
	l, id := stage(t, fsm.Judge2)
	early := l.KeySwitchRecord(id, "server/s1")
	refused(t, l, "server/s1", early, fsm.WrongPhase, "") // no share before a quorum accepted the sum
	l.Judge(id, record.PhaseSums)
	k := l.KeySwitchRecord(id, "server/s1")
	k.Aggregate--
	refused(t, l, "server/s1", k, fsm.Stale, "")
	k = l.KeySwitchRecord(id, "server/s1")
	k.Attempt = record.AttemptReissue
	refused(t, l, "server/s1", k, fsm.Stale, "")
	refused(t, l, "server/s3", l.KeySwitchRecord(id, "server/s3"), fsm.WrongRole, "")
	k = l.KeySwitchRecord(id, "server/s1")
	k.ProofSize = 3
	refused(t, l, "server/s1", k, fsm.Unsupported, "")
	l.Must("server/s1", l.KeySwitchRecord(id, "server/s1"))
	k = l.KeySwitchRecord(id, "server/s1")
	k.Share[0] ^= 1 // a second share of one opening
	refused(t, l, "server/s1", k, fsm.Conflict, "")
}

func TestReissue(t *testing.T) {
	l, id := stage(t, fsm.Switch)
	l.Must("server/s1", l.KeySwitchRecord(id, "server/s1"))
	re := l.TotalRecord(id)
	re.Attempt, re.Active = record.AttemptReissue, []byte{1, 3}
	refused(t, l, "server/s1", re, fsm.WrongPhase, "") // too early
	l.Cut(100_800 - (l.NowMS - l.Query(id).T0))
	edit := func(do func(*record.Aggregate)) *record.Aggregate {
		c := *re
		c.Answers = slices.Clone(re.Answers)
		do(&c)
		return &c
	}
	refused(t, l, "server/s2", re, fsm.WrongRole, "")
	refused(t, l, "server/s1", edit(func(a *record.Aggregate) { a.C0[0] ^= 1 }), fsm.Malformed, "")
	refused(t, l, "server/s1", edit(func(a *record.Aggregate) { a.C1[0] ^= 1 }), fsm.Malformed, "")
	refused(t, l, "server/s1", edit(func(a *record.Aggregate) { a.Answers[0].Count-- }), fsm.Malformed, "")
	refused(t, l, "server/s1", edit(func(a *record.Aggregate) { a.Active = []byte{1, 2} }), fsm.Malformed, "")
	refused(t, l, "server/s1", edit(func(a *record.Aggregate) { a.Active = []byte{2, 3} }), fsm.Malformed, "") // leaves out s1
	refused(t, l, "server/s1", edit(func(a *record.Aggregate) { a.Active = []byte{1, 3, 4} }), fsm.Malformed, "")
	l.Must("server/s1", re)
	refused(t, l, "server/s2", func() *record.KeySwitch {
		k := l.KeySwitchRecord(id, "server/s2")
		k.Aggregate, k.Attempt = l.Query(id).Totals[0].Leaf, record.AttemptTotal
		return k
	}(), fsm.Stale, "")
	l.Switch(id)
	l.Judge(id, record.PhaseShares)
	l.Finish(id)
	q := l.Query(id)
	if k, _ := l.State.CurrentKey(); q.Outcome != record.OutcomeComplete || k.Reserved != 2 || len(q.Totals) != 2 {
		t.Errorf("outcome %s, %d openings; want complete, 2", q.Outcome, k.Reserved)
	}
}

func TestResultAndCloseAreComputed(t *testing.T) {
	l, id := stage(t, fsm.Sum)
	refused(t, l, "server/s1", &record.Result{QueryID: id, Aggregate: 1, KeySwitches: []uint64{2}}, fsm.WrongPhase, "")
	refused(t, l, "verifier/v1", &record.Close{QueryID: id}, fsm.WrongPhase, "")
	l, id = stage(t, fsm.Done)
	if _, ok := l.State.CloseRecord(id); ok {
		t.Error("CLOSE before RESULT")
	}
	q := l.Query(id)
	for name, edit := range map[string]func(*record.Result){
		"participants": func(r *record.Result) { r.Participants++ },
		"aggregate":    func(r *record.Result) { r.Aggregate-- },
		"shares":       func(r *record.Result) { slices.Reverse(r.KeySwitches) },
		"excluded":     func(r *record.Result) { r.Excluded = []record.Excluded{{Path: "gateway/gw-1", Code: 8}} },
	} {
		r, _ := q.ResultRecord()
		edit(r)
		t.Run(name, func(t *testing.T) { refused(t, l, "server/s1", r, fsm.Malformed, "") })
	}
	r, _ := q.ResultRecord()
	l.Must("server/s2", r)
	for name, edit := range map[string]func(*record.Close){
		"outcome":      func(c *record.Close) { c.Outcome = record.OutcomePartial },
		"participants": func(c *record.Close) { c.Participants-- },
		"summary":      func(c *record.Close) { c.Summary[31] ^= 1 },
	} {
		c, _ := l.State.CloseRecord(id)
		edit(c)
		t.Run(name, func(t *testing.T) { refused(t, l, "verifier/v2", c, fsm.Malformed, "") })
	}
	c, _ := l.State.CloseRecord(id)
	l.Must("verifier/v2", c)
	refused(t, l, "verifier/v3", c, fsm.Late, "")
	refused(t, l, "verifier/v4", l.VerdictRecord(id, record.PhaseShares, record.CodeValid), fsm.Late, "")
}

// Every way in which a query ends, and who is blamed.
func TestOutcomes(t *testing.T) {
	judge := func(l *fsmtest.Ledger, id record.Hash, phase uint8, code record.Code, n int) {
		for _, v := range l.Verifiers[:n] {
			l.Must(v, l.VerdictRecord(id, phase, code))
		}
	}
	for _, tt := range []struct {
		want record.Outcome
		from fsm.Phase
		do   func(*fsmtest.Ledger, record.Hash)
	}{
		{record.OutcomeNoAnswers, fsm.Open, func(l *fsmtest.Ledger, id record.Hash) { l.Cut(66_000) }},
		{record.OutcomeNoAnswers, fsm.Open, func(l *fsmtest.Ledger, id record.Hash) {
			for i, g := range l.Gateways {
				l.Must(g, &record.Answer{QueryID: id, Outcome: record.DeclinedBudget, HomeServer: l.Servers[i]})
			}
		}},
		{record.OutcomeCohortTooSmall, fsm.Judge1, func(l *fsmtest.Ledger, id record.Hash) { judge(l, id, 1, record.CodeInvalid, 2) }},
		{record.OutcomeCohortTooSmall, fsm.Open, func(l *fsmtest.Ledger, id record.Hash) {
			l.Answer(id, "gateway/gw-1")
			l.Cut(66_000)
			l.Judge(id, record.PhaseAnswers)
		}},
		{record.OutcomeNoVerdicts, fsm.Judge1, func(l *fsmtest.Ledger, id record.Hash) {
			judge(l, id, 1, record.CodeValid, 2)
			l.Cut(84_000)
		}},
		{record.OutcomeSumMissing, fsm.Sum, func(l *fsmtest.Ledger, id record.Hash) { l.Cut(90_000) }},
		{record.OutcomeSumInvalid, fsm.Judge2, func(l *fsmtest.Ledger, id record.Hash) { judge(l, id, 2, record.CodeInvalid, 2) }},
		{record.OutcomeNoVerdicts, fsm.Judge2, func(l *fsmtest.Ledger, id record.Hash) {
			judge(l, id, 2, record.CodeUnavailable, 4)
			l.Cut(96_000)
		}},
		{record.OutcomeShareMissing, fsm.Switch, func(l *fsmtest.Ledger, id record.Hash) { l.Cut(106_800) }},
		{record.OutcomeShareInvalid, fsm.Judge3, func(l *fsmtest.Ledger, id record.Hash) { judge(l, id, 3, record.CodeMalformed, 2) }},
		{record.OutcomeNoVerdicts, fsm.Judge3, func(l *fsmtest.Ledger, id record.Hash) { l.Cut(114_000) }},
		{record.OutcomeResultMissing, fsm.Done, func(l *fsmtest.Ledger, id record.Hash) { l.Cut(117_000) }},
	} {
		t.Run(fmt.Sprintf("%s from %s", tt.want, tt.from), func(t *testing.T) {
			l, id := stage(t, tt.from)
			tt.do(l, id)
			q := l.Query(id)
			if q.Phase != fsm.Aborted || q.Outcome != tt.want {
				t.Fatalf("phase %s, outcome %s; want ABORTED, %s", q.Phase, q.Outcome, tt.want)
			}
			l.Finish(id)
			if len(l.State.OpenQueries()) != 0 {
				t.Error("query still open after CLOSE")
			}
		})
	}
}

// One millisecond before its time a phase still goes on.
func TestDeadlinesAreExact(t *testing.T) {
	l := newLedger(t)
	id := l.Ask(l.QueryRecord())
	l.Answer(id, "gateway/gw-1", "gateway/gw-2")
	end, ok := l.Query(id).Deadline()
	if !ok || end != l.Query(id).T0+66_000 {
		t.Fatalf("deadline = T0+%d, %v; want T0+66000", end-l.Query(id).T0, ok)
	}
	if d, ok := l.State.NextDeadline(); !ok || uint64(d) != end {
		t.Errorf("next deadline = %d, want %d", d, end)
	}
	l.Cut(end - l.NowMS - 1)
	if got := l.Query(id).Phase; got != fsm.Open {
		t.Errorf("phase 1 ms before the deadline = %s, want OPEN", got)
	}
	l.Cut(1)
	q := l.Query(id)
	if q.Phase != fsm.Judge1 {
		t.Errorf("phase at the deadline = %s, want JUDGE1", q.Phase)
	}
	l.Judge(id, record.PhaseAnswers)
	l.Sum(id)
	l.Judge(id, record.PhaseSums)
	l.Switch(id)
	l.Judge(id, record.PhaseShares)
	l.Finish(id)
	q = l.Query(id)
	if got := fmt.Sprint(q.Outcome, q.Excluded()); got != "partial [{{} gateway/gw-3 no_answer}]" {
		t.Errorf("outcome = %s, want partial without gw-3", got)
	}
}

// A verdict after the phase is logged, shown, and decides nothing.
func TestLateVerdicts(t *testing.T) {
	l, id := stage(t, fsm.Sum)
	before := l.Query(id).Accepted()
	leaf := l.Must("verifier/v4", l.VerdictRecord(id, record.PhaseAnswers, record.CodeInvalid))
	q := l.Query(id)
	if !slices.Equal(q.Accepted(), before) || !slices.Contains(q.Leaves, leaf) || !q.Answers["gateway/gw-1"].Disputed() {
		t.Errorf("late verdict: accepted %v, leaves %v; want it logged, shown as dispute, without effect", q.Accepted(), q.Leaves)
	}
}

// Undecided at the end of JUDGE1 is excluded, like rejected.
func TestUndecidedIsExcluded(t *testing.T) {
	l, id := stage(t, fsm.Judge1)
	leaf := l.Query(id).Answers["gateway/gw-2"].Leaf
	for i, v := range l.Verifiers[:3] {
		rec := l.VerdictRecord(id, record.PhaseAnswers, record.CodeValid)
		codes := map[uint64]record.Code{}
		for _, c := range rec.Codes() {
			codes[c.First] = c.Code
		}
		if i == 0 {
			codes[leaf] = record.CodeUnavailable
		}
		rec.Items = record.VerdictItems(codes)
		l.Must(v, rec)
	}
	if got := l.Query(id).Phase; got != fsm.Judge1 {
		t.Fatalf("phase with an undecided answer = %s, want JUDGE1", got)
	}
	if got := l.Query(id).WaitsFor(l.State.Verifiers()); !slices.Equal(got, []string{"verifier/v4"}) {
		t.Errorf("waits for %v, want verifier/v4", got)
	}
	l.Cut(84_000)
	q := l.Query(id)
	if got := fmt.Sprint(q.Phase, q.AcceptedGateways(), q.Excluded()); got != "SUM [gateway/gw-1 gateway/gw-3] [{{} gateway/gw-2 undecided}]" {
		t.Errorf("after JUDGE1: %s", got)
	}
}

// TestHandoverHasATime: while a server is silent no leaf comes, so the moment
// at which another one may take its turn needs a CUT of its own.
func TestHandoverHasATime(t *testing.T) {
	for _, tt := range []struct {
		phase    fsm.Phase
		permille uint64
	}{{fsm.Sum, 725}, {fsm.Switch, 840}} {
		l, id := stage(t, tt.phase)
		q := l.Query(id)
		want := q.T0 + q.Record.TimeoutMS*tt.permille/1000
		if got, ok := l.State.NextDeadline(); !ok || uint64(got) != want {
			t.Errorf("%s: next deadline = %d, want the handover at %d", tt.phase, got, want)
		}
		l.Cut(want - l.NowMS)
		end, _ := l.Query(id).Deadline()
		if got, ok := l.State.NextDeadline(); !ok || uint64(got) != end {
			t.Errorf("%s: next deadline after the handover = %d, want the end of the phase at %d", tt.phase, got, end)
		}
	}
}
