package wire

import (
	"context"

	"statnet/crypto/pki"
)

// The handlers below are what a role implements; a Server calls them after the
// peer's identity and right were checked and every length is within its limit.
// An *Error they return reaches the caller as it is. Any other error reaches it
// as "internal" without its text, which goes to our own log.

// LedgerHandler answers for the log. query steps Q2, Q4 to Q8 submit here.
type LedgerHandler interface {
	// Submit returns the index of the leaf once it is in the log.
	Submit(ctx context.Context, leaf []byte) (index uint64, err error)
	// Checkpoint returns the newest note with a quorum of signatures.
	Checkpoint(ctx context.Context) ([]byte, error)
	Ticket(ctx context.Context, queryID []byte) ([]byte, error)
	// Entries returns up to max leaves from index from; fewer is no error.
	Entries(ctx context.Context, from uint64, max int) ([][]byte, error)
	Proof(ctx context.Context, index, size uint64) ([][]byte, error)
	Consistency(ctx context.Context, from, to uint64) ([][]byte, error)
	// Wait blocks until the newest checkpoint covers more than size leaves and
	// returns how many it covers.
	Wait(ctx context.Context, size uint64) (uint64, error)
}

// BlobHandler keeps blobs by their SHA-256, which wire has checked in PutBlob.
type BlobHandler interface {
	PutBlob(ctx context.Context, digest, data []byte) error
	GetBlob(ctx context.Context, digest []byte) ([]byte, error)
	HasBlob(ctx context.Context, digest []byte) (bool, error)
}

// PeerHandler is what a verifier does for another.
type PeerHandler interface {
	// Forward submits on behalf of a verifier that is not the leader.
	Forward(ctx context.Context, leaf []byte) (index uint64, err error)
	AcceptNote(ctx context.Context, note []byte) error
	ClaimTime(ctx context.Context, previousCut uint64) (claim []byte, err error)
}

// ServerHandler is what a server does for another.
type ServerHandler interface {
	// Distribute passes a registered query on to the gateways. query step Q3.
	Distribute(ctx context.Context, ticket, querierKey []byte) error
	// Ready agrees to take part in opening. query step Q6.
	Ready(ctx context.Context, queryID []byte) error
	// Deal takes a seed of a sub-key set. The seed is secret.
	Deal(ctx context.Context, epoch uint64, set uint16, seed []byte) error
}

// QueryHandler starts a query that a querier has registered. query step Q3.
// It returns when the query is accepted, not when it is answered.
type QueryHandler interface {
	Run(ctx context.Context, ticket, querierKey []byte) error
}

// StatusHandler says how the node is, now.
type StatusHandler func(ctx context.Context) (NodeStatus, error)

type peerKey struct{}

// PeerFrom is who made the call that ctx belongs to. Outside a handler it is
// the zero Identity, which names nobody.
func PeerFrom(ctx context.Context) pki.Identity {
	id, _ := ctx.Value(peerKey{}).(pki.Identity)
	return id
}
