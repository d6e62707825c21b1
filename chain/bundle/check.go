package bundle

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"

	"statnet/chain/fsm"
	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/config"
)

// maxSkew is how far apart the cosignatures of one checkpoint may be before a
// reader is warned, in seconds.
const maxSkew = 600

// checker carries the findings from one check to the next.
type checker struct {
	receipt *Receipt
	policy  note.Policy
	cluster *config.Cluster
	state   *fsm.State
	records []record.Envelope // beside receipt.Records
	report  Report
}

func (c *checker) line(format string, args ...any) {
	c.report.Lines = append(c.report.Lines, "ok  "+fmt.Sprintf(format, args...))
}

func (c *checker) warn(format string, args ...any) {
	c.report.Warnings = append(c.report.Warnings, fmt.Sprintf(format, args...))
}

// Check runs every check that needs no archive: query step Q9. The querier runs
// it before it opens anything, Verify runs it on a file.
//
// It does not check that the ledger extends one the caller has seen, unless
// the receipt holds that proof, nor result.json.
func Check(r *Receipt, policy note.Policy) (*Report, error) {
	c := &checker{receipt: r, policy: policy}
	for _, check := range []func() error{
		c.checkPolicy, c.checkCheckpoint, c.checkConsistency, c.checkInclusion, c.checkGenesis,
		c.replay, c.checkComplete, c.recount, c.checkOpened,
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	c.report.NotChecked = append(c.report.NotChecked,
		"proofs (this version has none): that gateways encrypted their true sums, that key and shares were formed honestly",
		"sums: ciphertexts are not in the receipt; the verifiers re-added them",
	)
	return &c.report, nil
}

func (c *checker) checkPolicy() error {
	if !bytes.Equal(c.receipt.Policy, c.policy.Text()) {
		return fail("policy", "policy.txt", "not the policy given")
	}
	c.line("policy: %s, %d of %d verifiers", c.policy.Origin, c.policy.Quorum, len(c.policy.Cosigners))
	return nil
}

func (c *checker) checkCheckpoint() error {
	s, err := c.policy.Verify(c.receipt.Note)
	if err != nil {
		return &Failure{Check: "checkpoint", Item: "signatures", Err: err}
	}
	if !bytes.Equal(s.Note, c.receipt.Note) {
		return fail("checkpoint", "checkpoint.note", "has lines that are not the verifiers' signatures, or out of order")
	}
	first, last := s.Lines[0].Time, s.Lines[0].Time
	for _, l := range s.Lines {
		first, last = min(first, l.Time), max(last, l.Time)
	}
	if last-first > maxSkew {
		c.warn("cosignatures are %d s apart", last-first)
	}
	c.report.Checkpoint = s
	c.line("checkpoint: size %d, co-signed %d/%d", s.Size, len(s.Lines), len(c.policy.Cosigners))
	return nil
}

func (c *checker) checkConsistency() error {
	k := c.receipt.Consistency
	if k == nil {
		c.report.NotChecked = append(c.report.NotChecked, "consistency with an earlier checkpoint: none given")
		return nil
	}
	old, err := c.policy.Verify(k.Note)
	if err == nil && !bytes.Equal(old.Note, k.Note) {
		err = fmt.Errorf("has lines that are not the verifiers' signatures, or out of order")
	}
	if err != nil {
		return &Failure{Check: "consistency", Item: "earlier checkpoint", Err: err}
	}
	now := c.report.Checkpoint
	if err := merkle.VerifyConsistency(old.Size, now.Size, old.Root, now.Root, hashes(k.Proof)); err != nil {
		return &Failure{Check: "consistency", Item: fmt.Sprintf("sizes %d and %d", old.Size, now.Size), Err: err}
	}
	c.line("consistency: the ledger extends size %d", old.Size)
	return nil
}

func hashes(in []record.Hash) []merkle.Hash {
	out := make([]merkle.Hash, len(in))
	for i, h := range in {
		out[i] = h
	}
	return out
}

// checkInclusion also decodes: what is not a record is not replayed.
func (c *checker) checkInclusion() error {
	if len(c.receipt.Records) == 0 {
		return fail("inclusion", "records.cbor", "no records")
	}
	cp := c.report.Checkpoint
	for i, r := range c.receipt.Records {
		e, err := record.Decode(r.Leaf)
		if err != nil {
			return &Failure{Check: "record", Item: fmt.Sprintf("leaf %d", r.Index), Err: err}
		}
		if i > 0 && r.Index <= c.receipt.Records[i-1].Index {
			return fail("order", itemName(r.Index, e), "after leaf %d", c.receipt.Records[i-1].Index)
		}
		if err := merkle.VerifyInclusion(r.Index, cp.Size, cp.Root, merkle.LeafHash(r.Leaf), hashes(r.Proof)); err != nil {
			return &Failure{Check: "inclusion", Item: itemName(r.Index, e), Err: err}
		}
		c.records = append(c.records, e)
	}
	c.line("inclusion: %d records in the ledger of size %d", len(c.records), cp.Size)
	return nil
}

func itemName(index uint64, e record.Envelope) string {
	return fmt.Sprintf("%s by %s (leaf %d)", e.Type, e.Signer, index)
}

// checkGenesis ties the policy to the ledger's own first record: the origin is
// its digest, and it names the same keys and quorum.
func (c *checker) checkGenesis() error {
	g, ok := c.records[0].Payload.(*record.Genesis)
	if !ok || c.receipt.Records[0].Index != 0 {
		return fail("GENESIS", "leaf 0", "missing")
	}
	if o := record.Origin(g.Name, c.receipt.Records[0].Leaf); o != c.policy.Origin {
		return fail("GENESIS", "origin", "is %s, policy says %s", o, c.policy.Origin)
	}
	if want := PolicyOf(c.policy.Origin, g); !bytes.Equal(want.Text(), c.policy.Text()) {
		return fail("GENESIS", "verifiers", "are not those of the policy")
	}
	cluster, err := config.ParseCluster("cluster.yaml", c.receipt.Cluster)
	if err != nil {
		return &Failure{Check: "cluster.yaml", Item: "content", Err: err}
	}
	if cluster.Digest != g.Cluster {
		return fail("cluster.yaml", "digest", "is %x, GENESIS says %x", cluster.Digest[:8], g.Cluster[:8])
	}
	c.cluster = cluster
	c.report.FaultModel = cluster.FaultModel()
	return nil
}

// PolicyOf is the policy that a GENESIS record implies for the ledger named
// origin: whom a node that pins the genesis file believes.
func PolicyOf(origin string, g *record.Genesis) note.Policy {
	p := note.Policy{Origin: origin, Quorum: int(min(g.Q, 1<<16))}
	for _, v := range g.Verifiers {
		p.Cosigners = append(p.Cosigners, note.NewCosigner(origin, v.ID, ed25519.PublicKey(slices.Clone(v.CosignKey[:]))))
	}
	return p
}
