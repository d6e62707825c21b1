// Package fsm holds the rules of the ledger: which record may follow which, and
// what all of them together say about a query.
//
//	command ─▶ Step ─▶ refusal (no leaf, nothing changed)
//	              └──▶ leaf, state' ─▶ Query.WaitsFor: whose turn is it?
//
//	OPEN ─▶ JUDGE1 ─▶ SUM ─▶ JUDGE2 ─▶ SWITCH ─▶ JUDGE3 ─▶ DONE ─▶ CLOSED
//	  └────────┴───────┴────────┴────────┴─────────┴────────┴─▶ ABORTED ─▶ CLOSED
//
// State is a fold over the leaves. Nothing here reads a clock, a random number
// or the order of a map, so every verifier, and every reader who folds the same
// leaves, has the same state. Time is what CUT records say.
//
// The package believes signatures and digests only. It does not see ciphertexts
// or shares: whether a blob has the digest a record names, and whether a sum is
// a sum, is what verifiers judge and say in VERDICT records.
package fsm

import (
	"errors"
	"fmt"

	"statnet/chain/record"
	"statnet/config"
)

// Version of these rules; GENESIS names it.
const Version = 1

// Code says why a command was refused.
type Code string

// Codes of a refusal. Comments name the gRPC status and, for people, the exit
// code that a command line makes of it.
const (
	Malformed     Code = "malformed"      // INVALID_ARGUMENT
	TooLarge      Code = "too_large"      // INVALID_ARGUMENT
	Unsupported   Code = "unsupported"    // INVALID_ARGUMENT; a record that this version does not act on
	UnknownSigner Code = "unknown_signer" // PERMISSION_DENIED, exit 4
	BadSignature  Code = "bad_signature"  // PERMISSION_DENIED, exit 4
	WrongRole     Code = "wrong_role"     // PERMISSION_DENIED, exit 4
	PolicyRule    Code = "policy"         // FAILED_PRECONDITION, exit 6; Refusal.Rule names the rule
	WrongPhase    Code = "phase"          // FAILED_PRECONDITION
	Late          Code = "late"           // FAILED_PRECONDITION
	Stale         Code = "stale"          // FAILED_PRECONDITION; plan again from the current state
	Conflict      Code = "conflict"       // ALREADY_EXISTS; same idem key, other bytes
)

// Refusal is the answer to a command that changes nothing.
type Refusal struct {
	Code Code
	Rule string // policy rule, "P1" to "P8", if Code is PolicyRule
	Text string // for people; names no patient
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Rule != "" {
		return fmt.Sprintf("refused by policy %s: %s", r.Rule, r.Text)
	}
	return fmt.Sprintf("%s: %s", r.Code, r.Text)
}

func refuse(c Code, format string, args ...any) error {
	return &Refusal{Code: c, Text: fmt.Sprintf(format, args...)}
}

func policy(rule, format string, args ...any) error {
	return &Refusal{Code: PolicyRule, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// AsRefusal finds a Refusal in err's tree.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// Result is what an accepted command did.
type Result struct {
	Index     uint64      // leaf index; of the first submission if Duplicate
	Duplicate bool        // the same bytes were accepted before; no new leaf
	Leaf      []byte      // the leaf, aliasing the command; nil if Duplicate
	Type      record.Type // kind of the record
	Query     record.Hash // the query it belongs to, or zero
	WantsCut  bool        // a CUT should follow soon: QUERY, phase change, CLOSE or KEYGEN
}

// ErrIndex reports a caller that offers a command at another index than the
// next leaf's.
var ErrIndex = errors.New("index is not the next leaf's")

// State is the ledger's meaning after Size leaves. It is not safe for
// concurrent use; read accessors return copies that stay valid.
type State struct {
	rules  *rules // from cluster.yaml, read only
	replay bool   // NewReplay: leaves may be missing between those given
	d      data
	open   map[record.Hash]*Query // those of d.Queries that are not Closed
}

// New is the state before leaf 0. cluster gives roster and policy; GENESIS must
// carry the digest of its bytes, or Step refuses it.
func New(cluster *config.Cluster) *State {
	return &State{rules: newRules(cluster), d: newData(), open: map[record.Hash]*Query{}}
}

// NewReplay is New for an excerpt of a ledger, as a receipt holds it: leaves
// keep their indexes, others may be missing between them. A record that is
// accepted here was consistent with the records given; whether it is on the
// ledger is shown by its inclusion proof, not here.
func NewReplay(cluster *config.Cluster) *State {
	s := New(cluster)
	s.replay = true
	return s
}

// Step applies the command that would become leaf index. It depends on the
// state and the command alone. A refused command (the error is a *Refusal)
// changes nothing and makes no leaf; a duplicate returns the old index.
//
// index must be Size, except in a replay, where it may be larger.
func (s *State) Step(index uint64, command []byte) (Result, error) {
	if index < s.d.Size || index > s.d.Size && !s.replay {
		return Result{}, fmt.Errorf("step at %d, size %d: %w", index, s.d.Size, ErrIndex)
	}
	key, leaf, err := record.SplitCommand(command)
	if err != nil {
		return Result{}, decodeRefusal(err)
	}
	hash := record.LeafHash(leaf)
	if old, ok := s.d.Idem[key]; ok && old.Hash == hash {
		return Result{Index: old.Leaf, Duplicate: true, Type: old.Type, Query: old.Query}, nil
	}
	e, err := record.Decode(leaf)
	if err != nil {
		return Result{}, decodeRefusal(err)
	}
	if e.IdemKey() != key {
		return Result{}, refuse(Malformed, "%s by %s: idem key is not the record's", e.Type, e.Signer)
	}
	if err := s.authentic(e); err != nil {
		return Result{}, err
	}
	// Only now: an unsigned forgery must not look like its victim's conflict.
	if old, ok := s.d.Idem[key]; ok {
		return Result{}, refuse(Conflict, "%s by %s: other bytes than leaf %d", e.Type, e.Signer, old.Leaf)
	}
	apply, err := s.check(index, e)
	if err != nil {
		return Result{}, err
	}
	res := Result{Index: index, Leaf: leaf, Type: e.Type, Query: e.QueryID()}
	s.d.Size = index + 1
	s.d.Idem[key] = idemEntry{Leaf: index, Hash: hash, Type: e.Type, Query: res.Query}
	res.WantsCut = apply()
	return res, nil
}

func decodeRefusal(err error) error {
	if errors.Is(err, record.ErrTooLarge) {
		return refuse(TooLarge, "%v", err)
	}
	return refuse(Malformed, "%v", err)
}

// signerRole is who may sign a kind of record, beyond its own fields.
var signerRole = map[record.Type]string{
	record.TypeGenesis:   record.RoleOperator,
	record.TypeQuery:     record.RoleQuerier,
	record.TypeAnswer:    record.RoleGateway,
	record.TypeVerdict:   record.RoleVerifier,
	record.TypeAggregate: record.RoleServer,
	record.TypeKeySwitch: record.RoleServer,
	record.TypeResult:    record.RoleServer,
	record.TypeClose:     record.RoleVerifier,
	record.TypeCut:       record.RoleVerifier,
	record.TypeKeyGen:    record.RoleServer,
}

// authentic checks signer, key, signature and role.
func (s *State) authentic(e record.Envelope) error {
	pub, ok := s.rules.keys[e.Signer]
	if !ok {
		return refuse(UnknownSigner, "not enrolled: %s", e.Signer)
	}
	if err := e.Verify(s.d.Origin, pub[:]); err != nil {
		return refuse(BadSignature, "%v", err)
	}
	want, ok := signerRole[e.Type]
	if !ok {
		return refuse(Unsupported, "%s records are not supported by this version", e.Type)
	}
	if role, _, err := record.SplitPath(e.Signer); err != nil || role != want {
		return refuse(WrongRole, "%s by %s: only a %s signs it", e.Type, e.Signer, want)
	}
	return nil
}

// apply changes the state; it cannot fail and reports whether a CUT should
// follow soon.
type apply func() (wantsCut bool)

func (s *State) check(index uint64, e record.Envelope) (apply, error) {
	if g, ok := e.Payload.(*record.Genesis); ok {
		return s.genesis(index, e, g)
	}
	if s.d.Size == 0 {
		return nil, refuse(WrongPhase, "%s before GENESIS", e.Type)
	}
	switch p := e.Payload.(type) {
	case *record.Cut:
		return s.cut(index, p)
	case *record.KeyGen:
		return s.keygen(index, e.Signer, p)
	case *record.Query:
		return s.register(index, e, p)
	case *record.Verdict:
		if p.Phase == record.PhaseSetup {
			return nil, refuse(Unsupported, "VERDICT of phase 0 by %s: this version has nothing to judge there", e.Signer)
		}
	}
	q, ok := s.d.Queries[e.QueryID()]
	if !ok {
		return nil, refuse(WrongPhase, "%s by %s: query is not registered", e.Type, e.Signer)
	}
	if q.Phase == Closed {
		return nil, refuse(Late, "%s by %s: query is closed", e.Type, e.Signer)
	}
	switch p := e.Payload.(type) {
	case *record.Answer:
		return s.answer(index, e.Signer, q, p)
	case *record.Verdict:
		return s.verdict(index, e.Signer, q, p)
	case *record.Aggregate:
		return s.aggregate(index, e.Signer, q, p)
	case *record.KeySwitch:
		return s.keySwitch(index, e.Signer, q, p)
	case *record.Result:
		return s.result(index, q, p)
	case *record.Close:
		return s.close(index, q, p)
	}
	return nil, refuse(Unsupported, "%s records are not supported by this version", e.Type)
}
