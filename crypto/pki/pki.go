// Package pki says who a process is: certificates for connections, Ed25519
// keys for records, and the one check of a peer that every listener and every
// dialer runs.
//
//	root (offline, in no process)
//	  └─ issuer/<role>  one per role, may issue that role only
//	       └─ spiffe://<cluster>/<role>/<id>   one URI name, one node
//
//	dial ──TLS 1.3, both certificates──▶ chain ▸ name ▸ cluster ▸ role ▸ id known ▸ protocol agreed
//
// Names here are not DNS names, so the standard library's host name check does
// not apply and is replaced, in verify.go and nowhere else. Times are UTC.
//
// Not checked here: that a node behaves. A valid certificate makes a peer
// accountable, not honest. Not built yet: enrolment by token and renewal of a
// certificate in a running process.
package pki

import (
	"fmt"
	"log/slog"
)

// Protocols agreed in the handshake (ALPN). A connection without one of them
// is refused: Go's TLS server would accept a client that offers none.
const (
	ProtocolGRPC = "h2"
	ProtocolRaft = "statnet-raft/1"
)

// redacted is what every secret prints as, whatever verb or logger is used.
const redacted = "pki: secret"

// secret is embedded in types that hold a private key. Format covers every
// verb of fmt, also %d and %x, which would not go through String.
type secret struct{}

func (secret) String() string               { return redacted }
func (secret) GoString() string             { return redacted }
func (secret) Format(s fmt.State, _ rune)   { fmt.Fprint(s, redacted) }
func (secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
