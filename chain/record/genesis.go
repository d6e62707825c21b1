package record

import "crypto/ed25519"

// FaultMode is how much the verifier quorum promises.
type FaultMode uint8

// Fault modes of GENESIS.
const (
	ModeByzantine FaultMode = 0 // safe and live with f bad verifiers
	ModeNotLive   FaultMode = 1 // safe, but one silent verifier stops queries
	ModeCrashOnly FaultMode = 2 // a dishonest verifier is not prevented
)

// Genesis is leaf 0: it fixes who keeps the ledger and the configuration they
// run. Every other signature names it through the origin.
type Genesis struct {
	Name      string            `cbor:"1,keyasint"` // cluster name, for example "ward.example"
	N         uint64            `cbor:"2,keyasint"` // number of verifiers
	F         uint64            `cbor:"3,keyasint"` // of which may be malicious
	Q         uint64            `cbor:"4,keyasint"` // quorum
	Mode      FaultMode         `cbor:"5,keyasint"`
	Verifiers []GenesisVerifier `cbor:"6,keyasint"`
	Members   []Member          `cbor:"7,keyasint"` // servers, gateways, queriers, operators
	Roots     [][32]byte        `cbor:"8,keyasint"` // SHA-256 of each root certificate (DER)
	Cluster   [32]byte          `cbor:"9,keyasint"` // SHA-256 of cluster.yaml
	FSM       uint64            `cbor:"10,keyasint"`
	Operators KeySet            `cbor:"11,keyasint"`
	Officers  KeySet            `cbor:"12,keyasint"` // data protection officers
	Params    [32]byte          `cbor:"13,keyasint"` // parameter-set id of the encryption
	Previous  *Predecessor      `cbor:"14,keyasint,omitempty"`
	UnixMS    uint64            `cbor:"15,keyasint"` // creation, Unix milliseconds; start of ledger time
}

// GenesisVerifier is one verifier of GENESIS.
type GenesisVerifier struct {
	_         struct{} `cbor:",toarray"`
	ID        string   // "v1"
	CosignKey [32]byte // Ed25519, signs checkpoints and nothing else
	RecordKey [32]byte // Ed25519, signs records
	Address   string   // gRPC host:port
	Raft      string   // raft host:port
	Instance  [16]byte // of its data directory; a wiped node has another
}

// Member is a node and its record key.
type Member struct {
	_    struct{} `cbor:",toarray"`
	Path string   // "gateway/gw-2"
	Key  [32]byte // Ed25519 public key
}

// PublicKey is Key in the type that crypto/ed25519 takes.
func (m Member) PublicKey() ed25519.PublicKey { return m.Key[:] }

// KeySet is "K of these keys".
type KeySet struct {
	_    struct{} `cbor:",toarray"`
	K    uint64
	Keys [][32]byte
}

// Predecessor names the ledger that this one continues.
type Predecessor struct {
	_      struct{} `cbor:",toarray"`
	Origin string
	Note   []byte // its last q-cosigned checkpoint
}

// Type implements Payload.
func (*Genesis) Type() Type                  { return TypeGenesis }
func (*Genesis) seq([]byte) uint64           { return 0 }
func (*Genesis) query([]byte) (id [32]byte)  { return id }
func (*Roster) Type() Type                   { return TypeRoster }
func (r *Roster) seq([]byte) uint64          { return r.Body.Seq }
func (*Roster) query([]byte) (id [32]byte)   { return id }
func (*Policy) Type() Type                   { return TypePolicy }
func (p *Policy) seq([]byte) uint64          { return p.Body.Seq }
func (*Policy) query([]byte) (id [32]byte)   { return id }
func (*Evidence) Type() Type                 { return TypeEvidence }
func (*Evidence) query([]byte) (id [32]byte) { return id }
func (*Audit) Type() Type                    { return TypeAudit }
func (a *Audit) seq([]byte) uint64           { return a.Day }
func (*Audit) query([]byte) (id [32]byte)    { return id }

func (g *Genesis) check() error {
	switch {
	case g.Name == "" || len(g.Name) > 253:
		return malformed("GENESIS: name of %d bytes", len(g.Name))
	case g.N == 0 || g.N != uint64(len(g.Verifiers)):
		return malformed("GENESIS: n = %d, but %d verifiers", g.N, len(g.Verifiers))
	case g.Q == 0 || g.Q > g.N || g.F >= g.N:
		return malformed("GENESIS: n = %d, f = %d, q = %d", g.N, g.F, g.Q)
	case g.Mode > ModeCrashOnly:
		return malformed("GENESIS: unknown mode %d", g.Mode)
	case g.UnixMS > 1<<53:
		return malformed("GENESIS: time %d", g.UnixMS)
	}
	for _, m := range g.Members {
		if _, _, err := SplitPath(m.Path); err != nil {
			return err
		}
	}
	for _, v := range g.Verifiers {
		if _, _, err := SplitPath(RoleVerifier + "/" + v.ID); err != nil {
			return err
		}
	}
	return nil
}

// Roster changes who takes part.
type Roster struct {
	Body      RosterBody `cbor:"1,keyasint"`
	Approvals []Approval `cbor:"2,keyasint"`
}

// RosterBody is what is approved. Kind 0 replaces the verifiers, kind 1 adds
// and removes members.
type RosterBody struct {
	Seq       uint64            `cbor:"1,keyasint"`
	Kind      uint8             `cbor:"2,keyasint"`
	Verifiers []GenesisVerifier `cbor:"3,keyasint,omitempty"`
	F         *uint64           `cbor:"4,keyasint,omitempty"`
	Q         *uint64           `cbor:"5,keyasint,omitempty"`
	Effective *uint64           `cbor:"6,keyasint,omitempty"` // ledger size from which it counts
	Added     []Member          `cbor:"7,keyasint,omitempty"`
	Removed   []string          `cbor:"8,keyasint,omitempty"`
	Reason    string            `cbor:"9,keyasint,omitempty"`
	Force     bool              `cbor:"10,keyasint,omitempty"` // aborts open queries
}

func (r *Roster) check() error {
	if r.Body.Kind > 1 {
		return malformed("ROSTER: unknown kind %d", r.Body.Kind)
	}
	return nil
}

// Policy replaces the policy document.
type Policy struct {
	Body      PolicyBody `cbor:"1,keyasint"`
	Approvals []Approval `cbor:"2,keyasint"`
}

// PolicyBody is what the officers approve.
type PolicyBody struct {
	Seq      uint64 `cbor:"1,keyasint"`
	Document []byte `cbor:"2,keyasint"`           // <= MaxDocument bytes
	From     uint64 `cbor:"3,keyasint"`           // Unix seconds
	To       uint64 `cbor:"4,keyasint,omitempty"` // Unix seconds; absent = open end
}

func (p *Policy) check() error {
	if len(p.Body.Document) > MaxDocument {
		return malformed("POLICY: document of %d bytes, limit %d", len(p.Body.Document), MaxDocument)
	}
	return nil
}

// Evidence shows a node's misbehaviour to anyone.
type Evidence struct {
	Kind    uint8  `cbor:"1,keyasint"`
	Accused string `cbor:"2,keyasint"`
	First   []byte `cbor:"3,keyasint"`
	Second  []byte `cbor:"4,keyasint"`
	Extra   []byte `cbor:"5,keyasint,omitempty"`
}

func (e *Evidence) seq(payload []byte) uint64 { return firstUint64(payload) }

func (e *Evidence) check() error {
	if e.Kind < 1 || e.Kind > 5 {
		return malformed("EVIDENCE: unknown kind %d", e.Kind)
	}
	_, _, err := SplitPath(e.Accused)
	return err
}

// Audit records that a node published its decisions of a day.
type Audit struct {
	Day    uint64   `cbor:"1,keyasint"` // Unix seconds / 86400
	Digest [32]byte `cbor:"2,keyasint"`
}

func (*Audit) check() error { return nil }
