package fsm_test

import (
	"slices"
	"strings"
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/stat"
)

// refused posts p and wants it refused with code and nothing changed.
func refused(t *testing.T, l *fsmtest.Ledger, path string, p record.Payload, code fsm.Code, rule string) {
	t.Helper()
	refusedLeaf(t, l, l.Seal(path, p), code, rule)
}

func refusedLeaf(t *testing.T, l *fsmtest.Ledger, leaf []byte, code fsm.Code, rule string) {
	t.Helper()
	before, size := l.State.Digest(), l.State.Size()
	_, err := l.Apply(leaf)
	r, ok := fsm.AsRefusal(err)
	if !ok || r.Code != code || r.Rule != rule {
		t.Errorf("got %v, want refusal %s %s", err, code, rule)
	}
	if l.State.Digest() != before || l.State.Size() != size {
		t.Errorf("refused command changed the state")
	}
}

func TestGenesisRefusals(t *testing.T) {
	good := fsmtest.New(t, fsmtest.Options{})
	fresh := func() *fsmtest.Ledger {
		return &fsmtest.Ledger{T: t, Cluster: good.Cluster, State: fsm.New(good.Cluster)}
	}
	for _, tt := range []struct {
		name string
		code fsm.Code
		edit func(*record.Genesis)
	}{
		{"another cluster.yaml", fsm.Stale, func(g *record.Genesis) { g.Cluster[0] ^= 1 }},
		{"another quorum", fsm.Malformed, func(g *record.Genesis) { g.Q = 2 }},
		{"mode that promises more", fsm.Malformed, func(g *record.Genesis) { g.Mode = record.ModeNotLive }},
		{"a swapped member key", fsm.Malformed, func(g *record.Genesis) { g.Members[0].Key, g.Members[1].Key = g.Members[1].Key, g.Members[0].Key }},
		{"a member more", fsm.Malformed, func(g *record.Genesis) { g.Members = append(g.Members, record.Member{Path: "querier/eve"}) }},
		{"another cosigning key", fsm.Malformed, func(g *record.Genesis) { g.Verifiers[2].CosignKey[0] ^= 1 }},
		{"other rules", fsm.Malformed, func(g *record.Genesis) { g.FSM++ }},
		{"another root certificate", fsm.Malformed, func(g *record.Genesis) { g.Roots[0][0] ^= 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := fsm.Genesis(good.Cluster, fsmtest.StartMS)
			tt.edit(g)
			refused(t, fresh(), "operator/op-1", g, tt.code, "")
		})
	}
	g := fsm.Genesis(good.Cluster, fsmtest.StartMS)
	refused(t, fresh(), "server/s1", g, fsm.WrongRole, "")
	refused(t, fresh(), "operator/eve", g, fsm.UnknownSigner, "")
	refused(t, fresh(), "verifier/v1", good.CutRecord(), fsm.WrongPhase, "")
	refused(t, good, "operator/op-1", fsm.Genesis(good.Cluster, fsmtest.StartMS+1), fsm.Conflict, "")
	refused(t, good, "operator/op-2", fsm.Genesis(good.Cluster, fsmtest.StartMS), fsm.WrongPhase, "")
}

// A cluster that two quorums could split never gets a ledger, whatever its
// configuration file was checked with.
func TestQuorumRuleAtGenesis(t *testing.T) {
	c := *fsmtest.New(t, fsmtest.Options{}).Cluster
	c.Ledger.Quorum = 2
	l := &fsmtest.Ledger{T: t, Cluster: &c, State: fsm.New(&c)}
	refused(t, l, "operator/op-1", fsm.Genesis(&c, fsmtest.StartMS), fsm.Malformed, "")

	c = *fsmtest.New(t, fsmtest.Options{Servers: 7, Threshold: 7}).Cluster
	c.Opening.Threshold = 4 // 35 sub-keys
	l = &fsmtest.Ledger{T: t, Cluster: &c, State: fsm.New(&c)}
	refused(t, l, "operator/op-1", fsm.Genesis(&c, fsmtest.StartMS), fsm.Malformed, "")
}

func TestSignatureRefusals(t *testing.T) {
	l := newLedger(t)
	q := l.QueryRecord()
	leaf := l.Seal("querier/dr-a", q)
	bad := slices.Clone(leaf)
	bad[len(bad)-1] ^= 1
	refusedLeaf(t, l, bad, fsm.BadSignature, "")

	other, err := record.Seal("other.example/00", fsmtest.Signer("querier/dr-a"), q)
	if err != nil {
		t.Fatal(err)
	}
	refusedLeaf(t, l, other, fsm.BadSignature, "")
	refused(t, l, "querier/eve", q, fsm.UnknownSigner, "")
	refused(t, l, "server/s1", q, fsm.WrongRole, "")
	refused(t, l, "gateway/gw-1", l.CutRecord(), fsm.WrongRole, "")
	refused(t, l, "querier/dr-a", &record.KeyGen{Epoch: 2, Round: 1}, fsm.WrongRole, "")

	// The idem key of a command must be its record's own: otherwise one record
	// could be logged twice.
	cmd, err := record.Command(leaf)
	if err != nil {
		t.Fatal(err)
	}
	cmd[0] ^= 1
	if _, err := l.State.Step(l.State.Size(), cmd); !isCode(err, fsm.Malformed) {
		t.Errorf("foreign idem key: %v, want malformed", err)
	}
	if _, err := l.State.Step(l.State.Size(), make([]byte, record.MaxCommand+1)); !isCode(err, fsm.TooLarge) {
		t.Errorf("command over the limit: %v, want too_large", err)
	}
	if _, err := l.State.Step(l.State.Size()+1, cmd); err == nil {
		t.Error("command at a later index: accepted")
	}
}

func isCode(err error, c fsm.Code) bool {
	r, ok := fsm.AsRefusal(err)
	return ok && r.Code == c
}

func TestIdempotence(t *testing.T) {
	l := newLedger(t)
	id := l.Ask(l.QueryRecord())
	a := l.AnswerRecord(id, "gateway/gw-1")
	index := l.Must("gateway/gw-1", a)
	before := l.State.Digest()
	res, err := l.Post("gateway/gw-1", a)
	if err != nil || !res.Duplicate || res.Index != index || res.Leaf != nil {
		t.Errorf("same bytes again = %+v, %v; want the duplicate of leaf %d", res, err, index)
	}
	if l.State.Digest() != before {
		t.Error("duplicate changed the state")
	}
	b := l.AnswerRecord(id, "gateway/gw-1")
	b.LogRows++
	leaf := l.Seal("gateway/gw-1", b)
	refusedLeaf(t, l, leaf, fsm.Conflict, "")
	leaf[len(leaf)-1] ^= 1
	refusedLeaf(t, l, leaf, fsm.BadSignature, "") // no conflict on a stranger's word
}

func TestUnsupported(t *testing.T) {
	l := newLedger(t)
	for path, p := range map[string]record.Payload{
		"operator/op-1": &record.Roster{Body: record.RosterBody{Seq: 1, Kind: 1}},
		"verifier/v1":   &record.Evidence{Kind: 1, Accused: "verifier/v2"},
		"gateway/gw-1": &record.Sample{Epoch: 5_983_334, ProofSystem: record.ProofNone,
			Patients: []record.Commitment{{Commitment: []byte{1}}}},
		"server/s1":   &record.Audit{Day: 20775},
		"verifier/v2": &record.Verdict{Phase: record.PhaseSetup, Version: "none/1", Items: []record.VerdictRun{{First: 1, Count: 1, Code: 1}}, Batch: 1},
	} {
		code := fsm.Unsupported
		refused(t, l, path, p, code, "")
	}
	refused(t, l, "operator/op-1", &record.Policy{Body: record.PolicyBody{Seq: 1, Document: []byte("x")}}, fsm.Unsupported, "")
}

func TestCutRefusals(t *testing.T) {
	l := newLedger(t)
	old := l.CutRecord()
	l.Cut(1000)
	refused(t, l, "verifier/v2", old, fsm.Stale, "")

	few := l.CutRecord()
	few.Claims = few.Claims[:2]
	refused(t, l, "verifier/v1", few, fsm.Malformed, "")

	replayed := l.CutRecord()
	replayed.Claims = old.Claims // bound to the CUT before
	refused(t, l, "verifier/v1", replayed, fsm.BadSignature, "")

	foreign := l.CutRecord()
	claim, err := record.SignClaim(l.State.Origin(), fsmtest.Signer("server/s1"), foreign.Previous, l.NowMS)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Claims[0] = claim
	slices.SortFunc(foreign.Claims, func(a, b record.Claim) int { return map[bool]int{true: -1, false: 1}[a.Path < b.Path] })
	refused(t, l, "verifier/v1", foreign, fsm.UnknownSigner, "")
}

// Ledger time is an honest clock's even if f clocks are a year off, and never
// goes back.
func TestLedgerTime(t *testing.T) {
	const year = 365 * 24 * 3600 * 1000
	l := newLedger(t)
	for _, tt := range []struct {
		name   string
		claims [3]uint64
		want   uint64
	}{
		{"agreeing", [3]uint64{1000, 1000, 1000}, 1000},
		{"one a year ahead", [3]uint64{2000, 2001, year}, 2001},
		{"one a year behind", [3]uint64{0, 3000, 3001}, 3000},
		{"all behind", [3]uint64{10, 20, 30}, 3000},
	} {
		c := &record.Cut{Previous: l.State.LastCut()}
		base := uint64(fsmtest.StartMS + 10_000)
		for i, ms := range tt.claims {
			claim, err := record.SignClaim(l.State.Origin(), fsmtest.Signer(l.Verifiers[i]), c.Previous, base+ms)
			if err != nil {
				t.Fatal(err)
			}
			c.Claims = append(c.Claims, claim)
		}
		l.Must("verifier/v3", c)
		if got := uint64(l.State.LedgerTime()) - base; got != tt.want {
			t.Errorf("%s: ledger time = base+%d, want base+%d", tt.name, got, tt.want)
		}
	}
}

func TestQueryRefusals(t *testing.T) {
	l := newLedger(t)
	params := func(s stat.Statistic, sig stat.Signal) []byte {
		return stat.Question{Statistic: s, Signal: sig}.Params()
	}
	named := func(q *record.Query, id string) {
		q.Cohort, q.Pseudonyms = "", []record.Pseudonym{record.PseudonymOf("ward.example", id)}
		q.CohortHash = record.CohortDigest(q.Pseudonyms)
	}
	for _, tt := range []struct {
		name string
		code fsm.Code
		rule string
		edit func(*record.Query)
	}{
		{"statistic that is not listed", fsm.PolicyRule, "P1", func(q *record.Query) { q.Statistic, q.Params = "median", params(stat.Median, stat.RR) }},
		{"signal that is not listed", fsm.PolicyRule, "P1", func(q *record.Query) { q.Params = params(stat.Mean, stat.HR) }},
		{"cohort that is not listed", fsm.PolicyRule, "P1", func(q *record.Query) { q.Cohort = "ward-b" }},
		{"another purpose", fsm.PolicyRule, "P1", func(q *record.Query) { q.Purpose = "research" }},
		{"named patient of another doctor", fsm.PolicyRule, "P2", func(q *record.Query) { named(q, "p-0002") }},
		{"more patients demanded than there are", fsm.PolicyRule, "P3", func(q *record.Query) { q.MinCohort = 7 }},
		{"cohort below the policy's minimum", fsm.PolicyRule, "P3", func(q *record.Query) {
			q.Cohort, q.CohortHash = "room-1", record.CohortDigest(l.Cohort("room-1"))
		}},
		{"other patients than the cohort's", fsm.Stale, "", func(q *record.Query) { q.CohortHash[0] ^= 1 }},
		{"parameters of another statistic", fsm.Malformed, "", func(q *record.Query) { q.Params = []byte("v1 rr bins=3") }},
		{"a window that could wrap", fsm.PolicyRule, "P0", func(q *record.Query) { q.From = 0 }},
		{"a policy leaf", fsm.Stale, "", func(q *record.Query) { q.PolicyLeaf = 3 }},
		{"another parameter set", fsm.Stale, "", func(q *record.Query) { q.ParamsID[0] ^= 1 }},
		{"another key", fsm.Stale, "", func(q *record.Query) { q.KeyLeaf-- }},
		{"a coordinator outside the roster", fsm.Stale, "", func(q *record.Query) { q.Coordinator = "server/s9" }},
		{"a window that ends in the future", fsm.Stale, "", func(q *record.Query) { q.To += 300 }},
		{"not_after now", fsm.Late, "", func(q *record.Query) { q.NotAfter = l.NowMS }},
		{"not_after in 10 min and 1 ms", fsm.Stale, "", func(q *record.Query) { q.NotAfter = l.NowMS + record.MaxAheadMS + 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := l.QueryRecord()
			tt.edit(q)
			refused(t, l, "querier/dr-a", q, tt.code, tt.rule)
			if tt.code == fsm.PolicyRule {
				if _, err := fsm.Allowed(l.Cluster, "querier/dr-a", q); !isCode(err, fsm.PolicyRule) {
					t.Errorf("a gateway's own check: %v, want a policy refusal", err)
				}
			}
		})
	}
	refused(t, l, "querier/dr-b", l.QueryRecord(), fsm.PolicyRule, "P1")

	edge := l.QueryRecord()
	edge.NotAfter = l.NowMS + record.MaxAheadMS
	l.Ask(edge)
	own := l.QueryRecord()
	named(own, "p-0001")
	if q := l.Query(l.Ask(own)); q.Minimum != 1 || !slices.Equal(q.Asked, []string{"gateway/gw-1"}) {
		t.Errorf("named patient: minimum %d, asked %v; want 1, gateway/gw-1", q.Minimum, q.Asked)
	}
}

// A cohort that no gateway holds is refused, not asked of nobody.
func TestCohortWithoutGateway(t *testing.T) {
	l := newLedger(t)
	c := *l.Cluster
	c.Gateways = nil
	if _, err := fsm.Allowed(&c, "querier/dr-a", l.QueryRecord()); !isCode(err, fsm.PolicyRule) {
		t.Errorf("cohort without a gateway: %v, want a policy refusal", err)
	}
}

// An answer has room for 50 ciphertexts; a longer list could never be posted.
func TestTooManyParts(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{Gateways: 1, Patients: 110})
	l.Keygen()
	q := l.QueryRecord()
	q.Statistic, q.Params = "variance", stat.Question{Statistic: stat.Variance, Signal: stat.RR}.Params()
	q.From = q.To - stat.MaxEpochs*record.WindowGrain // two patients a ciphertext fit
	r, ok := fsm.AsRefusal(second(fsm.Allowed(l.Cluster, "querier/dr-a", q)))
	if !ok || r.Rule != "P0" || !strings.Contains(r.Text, "55 ciphertexts") {
		t.Errorf("110 patients over 455 days: %v, want 55 ciphertexts refused", r)
	}
}

func second(_ fsm.Plan, err error) error { return err }

func TestQueryWithoutKey(t *testing.T) {
	l := newLedger(t)
	q := l.QueryRecord()
	fresh := fsmtest.New(t, fsmtest.Options{})
	refused(t, fresh, "querier/dr-a", q, fsm.Stale, "")
}

// A re-issue is an opening too.
func TestReissueNeedsAnOpening(t *testing.T) {
	l := newLedger(t)
	id := l.Ask(l.QueryRecord())
	for range fsm.MaxOpenings - 1 {
		l.Must("querier/dr-a", l.QueryRecord())
	}
	l.Answer(id)
	l.Judge(id, record.PhaseAnswers)
	l.Sum(id)
	l.Judge(id, record.PhaseSums)
	l.Cut(101_000)
	re := l.TotalRecord(id)
	re.Attempt, re.Active = record.AttemptReissue, []byte{1, 3}
	refused(t, l, "server/s1", re, fsm.PolicyRule, "P8")
}

func TestOpeningsRunOut(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{Gateways: 1, Patients: 3})
	l.Keygen()
	for range fsm.MaxOpenings {
		l.Must("querier/dr-a", l.QueryRecord())
	}
	refused(t, l, "querier/dr-a", l.QueryRecord(), fsm.PolicyRule, "P8")
	// All of them end without a share: the openings come back.
	l.Cut(20)
	l.Cut(66_000)
	for _, q := range l.State.OpenQueries() {
		c, ok := l.State.CloseRecord(q.ID)
		if !ok || c.Outcome != record.OutcomeNoAnswers {
			t.Fatalf("close record = %+v, %v; want no_answers", c, ok)
		}
		l.Must("verifier/v1", c)
	}
	if k, _ := l.State.CurrentKey(); k.Reserved != 0 {
		t.Errorf("openings = %d after queries that opened nothing, want 0", k.Reserved)
	}
	l.Ask(l.QueryRecord())
}
