package chain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"statnet/chain/record"
	"statnet/config"
)

// Config is what a verifier's ledger needs. Everything is set before Open and
// only read afterwards.
type Config struct {
	Dir     string          // data directory: raft.db, ledger.db, signer.journal, instance-id, blobs/
	ID      string          // "v1", one of the cluster's verifiers
	Genesis []byte          // leaf 0
	Cluster *config.Cluster // cluster.yaml; GENESIS carries its digest

	RecordKey record.Signer      // signs CUT records and clock readings as "verifier/<ID>"
	CosignKey ed25519.PrivateKey // signs checkpoints and nothing else

	// Listener accepts raft connections of other verifiers, usually inside
	// mutual TLS; a connection with a HandshakeContext method has its handshake
	// done here, off the accept loop. Dial is the other end: addr is a
	// verifier's raft address of GENESIS.
	Listener net.Listener
	Dial     func(ctx context.Context, addr string) (net.Conn, error)

	Peers Peers            // the other verifiers' APIs
	Now   func() time.Time // this machine's clock; nothing else reads one
	Log   *slog.Logger     // default slog.Default

	// Heartbeat is raft's heartbeat and election timeout, default 1 s. Tests
	// use 500 ms; shorter ones lose leaders under the race detector.
	Heartbeat time.Duration

	// MaxBlobs bounds the blob store in bytes, default 16 GiB.
	MaxBlobs int64
}

// Peers reaches the other verifiers. Every method fails within its context and
// may be called from several goroutines.
type Peers interface {
	// Forward hands a leaf to verifier id, which must apply it as leader (see
	// Node.Lead). A refusal by the rules must come back as *fsm.Refusal; any
	// other error means that the outcome is unknown.
	Forward(ctx context.Context, id string, leaf []byte) (uint64, error)
	// PushNote hands a cosigned checkpoint to verifier id's AcceptNote.
	PushNote(ctx context.Context, id string, note []byte) error
	// ClaimTime asks verifier id for its Claim.
	ClaimTime(ctx context.Context, id string, previousCut uint64) ([]byte, error)
}

// Source is a verifier as a reader sees it. It is not trusted: a Follower
// checks everything it says.
type Source interface {
	// Entries returns leaves from index on, at most max; fewer is normal.
	Entries(ctx context.Context, from uint64, max int) ([][]byte, error)
	// Checkpoint returns the newest q-cosigned note.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Wait returns once the newest q-cosigned note covers more than size
	// leaves, and its size.
	Wait(ctx context.Context, size uint64) (uint64, error)
	// Consistency proves that the ledger of to leaves begins with from leaves.
	Consistency(ctx context.Context, from, to uint64) ([][]byte, error)
}

// Errors that callers branch on. Refusals by the ledger's rules are
// *fsm.Refusal, as they are.
var (
	// ErrUnavailable reports that the outcome of a Submit is unknown: the
	// record may yet enter the ledger. Resend the same bytes; that is safe.
	ErrUnavailable = errors.New("ledger unavailable, outcome unknown: resend the same bytes")
	// ErrDiverged reports that this verifier's own files contradict the
	// cluster's. It serves reads; it never votes or signs again.
	ErrDiverged = errors.New("ledger diverged")
	// ErrInstance reports a data directory that is not the one GENESIS names:
	// its memory of votes and signatures is gone.
	ErrInstance = errors.New("instance-id differs from the roster's")
	// ErrNotCosigned reports a leaf that no q-cosigned checkpoint covers yet.
	ErrNotCosigned = errors.New("not covered by a co-signed checkpoint yet")
	// ErrNotFound reports a query or leaf that is not in this ledger.
	ErrNotFound = errors.New("not in the ledger")
	// ErrFork reports two q-cosigned checkpoints that contradict each other. It
	// comes as a *ForkError.
	ErrFork = errors.New("two ledgers")
	// ErrRules reports a leaf under a q-cosigned checkpoint that the rules
	// refuse: a quorum accepted what it must not, or runs other rules.
	ErrRules = errors.New("co-signed leaf breaks the rules")
	// ErrTicket reports a ticket that must not be answered.
	ErrTicket = errors.New("ticket refused")
	// ErrStopped reports a call after the node or follower stopped.
	ErrStopped = errors.New("ledger stopped")
)

// ForkError carries the transferable proof that a quorum signed two ledgers.
type ForkError struct {
	First, Second []byte // notes, each q-cosigned
}

// Error implements error.
func (e *ForkError) Error() string {
	return fmt.Sprintf("two ledgers: notes of %d and %d bytes contradict each other", len(e.First), len(e.Second))
}

// Unwrap makes errors.Is(err, ErrFork) hold.
func (e *ForkError) Unwrap() error { return ErrFork }
