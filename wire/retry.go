package wire

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// retried lists the unary methods that may be sent again without harm: they
// read, or the same bytes sent twice have the effect of once.
//
// Deal and ClaimTime are missing on purpose: a second Deal is a protocol fault
// at the receiver, and a claim is worth what its moment is worth.
var retried = map[string][]string{
	"LedgerService": {"Submit", "GetCheckpoint", "GetTicket", "GetEntries", "GetProof", "GetConsistency"},
	"BlobService":   {"Has"},
	"PeerService":   {"Forward", "PushCosignature"},
	"ServerService": {"Distribute", "Ready"},
	"QueryService":  {"Run"},
	"StatusService": {"Get"},
}

// serviceConfig makes gRPC itself retry them: at most 4 attempts, 0.1 s to
// 2 s apart, and only when the node was not reached or said UNAVAILABLE.
var serviceConfig = retryConfig()

func retryConfig() string {
	type name struct {
		Service string `json:"service"`
		Method  string `json:"method"`
	}
	var names []name
	for service, methods := range retried {
		for _, m := range methods {
			names = append(names, name{"statnet.v1." + service, m})
		}
	}
	config := map[string]any{"methodConfig": []any{map[string]any{
		"name": names,
		"retryPolicy": map[string]any{
			"maxAttempts":          4,
			"initialBackoff":       "0.1s",
			"maxBackoff":           "2s",
			"backoffMultiplier":    2,
			"retryableStatusCodes": []string{"UNAVAILABLE"},
		},
	}}}
	b, err := json.Marshal(config)
	if err != nil {
		return "{}" // maps of strings always marshal
	}
	return string(b)
}

// call runs f against the node with a deadline of at most limit from now, and
// says what was tried when it fails.
func (n node) call(ctx context.Context, verb string, limit time.Duration, f func(context.Context, *grpc.ClientConn) error) error {
	op := strings.TrimSpace(verb) + " " + n.path
	conn, err := n.d.conn(n.path)
	if err != nil {
		return fromStatus(op, err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return fromStatus(op, f(ctx, conn))
}
