package bundle_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"statnet/chain/bundle"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/chain/record"
)

// fixture is a ledger with another question in between, a declining gateway
// and a dissenting verifier, and the receipt of the second question.
type fixture struct {
	*fsmtest.Ledger
	id      record.Hash
	size    uint64
	policy  note.Policy
	receipt *bundle.Receipt
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	l := fsmtest.New(t, fsmtest.Options{})
	l.Keygen()
	l.Run(l.QueryRecord())
	other := l.Ask(l.QueryRecord())
	l.Cut(1000)
	id := l.Ask(l.QueryRecord())
	l.Answer(other)
	l.Answer(id, "gateway/gw-1", "gateway/gw-2")
	l.Must("gateway/gw-3", &record.Answer{QueryID: id, Outcome: record.DeclinedNoData, HomeServer: "server/s3"})
	l.Must("verifier/v4", l.VerdictRecord(id, record.PhaseAnswers, record.CodeInvalid))
	l.Judge(id, record.PhaseAnswers)
	l.Sum(id)
	l.Judge(id, record.PhaseSums)
	l.Cut(100)
	l.Switch(id)
	l.Judge(id, record.PhaseShares)
	f := &fixture{Ledger: l, id: id, size: l.Finish(id)}
	g, err := record.Decode(l.Leaves[0])
	if err != nil {
		t.Fatal(err)
	}
	f.policy = bundle.PolicyOf(l.State.Origin(), g.Payload.(*record.Genesis))
	f.receipt = f.collect(t)
	return f
}

func (f *fixture) collect(t testing.TB) *bundle.Receipt {
	t.Helper()
	q := f.Query(f.id)
	key, _ := f.State.Key(q.KeyEpoch)
	r, err := bundle.Collect(q, key, f.Cluster.Raw, f.Note(f.size), f.policy,
		func(i uint64) ([]byte, error) { return f.Leaves[i], nil },
		func(i uint64) ([]record.Hash, error) { return f.prove(i) })
	if err != nil {
		t.Fatal(err)
	}
	r.Result = []byte("{\"value\":812.5}\n")
	f.sign(t, r)
	return r
}

func (f *fixture) prove(i uint64) ([]record.Hash, error) {
	p, err := merkle.ProveInclusion(i, f.size, &f.Tree)
	out := make([]record.Hash, len(p))
	for j, h := range p {
		out[j] = h
	}
	return out, err
}

func (f *fixture) sign(t testing.TB, r *bundle.Receipt) {
	t.Helper()
	if err := r.Sign(f.policy.Origin, fsmtest.Signer("querier/dr-a")); err != nil {
		t.Fatal(err)
	}
}

func archive(t testing.TB, r *bundle.Receipt) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestVerify(t *testing.T) {
	f := newFixture(t)
	rep, err := bundle.Verify(bytes.NewReader(archive(t, f.receipt)), f.policy)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + strings.Join(rep.Lines, "\n") + "\nNOT CHECKED: " + strings.Join(rep.NotChecked, "\nNOT CHECKED: "))
	q := rep.Query
	if got := fmt.Sprint(q.AcceptedGateways(), q.Excluded(), q.Participants(), q.Outcome); got != "[gateway/gw-1 gateway/gw-2] [{{} gateway/gw-3 declined_no_data}] 4 partial" {
		t.Errorf("report = %s", got)
	}
	if s := rep.Shares(); len(s) != 2 || s[0].Server != "server/s1" || s[0].Index != 1 || s[1].Size != 57712 {
		t.Errorf("shares = %+v", s)
	}
	if len(rep.Warnings) != 2 || rep.Checkpoint.Size != f.size || rep.Key.Epoch != 1 {
		t.Errorf("warnings %q, size %d, key epoch %d; want two disputes, %d, 1", rep.Warnings, rep.Checkpoint.Size, rep.Key.Epoch, f.size)
	}
}

func TestConsistency(t *testing.T) {
	f := newFixture(t)
	const old = 12
	p, err := merkle.ProveConsistency(old, f.size, &f.Tree)
	if err != nil {
		t.Fatal(err)
	}
	c := &bundle.Consistency{Note: f.Note(old)}
	for _, h := range p {
		c.Proof = append(c.Proof, h)
	}
	f.receipt.Consistency = c
	f.sign(t, f.receipt)
	if _, err := bundle.Verify(bytes.NewReader(archive(t, f.receipt)), f.policy); err != nil {
		t.Fatalf("with an earlier checkpoint: %v", err)
	}
	c.Proof[0][0] ^= 1
	if _, err := bundle.Check(f.receipt, f.policy); checkOf(err) != "consistency" {
		t.Errorf("wrong consistency proof: %v, want a consistency failure", err)
	}
	c.Note = f.Note(old, "verifier/v1", "verifier/v2")
	if _, err := bundle.Check(f.receipt, f.policy); checkOf(err) != "consistency" {
		t.Errorf("earlier checkpoint with two signatures: %v, want a consistency failure", err)
	}
}

func checkOf(err error) string {
	if f, ok := bundle.AsFailure(err); ok {
		return f.Check
	}
	return ""
}

// Whatever byte of the archive is flipped, Verify refuses it and says why. A
// full run takes 40 s, so it is left to the nightly tests; the stride is prime
// and visits every member.
func TestEveryByteCounts(t *testing.T) {
	f := newFixture(t)
	good := archive(t, f.receipt)
	step := 53
	if os.Getenv("STATNET_NIGHTLY") != "" {
		step = 1
	}
	for i := 0; i < len(good); i += step {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		_, err := bundle.Read(bad)
		if err == nil {
			_, err = bundle.Verify(bytes.NewReader(bad), f.policy)
		}
		if checkOf(err) == "" {
			t.Fatalf("byte %d of %d flipped: %v, want a named failure", i, len(good), err)
		}
	}
}

// Whatever record is dropped, doubled or swapped, Verify refuses, even if the
// querier signs the receipt again. Only what changed nothing may go missing then,
// and the signature alone guards it: a vote that decided nothing, a CUT that
// only told the time.
func TestEveryRecordCounts(t *testing.T) {
	f := newFixture(t)
	n := len(f.receipt.Records)
	for i := range n {
		name := fmt.Sprintf("record %d (leaf %d)", i, f.receipt.Records[i].Index)
		edits := map[string]func([]bundle.Record) []bundle.Record{
			"dropped": func(rs []bundle.Record) []bundle.Record { return slices.Delete(rs, i, i+1) },
			"doubled": func(rs []bundle.Record) []bundle.Record { return slices.Insert(rs, i, rs[i]) },
			"swapped": func(rs []bundle.Record) []bundle.Record {
				j := (i + 1) % n
				rs[i], rs[j] = rs[j], rs[i]
				return rs
			},
			"leaf of the next": func(rs []bundle.Record) []bundle.Record {
				rs[i].Leaf = rs[(i+1)%n].Leaf
				return rs
			},
			"proof of the next": func(rs []bundle.Record) []bundle.Record {
				rs[i].Proof = rs[(i+1)%n].Proof
				return rs
			},
		}
		for edit, do := range edits {
			r := *f.receipt
			r.Records = do(slices.Clone(f.receipt.Records))
			_, err := bundle.Verify(bytes.NewReader(archive(t, &r)), f.policy)
			if checkOf(err) == "" {
				t.Errorf("%s %s: %v, want a named failure", name, edit, err)
			}
			f.sign(t, &r)
			if _, err := bundle.Verify(bytes.NewReader(archive(t, &r)), f.policy); err == nil && !spare(f, i, edit) {
				t.Errorf("%s %s and signed again: accepted", name, edit)
			}
		}
	}
}

// spare tells records without which the query ends in the same way.
func spare(f *fixture, i int, edit string) bool {
	e, err := record.Decode(f.receipt.Records[i].Leaf)
	if err != nil || edit != "dropped" {
		return false
	}
	return e.Type == record.TypeCut || e.Type == record.TypeVerdict && e.Signer == "verifier/v4"
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	foreign := newFixture(t)
	foreignQuery := func() uint64 {
		for _, q := range f.State.OpenQueries() {
			return q.Leaf
		}
		return 0
	}()
	for _, tt := range []struct {
		name, check string
		edit        func(*bundle.Receipt)
	}{
		{"two signatures", "checkpoint", func(r *bundle.Receipt) { r.Note = f.Note(f.size, "verifier/v1", "verifier/v2") }},
		{"one verifier signs three times", "checkpoint", func(r *bundle.Receipt) {
			r.Note = f.Note(f.size, "verifier/v1", "verifier/v1", "verifier/v1")
		}},
		{"a line that is none", "checkpoint", func(r *bundle.Receipt) {
			r.Note = append(f.Note(f.size), "— someone AAAAAAAA\n"...)
		}},
		{"a stranger's line", "checkpoint", func(r *bundle.Receipt) {
			k := fsmtest.CosignKey("verifier/v9")
			c := note.NewCosigner(f.policy.Origin, "v9", k.Public().(ed25519.PublicKey))
			cp, err := note.ParseCheckpoint(bytes.SplitAfter(r.Note, []byte("\n\n"))[0][:bytes.Index(r.Note, []byte("\n\n"))+1])
			if err != nil {
				f.T.Fatal(err)
			}
			r.Note = append(f.Note(f.size), note.Cosign(c, k, cp, 1).String()...)
		}},
		{"lines in another order", "checkpoint", func(r *bundle.Receipt) {
			r.Note = f.Note(f.size, "verifier/v3", "verifier/v1", "verifier/v2")
		}},
		{"older checkpoint", "inclusion", func(r *bundle.Receipt) { r.Note = f.Note(f.size - 3) }},
		{"policy of fewer verifiers", "policy", func(r *bundle.Receipt) {
			p := f.policy
			p.Quorum = 1
			r.Policy = p.Text()
		}},
		{"other cluster.yaml", "cluster.yaml", func(r *bundle.Receipt) {
			r.Cluster = bytes.Replace(r.Cluster, []byte("min_cohort: 3"), []byte("min_cohort: 4"), 1)
		}},
		{"cluster.yaml that is none", "cluster.yaml", func(r *bundle.Receipt) { r.Cluster = []byte("x") }},
		{"no records", "inclusion", func(r *bundle.Receipt) { r.Records = nil }},
		{"GENESIS alone", "QUERY", func(r *bundle.Receipt) { r.Records = r.Records[:1] }},
		{"a second question", "record", func(r *bundle.Receipt) { f.insert(t, r, foreignQuery) }},
		{"a CUT too many", "record", func(r *bundle.Receipt) { f.insert(t, r, f.size-1) }},
		{"result changed", "signature", func(r *bundle.Receipt) { r.Result = []byte("{\"value\":812.6}\n") }},
		{"no signature", "signature", func(r *bundle.Receipt) { r.Signature = [64]byte{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := *f.receipt
			r.Records = slices.Clone(r.Records)
			tt.edit(&r)
			_, err := bundle.Verify(bytes.NewReader(archive(t, &r)), f.policy)
			if checkOf(err) != tt.check {
				t.Errorf("got %v, want a failure of %q", err, tt.check)
			}
		})
	}
	p := foreign.policy
	p.Origin = strings.Replace(p.Origin, "/", "x/", 1)
	if _, err := bundle.Check(f.receipt, p); checkOf(err) != "policy" {
		t.Errorf("another ledger's policy: %v, want a policy failure", err)
	}
}

// The policy and GENESIS must be of one ledger and one quorum, even if the
// verifiers' keys have signed a checkpoint for the other.
func TestPolicyIsTheLedgersOwn(t *testing.T) {
	f := newFixture(t)
	weak := f.policy
	weak.Quorum = 2
	r := *f.receipt
	r.Policy = weak.Text()
	if _, err := bundle.Check(&r, weak); checkOf(err) != "GENESIS" {
		t.Errorf("policy with quorum 2: %v, want a GENESIS failure", err)
	}

	other := note.Policy{Origin: "ward.example/" + strings.Repeat("0", 32), Quorum: 3}
	root, err := merkle.Root(f.size, &f.Tree)
	if err != nil {
		t.Fatal(err)
	}
	cp := note.Checkpoint{Origin: other.Origin, Size: f.size, Root: root}
	var lines []note.Line
	for _, c := range f.policy.Cosigners {
		oc := note.NewCosigner(other.Origin, c.ID, c.Key)
		other.Cosigners = append(other.Cosigners, oc)
		lines = append(lines, note.Cosign(oc, fsmtest.CosignKey("verifier/"+c.ID), cp, 1))
	}
	r.Policy, r.Note = other.Text(), note.Format(cp, lines)
	if _, err := bundle.Check(&r, other); checkOf(err) != "GENESIS" {
		t.Errorf("policy of another ledger: %v, want a GENESIS failure", err)
	}
}

// insert adds a leaf of the ledger that the query does not rest on.
func (f *fixture) insert(t *testing.T, r *bundle.Receipt, index uint64) {
	t.Helper()
	p, err := f.prove(index)
	if err != nil {
		t.Fatal(err)
	}
	i, found := slices.BinarySearchFunc(r.Records, index, func(a bundle.Record, b uint64) int { return int(int64(a.Index) - int64(b)) })
	if found {
		t.Fatalf("leaf %d is in the receipt", index)
	}
	r.Records = slices.Insert(r.Records, i, bundle.Record{Index: index, Leaf: f.Leaves[index], Proof: p})
}

// A query that was closed without opening anything has no receipt.
func TestNothingOpened(t *testing.T) {
	l := fsmtest.New(t, fsmtest.Options{})
	l.Keygen()
	f := &fixture{Ledger: l, id: l.Ask(l.QueryRecord())}
	l.Cut(66_000)
	f.size = l.Finish(f.id)
	g, _ := record.Decode(l.Leaves[0])
	f.policy = bundle.PolicyOf(l.State.Origin(), g.Payload.(*record.Genesis))
	_, err := bundle.Check(f.collect(t), f.policy)
	if checkOf(err) != "CLOSE" || !strings.Contains(err.Error(), "no_answers") {
		t.Errorf("Check = %v, want a CLOSE failure that says no_answers", err)
	}
}

func FuzzRead(f *testing.F) {
	fx := newFixture(f)
	f.Add(archive(f, fx.receipt))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := bundle.Read(data)
		if err != nil {
			return
		}
		if !bytes.Equal(archive(t, r), data) {
			t.Error("accepted archive is not written again identically")
		}
	})
}
