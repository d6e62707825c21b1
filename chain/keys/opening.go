package keys

import (
	"statnet/chain/fsm"
	"statnet/crypto/he"
)

// OpeningOf is the opening that the ledger fixes for a query's total: servers
// make shares for it and the querier opens it. The query must have a total.
func OpeningOf(q *fsm.Query) he.Opening {
	total := q.Total().Record
	active := make([]int, len(total.Active))
	for i, a := range total.Active {
		active[i] = int(a)
	}
	return he.Opening{
		Epoch: q.KeyEpoch, Query: q.ID, Attempt: uint32(total.Attempt), K: int(total.K),
		Ciphertexts: q.AcceptedCiphertexts(), C0: total.C0, C1: total.C1,
		QuerierKey: q.Record.QuerierKey, Active: active,
	}
}
