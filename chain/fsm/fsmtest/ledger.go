// Package fsmtest keeps a ledger in memory for tests: everybody's keys, a clock
// that is turned by hand, and no network.
//
//	Ask ─▶ Answer ─▶ Judge ─▶ Sum ─▶ Judge ─▶ Switch ─▶ Judge ─▶ Finish
//
// Records are posted through fsm.Step like those of a real ledger; a test that
// wants a wrong one posts it itself.
package fsmtest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/config"
	"statnet/stat"
)

// StartMS is the ledger time of GENESIS, Unix milliseconds.
const StartMS = 1_795_000_200_000

// Options of a test cluster. Zero values give 4/1/3 verifiers, 2 of 3 servers,
// 3 gateways with 2 patients each.
type Options struct {
	Verifiers, Faulty, Quorum int
	Servers, Threshold        int
	Gateways, Patients        int // patients a gateway
	MinCohort                 int
	CrashOnly                 bool
}

func (o Options) withDefaults() Options {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.Verifiers, 4)
	def(&o.Quorum, 3)
	if !o.CrashOnly {
		def(&o.Faulty, 1)
	}
	def(&o.Servers, 3)
	def(&o.Threshold, 2)
	def(&o.Gateways, 3)
	def(&o.Patients, 2)
	def(&o.MinCohort, 3)
	return o
}

// Ledger is a test ledger.
type Ledger struct {
	T       testing.TB
	Cluster *config.Cluster
	State   *fsm.State
	Leaves  [][]byte
	Tree    merkle.Memory
	NowMS   uint64 // everybody's clock

	Verifiers, Servers, Gateways []string
	nonce                        uint64
}

// Signer is the record key of a node, derived from its path.
func Signer(path string) record.KeySigner { return record.NewKeySigner(path, key(path)) }

// CosignKey is the checkpoint key of a verifier, derived from its path.
func CosignKey(path string) ed25519.PrivateKey { return key(path + " cosign") }

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("statnet test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func pub(name string) string { return hex.EncodeToString(key(name).Public().(ed25519.PublicKey)) }

// ClusterYAML is a cluster.yaml whose keys are those of Signer and CosignKey.
func ClusterYAML(o Options) []byte {
	o = o.withDefaults()
	model := config.Byzantine
	if o.CrashOnly {
		model = config.CrashOnly
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: ward.example\nparams: %s\nroots: [%s]\n", config.ParamsID, strings.Repeat("ab", 32))
	fmt.Fprintf(&b, "ledger: {fault_model: %s, faulty: %d, quorum: %d}\nopening: {threshold: %d}\nverifiers:\n", model, o.Faulty, o.Quorum, o.Threshold)
	for i := 1; i <= o.Verifiers; i++ {
		p := fmt.Sprintf("verifier/v%d", i)
		fmt.Fprintf(&b, "  - {id: v%d, address: 127.0.0.1:%d, raft: 127.0.0.1:%d, record_key: %s, cosign_key: %s, instance: %032x}\n",
			i, 7100+i, 7200+i, pub(p), pub(p+" cosign"), i)
	}
	b.WriteString("servers:\n")
	for i := 1; i <= o.Servers; i++ {
		fmt.Fprintf(&b, "  - {id: s%d, address: 127.0.0.1:%d, record_key: %s}\n", i, 7000+i, pub(fmt.Sprintf("server/s%d", i)))
	}
	b.WriteString("gateways:\n")
	var all []string
	for i := 1; i <= o.Gateways; i++ {
		var own []string
		for range o.Patients {
			own = append(own, fmt.Sprintf("p-%04d", len(all)+len(own)+1))
		}
		all = append(all, own...)
		fmt.Fprintf(&b, "  - {id: gw-%d, server: s%d, record_key: %s, patients: [%s]}\n",
			i, (i-1)%o.Servers+1, pub(fmt.Sprintf("gateway/gw-%d", i)), strings.Join(own, ", "))
	}
	fmt.Fprintf(&b, "queriers:\n  - {id: dr-a, record_key: %s}\n  - {id: dr-b, record_key: %s}\n", pub("querier/dr-a"), pub("querier/dr-b"))
	fmt.Fprintf(&b, "operators:\n  - {id: op-1, record_key: %s}\n  - {id: op-2, record_key: %s}\n", pub("operator/op-1"), pub("operator/op-2"))
	fmt.Fprintf(&b, "cohorts:\n  - {id: ward-a, patients: [%s]}\n  - {id: room-1, patients: [p-0001, p-0002]}\n", strings.Join(all, ", "))
	fmt.Fprintf(&b, "policy:\n  - {querier: dr-a, statistics: [mean, variance], signals: [rr], cohorts: [ward-a, room-1], patients: [p-0001], min_cohort: %d, purpose: clinical}\n", o.MinCohort)
	return []byte(b.String())
}

// New is a ledger with GENESIS and its first CUT.
func New(t testing.TB, o Options) *Ledger {
	t.Helper()
	cluster, err := config.ParseCluster("cluster.yaml", ClusterYAML(o))
	if err != nil {
		t.Fatalf("test cluster: %v", err)
	}
	return NewCluster(t, cluster)
}

// NewCluster is New for a cluster whose keys are those of Signer.
func NewCluster(t testing.TB, cluster *config.Cluster) *Ledger {
	t.Helper()
	l := &Ledger{T: t, Cluster: cluster, State: fsm.New(cluster), NowMS: StartMS}
	for _, m := range cluster.Members() {
		switch m.Role {
		case config.RoleVerifier:
			l.Verifiers = append(l.Verifiers, m.Path())
		case config.RoleServer:
			l.Servers = append(l.Servers, m.Path())
		case config.RoleGateway:
			l.Gateways = append(l.Gateways, m.Path())
		}
	}
	l.Must("operator/op-1", fsm.Genesis(cluster, StartMS))
	l.Cut(0)
	return l
}

// Seal signs p as the node at path.
func (l *Ledger) Seal(path string, p record.Payload) []byte {
	l.T.Helper()
	leaf, err := record.Seal(l.State.Origin(), Signer(path), p)
	if err != nil {
		l.T.Fatalf("seal: %v", err)
	}
	return leaf
}

// Post seals p, applies it and keeps the leaf if it was accepted.
func (l *Ledger) Post(path string, p record.Payload) (fsm.Result, error) {
	l.T.Helper()
	return l.Apply(l.Seal(path, p))
}

// Apply offers a leaf to the state machine.
func (l *Ledger) Apply(leaf []byte) (fsm.Result, error) {
	l.T.Helper()
	cmd, err := record.Command(leaf)
	if err != nil {
		l.T.Fatalf("command: %v", err)
	}
	res, err := l.State.Step(l.State.Size(), cmd)
	if err == nil && !res.Duplicate {
		l.Leaves = append(l.Leaves, leaf)
		l.Tree.Append(merkle.LeafHash(leaf))
	}
	return res, err
}

// Must is Post for records that have to be accepted; it returns the leaf index.
func (l *Ledger) Must(path string, p record.Payload) uint64 {
	l.T.Helper()
	res, err := l.Post(path, p)
	if err != nil {
		l.T.Fatalf("post %s by %s: %v", p.Type(), path, err)
	}
	return res.Index
}

// CutRecord is a CUT with the claims of the first q verifiers, all at NowMS.
func (l *Ledger) CutRecord() *record.Cut {
	l.T.Helper()
	c := &record.Cut{Previous: l.State.LastCut()}
	for _, v := range l.Verifiers[:l.Cluster.Q()] {
		claim, err := record.SignClaim(l.State.Origin(), Signer(v), c.Previous, l.NowMS)
		if err != nil {
			l.T.Fatal(err)
		}
		c.Claims = append(c.Claims, claim)
	}
	return c
}

// Cut turns the clock by ms milliseconds and posts a CUT.
func (l *Ledger) Cut(ms uint64) uint64 {
	l.T.Helper()
	l.NowMS += ms
	return l.Must(l.Verifiers[0], l.CutRecord())
}

// Note is the checkpoint of the first size leaves, signed by the given
// verifiers, or the first q.
func (l *Ledger) Note(size uint64, by ...string) []byte {
	l.T.Helper()
	root, err := merkle.Root(size, &l.Tree)
	if err != nil {
		l.T.Fatal(err)
	}
	if by == nil {
		by = l.Verifiers[:l.Cluster.Q()]
	}
	cp := note.Checkpoint{Origin: l.State.Origin(), Size: size, Root: root}
	var lines []note.Line
	for _, v := range by {
		_, id, _ := record.SplitPath(v)
		k := CosignKey(v)
		c := note.NewCosigner(cp.Origin, id, k.Public().(ed25519.PublicKey))
		lines = append(lines, note.Cosign(c, k, cp, l.NowMS/1000))
	}
	return note.Format(cp, lines)
}

// Digest is a made-up digest that differs with every part.
func Digest(parts ...any) record.Hash { return sha256.Sum256(fmt.Append(nil, parts...)) }

// Keygen runs a whole key generation for the next epoch.
func (l *Ledger) Keygen() uint64 {
	l.T.Helper()
	epoch, _ := l.State.NextKeyEpoch()
	for round := uint8(record.RoundCommit); round <= record.RoundConfirm; round++ {
		for _, r := range l.KeygenRound(epoch, round) {
			l.Must(r.Path, r.Record)
		}
	}
	l.Cut(20)
	return epoch
}

// Signed is a record and who signs it.
type Signed struct {
	Path   string
	Record record.Payload
}

// KeygenRound lists the records of one round.
func (l *Ledger) KeygenRound(epoch uint64, round uint8) []Signed {
	var out []Signed
	if round <= record.RoundNonce {
		for i, s := range l.Servers {
			r := Digest("nonce", epoch, s)
			if round == record.RoundCommit {
				r = nonceCommit(l.Cluster.Params, epoch, uint64(i+1), r)
			}
			out = append(out, Signed{s, &record.KeyGen{Epoch: epoch, Round: round, Digest: r}})
		}
		return out
	}
	for _, set := range l.State.SubKeySets() {
		members := l.State.SetMembers(set)
		if round != record.RoundConfirm {
			members = members[:1]
		}
		d := Digest("key", epoch, set)
		if round == record.RoundKeyCommit {
			d = Digest("key commit", epoch, set)
		}
		for _, m := range members {
			out = append(out, Signed{m, &record.KeyGen{Epoch: epoch, Round: round, Set: set, Digest: d}})
		}
	}
	return out
}

// nonceCommit is written out here, apart from the code under test.
func nonceCommit(params []byte, epoch, i uint64, nonce record.Hash) record.Hash {
	const label = "statnet/v1/crs-commit"
	h := sha256.New()
	h.Write([]byte{byte(len(label))})
	h.Write([]byte(label))
	for _, part := range [][]byte{params, binary.BigEndian.AppendUint64(nil, epoch), binary.BigEndian.AppendUint64(nil, i), nonce[:]} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	return record.Hash(h.Sum(nil))
}

// QueryRecord is a question that the policy allows: the mean RR of ward-a over
// the hour before now.
func (l *Ledger) QueryRecord() *record.Query {
	l.T.Helper()
	keyEpoch, ok := l.State.CurrentKey()
	if !ok {
		l.T.Fatal("test ledger has no key yet")
	}
	l.nonce++
	to := l.NowMS / 1000 / 300 * 300
	q := &record.Query{
		Statistic: "mean", Params: stat.Question{Statistic: stat.Mean, Signal: stat.RR}.Params(),
		From: to - 3600, To: to, Cohort: "ward-a", CohortHash: record.CohortDigest(l.Cohort("ward-a")),
		MinCohort: 1, Purpose: "clinical", QuerierKey: Digest("querier key", l.nonce),
		ParamsID: record.Hash(l.Cluster.Params), KeyLeaf: keyEpoch.ActiveLeaf,
		NotAfter: l.NowMS + 300_000, TimeoutMS: 120_000, Coordinator: l.Servers[0],
	}
	binary.BigEndian.PutUint64(q.Nonce[:], l.nonce)
	return q
}

// Cohort lists the pseudonyms of a cohort of cluster.yaml.
func (l *Ledger) Cohort(id string) []record.Pseudonym {
	c, ok := l.Cluster.Cohort(id)
	if !ok {
		l.T.Fatalf("no cohort %q", id)
	}
	return l.pseudonyms(c.Patients)
}

func (l *Ledger) pseudonyms(ids []string) []record.Pseudonym {
	var out []record.Pseudonym
	for _, p := range ids {
		out = append(out, record.PseudonymOf(l.Cluster.Name, p))
	}
	return record.SortPseudonyms(out)
}

// Own lists a gateway's patients.
func (l *Ledger) Own(path string) []record.Pseudonym {
	_, id, _ := record.SplitPath(path)
	g, _ := l.Cluster.Gateway(id)
	return l.pseudonyms(g.Patients)
}
