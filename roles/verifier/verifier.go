// Package verifier is the role that checks every step of a query and keeps the
// ledger with the other verifiers.
//
//	records of all roles ─▶ API ─▶ ledger (raft, rules, Merkle log) ─▶ readers
//	ciphertexts, shares  ─▶ API ─▶ blob store      │
//	                                  └─▶ judge ◀──┘─▶ VERDICT, CLOSE ─▶ ledger
//
// A verifier sees ciphertexts, digests and signatures, never a value.
package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain"
	"statnet/chain/blob"
	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
)

// submitTimeout bounds one attempt to add an own record to the ledger.
const submitTimeout = 5 * time.Second

// Peers reaches the blob stores of the other verifiers.
type Peers interface {
	// Blob fetches at most limit bytes from verifier id. Its caller checks the
	// digest.
	Blob(ctx context.Context, id string, digest []byte, limit int64) ([]byte, error)
}

// Ledger is this verifier's part in the log; *chain.Node is one.
type Ledger interface {
	Run(ctx context.Context) error
	Submit(ctx context.Context, leaf []byte) (uint64, error)
	View(func(*fsm.State))
	Until(ctx context.Context, cond func(*fsm.State) bool) error
	Wait(ctx context.Context, size uint64) (uint64, error) // for a co-signed size
	Status() chain.Status
	Blobs() *blob.Store
}

var _ Ledger = (*chain.Node)(nil)

// API serves this verifier's methods to the other roles until ctx ends.
type API interface {
	Serve(ctx context.Context) error
}

// Verifier is one keeper of the ledger. All exported fields are set before Run
// and only read afterwards.
type Verifier struct {
	ID      string // "v1"
	Cluster *config.Cluster
	Origin  string // of the ledger
	Signer  record.Signer
	Ledger  Ledger
	Peers   Peers
	API     API
	HE      *he.Context
	Now     func() time.Time
	Log     *slog.Logger
	Ready   func() // called once, when a quorum has co-signed; may be nil

	paths   []string // of all verifiers, roster order
	peerIDs []string // of the others
	sizes   struct{ ciphertext, share int64 }
}

// init derives what Run needs from the exported fields.
func (v *Verifier) init() error {
	for _, p := range v.Cluster.Verifiers {
		v.paths = append(v.paths, record.RoleVerifier+"/"+p.ID)
		if p.ID != v.ID {
			v.peerIDs = append(v.peerIDs, p.ID)
		}
	}
	ct, err := v.HE.Size(he.KindCiphertext, 0)
	if err != nil {
		return err
	}
	share, err := v.HE.Size(he.KindShare, fsm.K)
	if err != nil {
		return err
	}
	v.sizes.ciphertext, v.sizes.share = int64(ct), int64(share)
	return nil
}

// Run keeps the ledger, serves the API and judges queries until ctx is
// cancelled. It returns an error if the ledger cannot go on.
func (v *Verifier) Run(ctx context.Context) error {
	if err := v.init(); err != nil {
		return fmt.Errorf("verifier %s: %w", v.ID, err)
	}
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return v.Ledger.Run(ctx) })
	eg.Go(func() error { return v.API.Serve(ctx) })
	eg.Go(func() error { return v.follow(ctx) })
	eg.Go(func() error { return v.announce(ctx) })
	if err := eg.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("verifier %s: %w", v.ID, err)
	}
	return nil
}

// announce calls Ready once a quorum of verifiers has co-signed anything.
func (v *Verifier) announce(ctx context.Context) error {
	size, err := v.Ledger.Wait(ctx, 0)
	if err != nil {
		return err
	}
	v.Log.Info("ledger is co-signed", "size", size)
	if v.Ready != nil {
		v.Ready()
	}
	return nil
}

// leads reports whether this verifier is raft's leader.
func (v *Verifier) leads() bool { return v.Ledger.Status().Leader == v.ID }
