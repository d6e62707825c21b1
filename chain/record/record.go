// Package record defines what verifiers write into the ledger: signed
// envelopes around deterministic CBOR payloads, one Go struct per kind.
//
//	payload struct ──CBOR──▶ payload ──sign──▶ leaf [1, type, payload, signer, kid, sig]
//	                                            │
//	                  command = idem key ‖ leaf ─┴─▶ raft ─▶ step ─▶ Merkle log
//
// Every object has exactly one encoding (RFC 8949, section 4.2.1): what
// decodes also re-encodes to the same bytes, or it is refused. Bytes are hashed
// and signed as received.
//
// The package checks structure, limits and signatures. It does not know who may
// sign what, whether a leaf number exists, or what time it is: chain/fsm does.
package record

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Type is the kind of a record; its number is on disk and signed.
type Type uint16

// The kinds of records, with the role that signs each.
const (
	TypeGenesis   Type = 0  // operator, leaf 0
	TypeRoster    Type = 1  // operator, with approvals
	TypePolicy    Type = 2  // operator, with approvals of the officers
	TypeQuery     Type = 3  // querier
	TypeAnswer    Type = 4  // gateway
	TypeVerdict   Type = 5  // verifier
	TypeAggregate Type = 6  // server
	TypeKeySwitch Type = 7  // server
	TypeResult    Type = 8  // server
	TypeClose     Type = 9  // any verifier
	TypeEvidence  Type = 10 // verifier
	TypeCut       Type = 11 // verifier
	TypeSample    Type = 12 // gateway
	TypeKeyGen    Type = 13 // server
	TypeAudit     Type = 14 // any
)

var typeNames = [...]string{"GENESIS", "ROSTER", "POLICY", "QUERY", "ANSWER", "VERDICT", "AGGREGATE",
	"KEYSWITCH", "RESULT", "CLOSE", "EVIDENCE", "CUT", "SAMPLE", "KEYGEN", "AUDIT"}

// String gives the name that documents and messages use, for example "QUERY".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint16(t))
}

// Limits of a record. They are checked before anything is allocated for it.
const (
	MaxLeaf       = 64 << 10 // bytes of a leaf
	MaxParams     = 1 << 10  // bytes of a QUERY's statistic parameters
	MaxDocument   = 48 << 10 // bytes of a POLICY document
	MaxParts      = 50       // parts of an ANSWER
	MaxSamples    = 200      // patients of a SAMPLE
	MaxCommitment = 160      // bytes of one SAMPLE commitment
	MaxText       = 80       // bytes of a verdict's text
	maxPairs      = 32       // keys of a map
	maxElements   = 4096     // elements of an array
	maxNesting    = 6        // levels of maps and arrays
)

// Refusals. Callers branch on them with errors.Is.
var (
	// ErrMalformed reports bytes that are not the one encoding of a record.
	ErrMalformed = errors.New("malformed record")
	// ErrTooLarge reports a record over MaxLeaf bytes.
	ErrTooLarge = errors.New("record too large")
	// ErrBadSignature reports a signature that does not verify, or a key id
	// that does not belong to the key.
	ErrBadSignature = errors.New("bad signature")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Payload is the body of a record: *Genesis, *Roster, *Policy, *Query, *Answer,
// *Verdict, *Aggregate, *KeySwitch, *Result, *Close, *Evidence, *Cut, *Sample,
// *KeyGen or *Audit, and nothing else.
type Payload interface {
	// Type is the kind of the record.
	Type() Type
	// check refuses values outside the stated limits.
	check() error
	// seq is the last input of the idem key: records of one kind by one signer
	// about one query differ in it. The payload bytes are given for EVIDENCE.
	seq(payload []byte) uint64
	// query is the query the record belongs to, or zero.
	query(payload []byte) [32]byte
}

// Roles that may stand in a node path.
const (
	RoleGateway  = "gateway"
	RoleServer   = "server"
	RoleVerifier = "verifier"
	RoleQuerier  = "querier"
	RoleOperator = "operator"
)

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// SplitPath splits a node path such as "gateway/gw-2" into role and id.
func SplitPath(path string) (role, id string, err error) {
	role, id, ok := strings.Cut(path, "/")
	if !ok || !idPattern.MatchString(id) {
		return "", "", malformed("node path %.80q is not role/id", path)
	}
	switch role {
	case RoleGateway, RoleServer, RoleVerifier, RoleQuerier, RoleOperator:
		return role, id, nil
	}
	return "", "", malformed("node path %.80q has no known role", path)
}
