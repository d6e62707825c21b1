// Package wire carries messages between the nodes of one cluster: gRPC over
// mutual TLS, one table of who may call what, and the one stream that a
// gateway behind a home router dials and holds.
//
//	querier ──Run──▶ server ◀──Attach (dialled by the gateway)── gateway
//	   │               │  ▲ Distribute, Ready, Deal                 │
//	   │               ▼  │                                         │
//	   │             server                                         │
//	   └──Submit, Put, Get…──▶ verifier ◀──Submit, Put──────────────┘
//	                             │ ▲ Forward, PushCosignature, ClaimTime
//	                             ▼ │
//	                           verifier
//
// Callers see []byte, uint64, string and error; the generated types stay in
// wire/pb. Every length a peer announces is compared with a maximum before
// memory is taken for it, every call has a deadline, every queue a bound.
//
// Not checked here: what records, tickets and blobs say. Handlers do that.
package wire

import (
	"errors"
	"time"
)

//go:generate ./generate.sh

// Limits on what a peer may send. Real objects are far below them.
const (
	MaxMessage    = 4 << 20   // one gRPC message
	MaxLeaf       = 64 << 10  // one record
	MaxTicket     = 16 << 10  // proof that a query is registered
	MaxNote       = 16 << 10  // checkpoint with its signatures
	MaxClaim      = 4 << 10   // one signed clock reading
	MaxQuerierKey = 1 << 20   // public key of one query
	MaxSeed       = 128       // seed of one sub-key set, encoded
	MaxEntries    = 1000      // leaves of one GetEntries
	MaxEntryBytes = 1 << 20   // bytes of one GetEntries, unless one leaf is longer
	MaxBlob       = 64 << 20  // any blob or upload, whatever the caller allows
	MaxReason     = 256       // text of Failed
	ChunkSize     = 256 << 10 // data of one message of a blob or an upload

	maxStreams     = 256      // open calls of one connection
	maxHeaders     = 16 << 10 // header list of one call
	maxText        = 1 << 10  // text of an error
	maxHashes      = 128      // hashes of one Merkle proof
	handshakeLimit = 10 * time.Second
)

// Sizes of identifiers, in bytes.
const (
	queryIDSize = 32
	digestSize  = 32
)

// ErrNotAttached reports that a gateway holds no stream to this server now.
// It learns of open tasks when it attaches again.
var ErrNotAttached = errors.New("gateway is not attached")

// ErrQueueFull reports that a gateway did not take its messages. Its stream is
// dropped, so that one slow gateway never delays the others.
var ErrQueueFull = errors.New("gateway's send queue is full, link dropped")

// ErrCancelled reports that the server wants no more of an upload: the query
// is over, not its business, or announced more bytes than it may have.
var ErrCancelled = errors.New("upload cancelled by the server")

// NodeStatus is what a node tells every other node and its operators about
// itself. It never says anything about a patient.
type NodeStatus struct {
	Path       string            // "verifier/v1"
	Role       string            // "verifier"
	Version    string            // of the program
	Health     string            // "ok", or what is wrong
	LedgerSize uint64            // leaves this node has checked
	Root       []byte            // Merkle root of that size
	RaftState  string            // verifiers: "leader", "follower"…
	Attached   []string          // servers: gateways that hold a stream now
	Detail     map[string]string // anything else, for people
}
