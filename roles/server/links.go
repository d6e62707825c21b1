package server

import (
	"fmt"
	"slices"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/wire"
)

// links are the streams of this server's gateways.
type links struct{ hub *wire.LinkHub }

// Attached implements Links.
func (l links) Attached() []string { return l.hub.Attached() }

// Send implements Links.
func (l links) Send(gateway string, queryID, ticket []byte, deadline time.Time) error {
	return l.hub.Send(gateway, wire.Task{QueryID: queryID, Ticket: ticket, Deadline: deadline})
}

// maxParts is the largest number of ciphertexts in one answer.
const maxParts = record.MaxParts

// mayUpload bounds what a gateway may upload for a query: nothing unless the
// query asks it and is still open.
func (s *Server) mayUpload(gateway string, queryID []byte) int64 {
	_, q := s.view(record.Hash(queryID))
	if q == nil || q.Phase == fsm.Closed || !slices.Contains(q.Asked, record.RoleGateway+"/"+gateway) {
		return 0
	}
	return int64(s.ciphertextSize) * maxParts
}

// tasksFor lists the open queries that a gateway which has just attached should
// answer. The tickets are those that were handed out before; a query that
// nobody told this server about comes later, from the ledger.
func (s *Server) tasksFor(gateway string, _ []byte) []wire.Task {
	path := record.RoleGateway + "/" + gateway
	_, open := s.openQueries()
	var tasks []wire.Task
	for _, q := range open {
		s.mu.Lock()
		ticket := s.sent[q.ID]
		s.mu.Unlock()
		end, started := q.EndOf(fsm.Open)
		if ticket == nil || !started || q.Phase != fsm.Open || q.Answers[path] != nil || !slices.Contains(q.Asked, path) {
			continue
		}
		tasks = append(tasks, wire.Task{QueryID: q.ID[:], Ticket: ticket, Deadline: time.UnixMilli(int64(end))})
	}
	return tasks
}

// declined hears that a gateway will not answer. The reason counts for the log
// only; what the querier sees is the gateway's signed ANSWER.
func (s *Server) declined(gateway string, queryID []byte, code uint32, reason string) {
	s.Log.Warn("gateway declines", "query", fmt.Sprintf("%x", queryID[:8]), "step", "Q4", "gateway", gateway, "code", code, "reason", reason)
}

// refused hears that an upload broke a rule.
func (s *Server) refused(gateway string, queryID []byte, err error) {
	s.Log.Warn("upload refused", "query", fmt.Sprintf("%x", queryID[:8]), "step", "Q4", "gateway", gateway, "err", err)
}
