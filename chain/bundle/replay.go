package bundle

import (
	"fmt"
	"slices"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// replay applies the ledger's rules to the records: signatures, signers' keys
// and roles, policy, phases, and the contents of AGGREGATE, RESULT and CLOSE,
// which are computed and compared.
func (c *checker) replay() error {
	c.state = fsm.NewReplay(c.cluster)
	var id record.Hash
	for i, e := range c.records {
		index := c.receipt.Records[i].Index
		if e.Type == record.TypeQuery {
			if id != (record.Hash{}) {
				return fail("record", itemName(index, e), "a second question")
			}
			id = e.QueryID()
		}
		res, err := c.state.Step(index, e.Command())
		if err != nil {
			return &Failure{Check: checkName(err, e.Type), Item: itemName(index, e), Err: err}
		}
		if res.Duplicate {
			return fail("record", itemName(index, e), "repeats leaf %d", res.Index)
		}
	}
	q, ok := c.state.Query(id)
	if !ok {
		return fail("QUERY", "records.cbor", "missing")
	}
	key, ok := c.state.Key(q.KeyEpoch)
	if !ok {
		return fail("KEYGEN", fmt.Sprintf("epoch %d", q.KeyEpoch), "missing")
	}
	c.report.Query, c.report.Key = q, key
	c.replayLines()
	return nil
}

// checkName is "signature" for whatever is wrong with a signature, else the
// kind of record whose rule was broken.
func checkName(err error, t record.Type) string {
	if r, ok := fsm.AsRefusal(err); ok {
		switch r.Code {
		case fsm.BadSignature, fsm.UnknownSigner, fsm.WrongRole:
			return "signature"
		}
	}
	return t.String()
}

func (c *checker) replayLines() {
	count := map[record.Type]int{}
	for _, e := range c.records {
		count[e.Type]++
	}
	q := c.report.Query
	c.line("GENESIS: %s, %s", c.policy.Origin, c.report.FaultModel)
	c.line("KEYGEN: key epoch %d, %d records, active at leaf %d", c.report.Key.Epoch, count[record.TypeKeyGen], c.report.Key.ActiveLeaf)
	c.line("QUERY: %x by %s (leaf %d), allowed by the policy", q.ID[:8], q.Querier, q.Leaf)
	c.line("signatures: %d ANSWER, %d VERDICT, %d AGGREGATE, %d KEYSWITCH, %d RESULT, %d CLOSE, %d CUT",
		count[record.TypeAnswer], count[record.TypeVerdict], count[record.TypeAggregate],
		count[record.TypeKeySwitch], count[record.TypeResult], count[record.TypeClose], count[record.TypeCut])
}

// checkComplete refuses missing and foreign records: the receipt holds exactly
// the leaves on which the query rests.
func (c *checker) checkComplete() error {
	q := c.report.Query
	if q.Phase != fsm.Closed {
		return fail("CLOSE", fmt.Sprintf("QUERY (leaf %d)", q.Leaf), "missing: the query is in %s", q.Phase)
	}
	want := Leaves(q, c.report.Key)
	got := make([]uint64, len(c.receipt.Records))
	for i, r := range c.receipt.Records {
		got[i] = r.Index
	}
	for i, index := range got {
		if !slices.Contains(want, index) {
			return fail("record", itemName(index, c.records[i]), "does not belong to the query")
		}
	}
	if !slices.Equal(got, want) {
		return fail("record", "records.cbor", "holds leaves %v, the query rests on %v", got, want)
	}
	return nil
}

// recount counts the verdicts once more, from the records alone and apart from
// the state machine: nothing is opened that a quorum did not accept.
func (c *checker) recount() error {
	q := c.report.Query
	total := q.Total()
	if total == nil {
		return nil // checkOpened names it
	}
	votes := map[uint64]map[string]bool{}
	for i, e := range c.records {
		v, ok := e.Payload.(*record.Verdict)
		if !ok || c.receipt.Records[i].Index > c.report.Query.CloseLeaf {
			continue
		}
		for _, item := range v.Codes() {
			if item.Code == record.CodeValid {
				if votes[item.First] == nil {
					votes[item.First] = map[string]bool{}
				}
				votes[item.First][e.Signer] = true
			}
		}
	}
	answers, err := record.Leaves(total.Record.Answers)
	if err != nil {
		return &Failure{Check: "accepted list", Item: fmt.Sprintf("AGGREGATE (leaf %d)", total.Leaf), Err: err}
	}
	items := append(answers, q.Totals[0].Leaf)
	for _, k := range q.Shares() {
		items = append(items, k.Leaf)
	}
	slices.Sort(items)
	for _, leaf := range items {
		if n := len(votes[leaf]); n < c.cluster.Q() {
			return fail("accepted list", fmt.Sprintf("leaf %d", leaf), "%d valid verdicts, quorum is %d", n, c.cluster.Q())
		}
	}
	c.line("accepted list: %d of %d answers, sum and %d shares have %d valid verdicts each",
		len(answers), len(q.Asked), len(q.Shares()), c.cluster.Q())
	return nil
}

// checkOpened refuses a receipt of a query that opened nothing: it shows no
// number.
func (c *checker) checkOpened() error {
	q := c.report.Query
	if !q.Outcome.Opened() || q.Total() == nil || q.Result == nil {
		return fail("CLOSE", fmt.Sprintf("outcome %s (leaf %d)", q.Outcome, q.CloseLeaf), "nothing was opened")
	}
	sum, _ := q.Summary()
	digest := sum.Digest()
	c.line("RESULT: %d participants, %d gateways excluded", q.Participants(), len(q.Excluded()))
	c.line("CLOSE: outcome %s, digest %x (leaf %d)", q.Outcome, digest[:8], q.CloseLeaf)
	for _, a := range q.Answers {
		if a.Disputed() {
			c.warn("verifiers disagree about leaf %d", a.Leaf)
		}
	}
	slices.Sort(c.report.Warnings)
	return nil
}

func sortedUnique(in []uint64) []uint64 {
	slices.Sort(in)
	return slices.Compact(in)
}
