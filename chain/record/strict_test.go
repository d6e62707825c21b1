package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// samples has one valid payload of every kind.
func samples() []Payload {
	id := Hash{1}
	f, q := uint64(1), uint64(3)
	return []Payload{
		&Genesis{Name: "ward.example", N: 1, Q: 1, Mode: ModeCrashOnly, Verifiers: []GenesisVerifier{{ID: "v1", Address: "a:1", Raft: "a:2"}},
			Members: []Member{{Path: "server/s1"}}, Roots: [][32]byte{{9}}, FSM: 1, Operators: KeySet{K: 1, Keys: [][32]byte{{7}}}, UnixMS: 1},
		&Roster{Body: RosterBody{Seq: 1, F: &f, Q: &q, Reason: "new"}, Approvals: []Approval{{Path: "verifier/v1"}}},
		&Policy{Body: PolicyBody{Seq: 1, Document: []byte("version: 1"), From: 5}},
		&Query{Statistic: "mean", Params: []byte("v1 rr"), From: 300, To: 600, Cohort: "ward-a", Purpose: "clinical", TimeoutMS: 120_000, Coordinator: "server/s1"},
		&Answer{QueryID: id, ProofSystem: ProofNone, HomeServer: "server/s1", Parts: []Part{{Ciphertext: Hash{2}, Patients: []Pseudonym{{1}, {2}}}}},
		knownVerdict(),
		&Aggregate{QueryID: id, Attempt: 1, Answers: []Run{{First: 4, Count: 2}}, Active: []byte{1, 3}, K: 256},
		&KeySwitch{QueryID: id, Aggregate: 9, ShareSize: 57712, Attempt: 1},
		&Result{QueryID: id, Aggregate: 9, KeySwitches: []uint64{12, 11}, Participants: 3, Excluded: []Excluded{{Path: "gateway/gw-1", Code: 8}}},
		&Close{QueryID: id, Outcome: OutcomePartial, Participants: 3},
		&Evidence{Kind: 3, Accused: "gateway/gw-1", First: []byte{1}, Second: []byte{2}},
		&Cut{Previous: 4, Claims: []Claim{{Path: "verifier/v1", UnixMS: 5}}},
		&Sample{Epoch: 7, ProofSystem: ProofNone, Patients: []Commitment{{Patient: Pseudonym{1}, Commitment: []byte{3}}}},
		&KeyGen{Epoch: 1, Round: 4, Set: 3, Digest: Hash{4}, Proof: Hash{5}, ProofSize: 9},
		&Audit{Day: 20775, Digest: Hash{1}},
	}
}

func TestEveryKindRoundTrips(t *testing.T) {
	s := testSigner("server/s1")
	for i, p := range samples() {
		leaf, err := Seal(testOrigin, s, p)
		if err != nil {
			t.Errorf("%s: %v", p.Type(), err)
			continue
		}
		e, err := Open(testOrigin, leaf, s.Public())
		if err != nil {
			t.Errorf("%s: %v", p.Type(), err)
			continue
		}
		again, err := Encode(e.Payload)
		if err != nil || !bytes.Equal(again, e.PayloadBytes) || int(e.Type) != i {
			t.Errorf("%s: payload changed on the way: %v", p.Type(), err)
		}
		if e.QueryID() != (Hash{}) != (i >= 3 && i <= 9) {
			t.Errorf("%s: query id %x", p.Type(), e.QueryID())
		}
	}
}

// Each line is a VERDICT payload that means the same as the known one, or
// nothing, and is not its one encoding.
func TestOneEncoding(t *testing.T) {
	id := "005820" + strings.Repeat("aa", 32)
	rest := "01010282831103018314010203647a6b2f31"
	if raw, err := hex.DecodeString("a4" + id + rest); err != nil {
		t.Fatal(err)
	} else if _, err := DecodePayload(TypeVerdict, raw); err != nil {
		t.Fatalf("the one encoding: %v", err)
	}
	for _, tt := range []struct{ name, payload string }{
		{"long integer", "a4" + id + "0118010282831103018314010203647a6b2f31"},
		{"key in long form", "a4" + id + "1801010282831103018314010203647a6b2f31"},
		{"keys out of order", "a4" + "0101" + id + "0282831103018314010203647a6b2f31"},
		{"doubled key", "a5" + id + "0101" + rest},
		{"unknown key", "a5" + id + rest + "1401"},
		{"text key", "a5" + id + rest + "616101"},
		{"negative key", "a5" + id + rest + "2001"},
		{"indefinite map", "bf" + id + rest + "ff"},
		{"indefinite array", "a4" + id + "0101029f831103018314010203ff647a6b2f31"},
		{"float for an integer", "a4" + id + "01f93c000282831103018314010203647a6b2f31"},
		{"tagged integer", "a4" + id + "01c2410102828311030183140102" + "03647a6b2f31"},
		{"bad UTF-8", "a4" + id + "010102828311030183140102" + "0364ff6b2f31"},
		{"null for a list", "a4" + id + "010102f603647a6b2f31"},
		{"short query id", "a400581f" + strings.Repeat("aa", 31) + rest},
		{"long query id", "a4005821" + strings.Repeat("aa", 33) + rest},
		{"zero query id", "a4005820" + strings.Repeat("00", 32) + rest},
		{"missing mandatory key", "a3" + id + "0282831103018314010203647a6b2f31"},
		{"triple of two", "a4" + id + "0101028282110383140102" + "03647a6b2f31"},
		{"triple of four", "a4" + id + "01010282841103010183140102" + "03647a6b2f31"},
		{"trailing byte", "a4" + id + rest + "00"},
		{"truncated", "a4" + id + rest[:len(rest)-2]},
		{"empty optional list", "a5" + id + rest + "0480"},
		{"nothing", ""},
		{"an array", "80"},
	} {
		raw, err := hex.DecodeString(tt.payload)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if _, err := DecodePayload(TypeVerdict, raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", tt.name, err)
		}
	}
}

// Lengths that a header only announces cost nothing.
func TestAnnouncedLengths(t *testing.T) {
	for _, head := range []string{"9b7fffffffffffffff", "bb7fffffffffffffff", "5b7fffffffffffffff", "9a00100000", "ba00100000",
		"818181818181818181", "a40058207f"} {
		raw, _ := hex.DecodeString(head)
		if _, err := Decode(raw); err == nil {
			t.Errorf("leaf %s: accepted", head)
		}
		if _, err := DecodePayload(TypeVerdict, raw); err == nil {
			t.Errorf("payload %s: accepted", head)
		}
	}
	if _, err := Decode(make([]byte, MaxLeaf+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("leaf over the limit: %v, want ErrTooLarge", err)
	}
	if err := DecodeStrict(make([]byte, MaxLeaf+1), new(Claim)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("object over the limit: %v, want ErrTooLarge", err)
	}
	big := &Policy{Body: PolicyBody{Document: make([]byte, MaxDocument+1)}}
	if _, err := Encode(big); !errors.Is(err, ErrMalformed) {
		t.Errorf("document over the limit: %v", err)
	}
}

func sorted201() *Sample {
	s := &Sample{}
	for i := range MaxSamples + 1 {
		s.Patients = append(s.Patients, Commitment{Patient: Pseudonym{byte(i >> 8), byte(i)}})
	}
	return s
}

// What cannot be decoded must not be sealed, and commands have bounds.
func TestSealAndCommandBounds(t *testing.T) {
	s := testSigner("gateway/gw-1")
	big := &Answer{QueryID: Hash{1}, ProofSystem: ProofNone, HomeServer: "server/s1"}
	for i := range 50 {
		p := Part{Ciphertext: Hash{byte(i)}}
		for j := range 100 {
			p.Patients = append(p.Patients, Pseudonym{byte(i), byte(j)})
		}
		big.Parts = append(big.Parts, p)
	}
	if _, err := Seal(testOrigin, s, big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("leaf of 50 x 100 pseudonyms: %v, want ErrTooLarge", err)
	}
	if _, err := Seal(testOrigin, testSigner("doctor/x"), knownVerdict()); !errors.Is(err, ErrMalformed) {
		t.Errorf("signer of unknown role: %v, want ErrMalformed", err)
	}
	if _, err := Seal(testOrigin, shortSigner{s}, knownVerdict()); err == nil {
		t.Error("signature of 63 bytes: sealed")
	}
	if _, err := Command([]byte{0x80}); !errors.Is(err, ErrMalformed) {
		t.Errorf("command of no leaf: %v, want ErrMalformed", err)
	}
	if _, _, err := SplitCommand(make([]byte, 32)); !errors.Is(err, ErrMalformed) {
		t.Errorf("command of a key alone: %v, want ErrMalformed", err)
	}
	if _, _, err := SplitCommand(make([]byte, MaxCommand+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("command over the limit: %v, want ErrTooLarge", err)
	}
	if _, err := ParseClaim(make([]byte, 257)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("claim over the limit: %v, want ErrTooLarge", err)
	}
}

type shortSigner struct{ KeySigner }

func (shortSigner) Sign([]byte) ([]byte, error) { return make([]byte, 63), nil }

func TestLeafRefusals(t *testing.T) {
	s := testSigner("verifier/v1")
	leaf, err := Seal(testOrigin, s, knownVerdict())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		edit func(leafArray) leafArray
		want error
	}{
		{"version 2", func(a leafArray) leafArray { a.Version = 2; return a }, ErrMalformed},
		{"unknown type", func(a leafArray) leafArray { a.Type = 99; return a }, ErrMalformed},
		{"another type", func(a leafArray) leafArray { a.Type = TypeClose; return a }, ErrMalformed},
		{"signer without role", func(a leafArray) leafArray { a.Signer = "v1"; return a }, ErrMalformed},
		{"signer of unknown role", func(a leafArray) leafArray { a.Signer = "doctor/v1"; return a }, ErrMalformed},
		{"signer in capitals", func(a leafArray) leafArray { a.Signer = "verifier/V1"; return a }, ErrMalformed},
		{"another signer", func(a leafArray) leafArray { a.Signer = "verifier/v2"; return a }, ErrBadSignature},
		{"another key id", func(a leafArray) leafArray { a.Kid[0] ^= 1; return a }, ErrBadSignature},
		{"another signature", func(a leafArray) leafArray { a.Sig[63] ^= 1; return a }, ErrBadSignature},
		{"another payload", func(a leafArray) leafArray { a.Payload[40] ^= 0; a.Payload[len(a.Payload)-1] ^= 1; return a }, ErrBadSignature},
	} {
		var a leafArray
		if err := decodeStrict(leaf, &a); err != nil {
			t.Fatal(err)
		}
		raw, err := encode(tt.edit(a))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(testOrigin, raw, s.Public()); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := Open(testOrigin+"x", leaf, s.Public()); !errors.Is(err, ErrBadSignature) {
		t.Errorf("another ledger: %v, want ErrBadSignature", err)
	}
	if _, err := Open(testOrigin, leaf, testSigner("verifier/v2").Public()); !errors.Is(err, ErrBadSignature) {
		t.Errorf("another key: %v, want ErrBadSignature", err)
	}
	if _, err := Open(testOrigin, leaf, nil); !errors.Is(err, ErrBadSignature) {
		t.Errorf("no key: %v, want ErrBadSignature", err)
	}
}

// A signature of one kind is not one of another, nor of another ledger's.
func TestSignaturesAreSeparated(t *testing.T) {
	base := signedBytes("o", TypeQuery, []byte("p"), "querier/a")
	for name, other := range map[string][]byte{
		"type":    signedBytes("o", TypeAnswer, []byte("p"), "querier/a"),
		"origin":  signedBytes("o2", TypeQuery, []byte("p"), "querier/a"),
		"payload": signedBytes("o", TypeQuery, []byte("q"), "querier/a"),
		"signer":  signedBytes("o", TypeQuery, []byte("p"), "querier/b"),
	} {
		if bytes.Equal(base, other) {
			t.Errorf("another %s is signed with the same bytes", name)
		}
	}
	if !bytes.Equal(signedBytes("x", TypeGenesis, nil, "operator/op-1"), signedBytes("", TypeGenesis, nil, "operator/op-1")) {
		t.Error("GENESIS is signed with an origin")
	}
	keys := map[Hash]string{}
	for _, tt := range []struct {
		id     Hash
		t      Type
		signer string
		seq    uint64
	}{{Hash{}, 5, "a", 1}, {Hash{1}, 5, "a", 1}, {Hash{}, 6, "a", 1}, {Hash{}, 5, "b", 1}, {Hash{}, 5, "a", 2}} {
		k := IdemKey(tt.id, tt.t, tt.signer, tt.seq)
		if was, ok := keys[k]; ok {
			t.Errorf("idem keys of %v and %s are equal", tt, was)
		}
		keys[k] = fmt.Sprint(tt)
	}
}

func TestPayloadRefusals(t *testing.T) {
	id := Hash{1}
	query := func(edit func(*Query)) *Query {
		q := samples()[TypeQuery].(*Query)
		edit(q)
		return q
	}
	answer := func(edit func(*Answer)) *Answer {
		a := samples()[TypeAnswer].(*Answer)
		edit(a)
		return a
	}
	verdict := func(items ...VerdictRun) *Verdict {
		return &Verdict{QueryID: id, Phase: 1, Items: items}
	}
	for _, tt := range []struct {
		name string
		p    Payload
	}{
		{"window off the grain", query(func(q *Query) { q.From = 301 })},
		{"empty window", query(func(q *Query) { q.From = q.To })},
		{"window that ends in the year 36000", query(func(q *Query) { q.To = 1<<41 - 1<<41%300 })},
		{"cohort and pseudonyms", query(func(q *Query) { q.Pseudonyms = []Pseudonym{{1}} })},
		{"neither cohort nor pseudonyms", query(func(q *Query) { q.Cohort = "" })},
		{"pseudonyms not sorted", query(func(q *Query) { q.Cohort, q.Pseudonyms = "", []Pseudonym{{2}, {1}} })},
		{"pseudonym twice", query(func(q *Query) { q.Cohort, q.Pseudonyms = "", []Pseudonym{{2}, {2}} })},
		{"timeout of 9.999 s", query(func(q *Query) { q.TimeoutMS = MinTimeoutMS - 1 })},
		{"timeout over a day", query(func(q *Query) { q.TimeoutMS = MaxTimeoutMS + 1 })},
		{"parameters of 1025 bytes", query(func(q *Query) { q.Params = make([]byte, MaxParams+1) })},
		{"gateway as coordinator", query(func(q *Query) { q.Coordinator = "gateway/s1" })},
		{"not_after that overflows", query(func(q *Query) { q.NotAfter = 1 << 60 })},
		{"no statistic", query(func(q *Query) { q.Statistic = "" })},
		{"statistic of 65 bytes", query(func(q *Query) { q.Statistic = strings.Repeat("x", 65) })},
		{"cohort of 64 bytes", query(func(q *Query) { q.Cohort = strings.Repeat("x", 64) })},
		{"row bucket 64", answer(func(a *Answer) { a.LogRows = 64 })},
		{"sample runs that touch", answer(func(a *Answer) { a.Samples = []Run{{First: 1, Count: 1}, {First: 2, Count: 1}} })},
		{"sample run of none", answer(func(a *Answer) { a.Samples = []Run{{First: 1}} })},
		{"gateway as home server", answer(func(a *Answer) { a.HomeServer = "gateway/gw-1" })},
		{"batch in phase 1", &Verdict{QueryID: id, Phase: 1, Batch: 1, Items: []VerdictRun{{First: 1, Count: 1, Code: 1}}}},
		{"verdict on 4,097 leaves", verdict(VerdictRun{First: 1, Count: 4096, Code: 1}, VerdictRun{First: 5000, Count: 1, Code: 1})},
		{"answer without parts", answer(func(a *Answer) { a.Parts = nil })},
		{"51 parts", answer(func(a *Answer) { a.Parts = make([]Part, 51) })},
		{"part without patients", answer(func(a *Answer) { a.Parts[0].Patients = nil })},
		{"patients not sorted", answer(func(a *Answer) { a.Parts[0].Patients = []Pseudonym{{2}, {1}} })},
		{"patient in two parts", answer(func(a *Answer) {
			a.Parts = append(a.Parts, Part{Ciphertext: Hash{3}, Patients: a.Parts[0].Patients})
		})},
		{"ciphertext in two parts", answer(func(a *Answer) {
			a.Parts = append(a.Parts, Part{Ciphertext: a.Parts[0].Ciphertext, Patients: []Pseudonym{{9}}})
		})},
		{"declined with parts", answer(func(a *Answer) { a.Outcome = DeclinedBudget })},
		{"outcome 6", &Answer{QueryID: id, Outcome: 6, HomeServer: "server/s1"}},
		{"no proof system", answer(func(a *Answer) { a.ProofSystem = "" })},
		{"verdict without items", verdict()},
		{"run of none", verdict(VerdictRun{First: 1, Count: 0, Code: 1})},
		{"run over the limit", verdict(VerdictRun{First: 1, Count: 4097, Code: 1})},
		{"runs that overlap", verdict(VerdictRun{First: 1, Count: 2, Code: 1}, VerdictRun{First: 2, Count: 1, Code: 2})},
		{"runs that could be one", verdict(VerdictRun{First: 1, Count: 2, Code: 1}, VerdictRun{First: 3, Count: 1, Code: 1})},
		{"code 0", verdict(VerdictRun{First: 1, Count: 1, Code: 0})},
		{"code 8", verdict(VerdictRun{First: 1, Count: 1, Code: 8})},
		{"phase 4", &Verdict{QueryID: id, Phase: 4, Items: []VerdictRun{{First: 1, Count: 1, Code: 1}}}},
		{"phase 1 without query", &Verdict{Phase: 1, Items: []VerdictRun{{First: 1, Count: 1, Code: 1}}}},
		{"text of 81 bytes", &Verdict{QueryID: id, Phase: 1, Items: []VerdictRun{{First: 1, Count: 1, Code: 2}},
			Notes: []Note{{Leaf: 1, Code: 2, Text: strings.Repeat("x", 81)}}}},
		{"total without active set", &Aggregate{QueryID: id, Attempt: 1, Answers: []Run{{First: 1, Count: 1}}, K: 256}},
		{"active server twice", &Aggregate{QueryID: id, Attempt: 1, Answers: []Run{{First: 1, Count: 1}}, Active: []byte{1, 1}, K: 256}},
		{"active server 0", &Aggregate{QueryID: id, Attempt: 1, Answers: []Run{{First: 1, Count: 1}}, Active: []byte{0, 1}, K: 256}},
		{"attempt 3", &Aggregate{QueryID: id, Attempt: 3, Answers: []Run{{First: 1, Count: 1}}, Active: []byte{1}, K: 256}},
		{"answers that touch", &Aggregate{QueryID: id, Attempt: 1, Answers: []Run{{First: 1, Count: 1}, {First: 2, Count: 1}}, Active: []byte{1}, K: 256}},
		{"K of 0", &Aggregate{QueryID: id, Attempt: 1, Answers: []Run{{First: 1, Count: 1}}, Active: []byte{1}}},
		{"share of a partial sum", &KeySwitch{QueryID: id, ShareSize: 1}},
		{"share of 65 MiB", &KeySwitch{QueryID: id, ShareSize: 65 << 20, Attempt: 1}},
		{"result without shares", &Result{QueryID: id}},
		{"excluded not sorted", &Result{QueryID: id, KeySwitches: []uint64{1}, Excluded: []Excluded{{Path: "gateway/b"}, {Path: "gateway/a"}}}},
		{"outcome 11", &Close{QueryID: id, Outcome: 11}},
		{"cut without claims", &Cut{}},
		{"one verifier claims twice", &Cut{Claims: []Claim{{Path: "verifier/v1"}, {Path: "verifier/v1"}}}},
		{"claim that overflows", &Cut{Claims: []Claim{{Path: "verifier/v1", UnixMS: 1 << 60}}}},
		{"201 samples", &Sample{Patients: make([]Commitment, 201)}},
		{"commitment of 161 bytes", &Sample{Patients: []Commitment{{Commitment: make([]byte, 161)}}}},
		{"key epoch 0", &KeyGen{Round: 1}},
		{"key epoch that overflows the idem key", &KeyGen{Epoch: 1 << 32, Round: 1}},
		{"round 7", &KeyGen{Epoch: 1, Round: 7, Set: 1}},
		{"nonce for a set", &KeyGen{Epoch: 1, Round: 2, Set: 1}},
		{"key without a set", &KeyGen{Epoch: 1, Round: 4}},
		{"proof of a nonce", &KeyGen{Epoch: 1, Round: 2, ProofSize: 4}},
		{"genesis of no verifiers", &Genesis{Name: "x"}},
		{"genesis in the far future", func() *Genesis {
			g := samples()[TypeGenesis].(*Genesis)
			g.UnixMS = 1 << 60
			return g
		}()},
		{"genesis with a quorum over n", func() *Genesis {
			g := samples()[TypeGenesis].(*Genesis)
			g.Q = 2
			return g
		}()},
		{"genesis of mode 3", func() *Genesis {
			g := samples()[TypeGenesis].(*Genesis)
			g.Mode = 3
			return g
		}()},
		{"genesis without name", func() *Genesis {
			g := samples()[TypeGenesis].(*Genesis)
			g.Name = ""
			return g
		}()},
		{"genesis of two verifiers that lists one", func() *Genesis {
			g := samples()[TypeGenesis].(*Genesis)
			g.N = 2
			return g
		}()},
		{"genesis with a member of no role", func() *Genesis {
			g := samples()[TypeGenesis].(*Genesis)
			g.Members[0].Path = "s1"
			return g
		}()},
		{"genesis with a verifier of no id", func() *Genesis {
			g := samples()[TypeGenesis].(*Genesis)
			g.Verifiers[0].ID = "V 1"
			return g
		}()},
		{"roster of kind 2", &Roster{Body: RosterBody{Kind: 2}}},
		{"evidence against nobody", &Evidence{Kind: 1}},
		{"sum of no answers", &Aggregate{QueryID: id, Attempt: 1, Active: []byte{1}, K: 256}},
		{"sum of no query", &Aggregate{Attempt: 1, Answers: []Run{{First: 1, Count: 1}}, Active: []byte{1}, K: 256}},
		{"excluded without a role", &Result{QueryID: id, KeySwitches: []uint64{1}, Excluded: []Excluded{{Path: "gw-1"}}}},
		{"sample of nobody", &Sample{}},
		{"samples not sorted", &Sample{Patients: []Commitment{{Patient: Pseudonym{2}}, {Patient: Pseudonym{1}}}}},
		{"201 sorted samples", sorted201()},
		{"evidence of kind 6", &Evidence{Kind: 6, Accused: "verifier/v1"}},
	} {
		if _, err := Encode(tt.p); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: encode: %v, want ErrMalformed", tt.name, err)
		}
		if raw, err := encode(tt.p); err == nil {
			if _, err := DecodePayload(tt.p.Type(), raw); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: decode: %v, want ErrMalformed", tt.name, err)
			}
		}
	}
}

func TestClaimsAndApprovals(t *testing.T) {
	s := testSigner("verifier/v1")
	c, err := SignClaim(testOrigin, s, 41, 1795000000000)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseClaim(raw)
	if err != nil || back != c || back.Verify(testOrigin, 41, s.Public()) != nil {
		t.Errorf("claim changed on the way: %v", err)
	}
	later := c
	later.UnixMS++
	for name, err := range map[string]error{
		"another CUT":    c.Verify(testOrigin, 42, s.Public()),
		"another ledger": c.Verify("x", 41, s.Public()),
		"another time":   later.Verify(testOrigin, 41, s.Public()),
		"another key":    c.Verify(testOrigin, 41, testSigner("verifier/v2").Public()),
	} {
		if !errors.Is(err, ErrBadSignature) {
			t.Errorf("claim for %s: %v, want ErrBadSignature", name, err)
		}
	}
	if _, err := ParseClaim(append(raw, 0)); err == nil {
		t.Error("claim with a trailing byte: accepted")
	}
	body := PolicyBody{Seq: 1, Document: []byte("x")}
	a, err := Approve(testOrigin, s, TypePolicy, body)
	if err != nil || a.Verify(testOrigin, TypePolicy, body, s.Public()) != nil {
		t.Errorf("approval: %v", err)
	}
	if a.Verify(testOrigin, TypeRoster, body, s.Public()) == nil || a.Verify(testOrigin, TypePolicy, PolicyBody{Seq: 2, Document: []byte("x")}, s.Public()) == nil {
		t.Error("approval counts for another kind or body")
	}
	if fmt.Sprint(s) != "record: secret" || fmt.Sprintf("%#v", s) != "record: secret" {
		t.Error("a signer prints its key")
	}
}

func TestRuns(t *testing.T) {
	for _, tt := range []struct {
		leaves []uint64
		want   string
	}{{nil, "[]"}, {[]uint64{5}, "[{{} 5 1}]"}, {[]uint64{7, 5, 6, 9, 5}, "[{{} 5 3} {{} 9 1}]"}} {
		if got := fmt.Sprint(Runs(tt.leaves)); got != tt.want {
			t.Errorf("Runs(%v) = %s, want %s", tt.leaves, got, tt.want)
		}
	}
	if _, err := Leaves([]Run{{First: 1, Count: 4096}, {First: 9000, Count: 1}}); err == nil {
		t.Error("4,097 leaves: accepted")
	}
	if got, err := Leaves([]Run{{First: 5, Count: 2}, {First: 9, Count: 1}}); err != nil || fmt.Sprint(got) != "[5 6 9]" {
		t.Errorf("Leaves = %v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	s := testSigner("server/s1")
	for _, p := range samples() {
		leaf, err := Seal(testOrigin, s, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(leaf)
	}
	f.Fuzz(func(t *testing.T, leaf []byte) {
		e, err := Decode(leaf)
		if err != nil {
			return
		}
		payload, err := Encode(e.Payload)
		if err != nil || !bytes.Equal(payload, e.PayloadBytes) {
			t.Fatalf("accepted payload re-encodes differently: %v", err)
		}
		again, err := encode(leafArray{Version: 1, Type: e.Type, Payload: payload, Signer: e.Signer, Kid: e.Kid, Sig: e.Sig})
		if err != nil || !bytes.Equal(again, leaf) {
			t.Fatalf("accepted leaf re-encodes differently: %v", err)
		}
		if len(e.Command()) != len(leaf)+32 {
			t.Fatal("command")
		}
	})
}

// FuzzPayload reaches the payloads without a valid envelope around them.
func FuzzPayload(f *testing.F) {
	for _, p := range samples() {
		raw, err := Encode(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(p.Type()), raw)
	}
	f.Fuzz(func(t *testing.T, typ uint16, raw []byte) {
		p, err := DecodePayload(Type(typ), raw)
		if err != nil {
			return
		}
		again, err := Encode(p)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("accepted payload re-encodes differently: %v", err)
		}
	})
}

func FuzzClaim(f *testing.F) {
	c, _ := SignClaim(testOrigin, testSigner("verifier/v1"), 1, 2)
	raw, _ := c.Marshal()
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := ParseClaim(raw); err == nil {
			if again, err := c.Marshal(); err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("accepted claim re-encodes differently: %v", err)
			}
		}
	})
}
