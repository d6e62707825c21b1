// Package bundle writes and checks receipts: everything that shows, without a
// network and years later, that a number came from an allowed question,
// accepted answers and checked steps.
//
//	ledger ─Collect─▶ Receipt ─Check─▶ Report ─(the querier opens)─▶ Write ─▶ FILE
//	                                                        FILE ─Verify─▶ Report
//
// Check repeats the ledger's own rules (chain/fsm) over the records of the
// receipt, each of which must be included in a checkpoint that a quorum of the
// given policy signed. So a receipt is accepted for what it holds, never for
// where it came from.
//
// It does not see ciphertexts, shares or keys: Report.NotChecked says so. The
// keys inside a receipt prove no origin; the caller supplies the policy.
package bundle

import (
	"errors"
	"fmt"

	"statnet/chain/fsm"
	"statnet/chain/note"
	"statnet/chain/record"
)

// Receipt is what the archive holds.
type Receipt struct {
	Cluster     []byte       // cluster.yaml, whose digest is in GENESIS: roster and policy
	Policy      []byte       // tlog-policy text
	Note        []byte       // checkpoint with exactly the cosignatures that count
	Consistency *Consistency // nil if the reader had seen no earlier checkpoint
	Records     []Record     // ascending by index
	Result      []byte       // result.json; empty before the querier has opened it
	Signature   [64]byte     // of the querier over all the above; see Sign
}

// Record is a leaf with its place in the ledger of Note.
type Record struct {
	_     struct{} `cbor:",toarray"`
	Index uint64
	Leaf  []byte
	Proof []record.Hash // inclusion, RFC 6962
}

// Consistency shows that the ledger extends what its reader had seen before.
type Consistency struct {
	_     struct{} `cbor:",toarray"`
	Note  []byte   // the earlier checkpoint, signed by a quorum
	Proof []record.Hash
}

// Failure is a check that did not pass. The caller shows it as "VERIFICATION
// FAILED: <check>: <item>" and no number.
type Failure struct {
	Check string // "signature", "inclusion", "CLOSE" …
	Item  string // what it failed on: "ANSWER by gateway/gw-2 (leaf 17)"
	Err   error  // why
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Check + ": " + f.Item
	}
	return fmt.Sprintf("%s: %s: %v", f.Check, f.Item, f.Err)
}

// Unwrap implements errors.Unwrap.
func (f *Failure) Unwrap() error { return f.Err }

func fail(check, item, format string, args ...any) error {
	return &Failure{Check: check, Item: item, Err: fmt.Errorf(format, args...)}
}

// AsFailure finds a Failure in err's tree.
func AsFailure(err error) (*Failure, bool) {
	var f *Failure
	ok := errors.As(err, &f)
	return f, ok
}

// Report is what a receipt that passed every check says.
type Report struct {
	Query      *fsm.Query    // with answers, verdicts, sum, shares, exclusions, outcome
	Key        *fsm.KeyEpoch // the collective key under which it was asked
	Checkpoint note.Signed
	FaultModel string // "byzantine f=1, not live"

	Lines      []string // one a check, in order
	Warnings   []string // passed, but worth a look: disputes, clocks apart
	NotChecked []string // what this receipt cannot show
}

// Share is what the querier must fetch and compare before it opens.
type Share struct {
	Server string
	Index  byte // in roster order, from 1
	Leaf   uint64
	Digest record.Hash
	Size   uint64 // bytes
}

// Shares lists the key-switch shares of the sum, in the order of the active set.
func (r *Report) Shares() []Share {
	var out []Share
	for i, server := range r.Query.Active() {
		k := r.Query.Shares()[server]
		out = append(out, Share{Server: server, Index: r.Query.Total().Record.Active[i],
			Leaf: k.Leaf, Digest: k.Record.Share, Size: k.Record.ShareSize})
	}
	return out
}

// Leaves lists the leaf indexes that a receipt of q needs, ascending: GENESIS,
// the key generation it names, the query's records and the CUTs that moved it.
func Leaves(q *fsm.Query, key *fsm.KeyEpoch) []uint64 {
	var all []uint64
	all = append(all, 0)
	all = append(all, key.Leaves...)
	all = append(all, q.Leaves...)
	all = append(all, q.Cuts...)
	return sortedUnique(all)
}

// Collect gathers a receipt from a ledger that the caller follows. leaf returns
// a leaf, prove its inclusion proof in the ledger of the checkpoint in
// signedNote. Nothing is believed: Check decides.
func Collect(q *fsm.Query, key *fsm.KeyEpoch, cluster, signedNote []byte, policy note.Policy,
	leaf func(index uint64) ([]byte, error), prove func(index uint64) ([]record.Hash, error)) (*Receipt, error) {
	signed, err := policy.Verify(signedNote)
	if err != nil {
		return nil, &Failure{Check: "checkpoint", Item: "signatures", Err: err}
	}
	r := &Receipt{Cluster: cluster, Policy: policy.Text(), Note: signed.Note}
	for _, i := range Leaves(q, key) {
		l, err := leaf(i)
		if err != nil {
			return nil, fmt.Errorf("collect leaf %d: %w", i, err)
		}
		p, err := prove(i)
		if err != nil {
			return nil, fmt.Errorf("collect proof of leaf %d: %w", i, err)
		}
		r.Records = append(r.Records, Record{Index: i, Leaf: l, Proof: p})
	}
	return r, nil
}
