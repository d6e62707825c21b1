package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"statnet/chain"
	"statnet/chain/blob"
	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/internal/node"
	"statnet/wire"
)

// service answers the other roles out of this verifier's ledger and blob store.
// It implements wire.LedgerHandler, wire.BlobHandler and wire.PeerHandler.
type service struct{ ledger *chain.Node }

var (
	_ wire.LedgerHandler = service{}
	_ wire.BlobHandler   = service{}
	_ wire.PeerHandler   = service{}
)

// Submit adds a record. The node that leads applies it, others pass it on.
func (s service) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	return s.ledger.Submit(ctx, leaf)
}

// Forward adds a record that another verifier passed on; it is never passed on
// again.
func (s service) Forward(ctx context.Context, leaf []byte) (uint64, error) {
	return s.ledger.Lead(ctx, leaf)
}

// Checkpoint returns the newest note that a quorum has signed.
func (s service) Checkpoint(context.Context) ([]byte, error) {
	note := s.ledger.Checkpoint()
	if note == nil {
		return nil, wire.NewError(wire.CodeNotFound, "no checkpoint has a quorum of signatures yet")
	}
	return note, nil
}

// Ticket proves a registered query.
func (s service) Ticket(_ context.Context, queryID []byte) ([]byte, error) {
	if len(queryID) != len(record.Hash{}) {
		return nil, wire.NewError(wire.CodeMalformed, "query id of %d bytes", len(queryID))
	}
	return s.ledger.Ticket(record.Hash(queryID))
}

// Entries returns leaves.
func (s service) Entries(_ context.Context, from uint64, limit int) ([][]byte, error) {
	return s.ledger.Entries(from, limit)
}

// Proof returns an inclusion proof.
func (s service) Proof(_ context.Context, index, size uint64) ([][]byte, error) {
	return s.ledger.Proof(index, size)
}

// Consistency returns a consistency proof.
func (s service) Consistency(_ context.Context, from, to uint64) ([][]byte, error) {
	return s.ledger.Consistency(from, to)
}

// Wait returns once more than size leaves are co-signed.
func (s service) Wait(ctx context.Context, size uint64) (uint64, error) {
	return s.ledger.Wait(ctx, size)
}

// AcceptNote takes another verifier's signature.
func (s service) AcceptNote(ctx context.Context, note []byte) error {
	return s.ledger.AcceptNote(ctx, note)
}

// ClaimTime signs this machine's clock.
func (s service) ClaimTime(ctx context.Context, previousCut uint64) ([]byte, error) {
	return s.ledger.Claim(ctx, previousCut)
}

// PutBlob stores a blob whose digest has been checked.
func (s service) PutBlob(_ context.Context, digest, data []byte) error {
	err := s.ledger.Blobs().Put(blob.Digest(digest), data)
	if errors.Is(err, blob.ErrFull) {
		return wire.NewError(wire.CodeDiskLow, "%v", err)
	}
	return err
}

// GetBlob reads a blob.
func (s service) GetBlob(_ context.Context, digest []byte) ([]byte, error) {
	data, err := s.ledger.Blobs().Get(blob.Digest(digest), blob.MaxBlob)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, wire.NewError(wire.CodeNotFound, "blob %x is not here", digest[:8])
	}
	return data, err
}

// HasBlob reports whether a blob is here.
func (s service) HasBlob(_ context.Context, digest []byte) (bool, error) {
	_, ok := s.ledger.Blobs().Has(blob.Digest(digest))
	return ok, nil
}

// status is what this verifier tells operators.
func (v *Verifier) status(context.Context) (wire.NodeStatus, error) {
	st := v.Ledger.Status()
	health := "ok"
	switch {
	case st.Diverged != "":
		health = "diverged: " + st.Diverged
	case st.Leader == "":
		health = "no leader"
	}
	detail := map[string]string{"cosigned": fmt.Sprint(st.Cosigned), "leader": st.Leader}
	v.Ledger.View(func(s *fsm.State) {
		detail["open_queries"] = fmt.Sprint(len(s.OpenQueries()))
		detail["ledger_time"] = time.UnixMilli(s.LedgerTime()).UTC().Format(time.RFC3339)
		if k, ok := s.CurrentKey(); ok {
			detail["key_epoch"] = fmt.Sprint(k.Epoch)
			detail["openings_left"] = fmt.Sprint(fsm.MaxOpenings - min(k.Reserved, fsm.MaxOpenings))
		}
	})
	return wire.NodeStatus{
		Path: v.Signer.Path(), Role: record.RoleVerifier, Health: health,
		LedgerSize: st.Size, Root: st.Root[:], RaftState: st.Raft, Detail: detail,
	}, nil
}

// peers reaches the other verifiers and turns what they refuse into the
// refusals that package chain expects.
type peers struct{ d *wire.Dialer }

var (
	_ chain.Peers = peers{}
	_ Peers       = peers{}
)

// Forward implements chain.Peers.
func (p peers) Forward(ctx context.Context, id string, leaf []byte) (uint64, error) {
	index, err := p.d.Verifier(id).Forward(ctx, leaf)
	if r, ok := node.Refusal(err); ok {
		return 0, r
	}
	return index, err
}

// PushNote implements chain.Peers.
func (p peers) PushNote(ctx context.Context, id string, note []byte) error {
	return p.d.Verifier(id).PushNote(ctx, note)
}

// ClaimTime implements chain.Peers.
func (p peers) ClaimTime(ctx context.Context, id string, previousCut uint64) ([]byte, error) {
	return p.d.Verifier(id).ClaimTime(ctx, previousCut)
}

// Blob implements Peers.
func (p peers) Blob(ctx context.Context, id string, digest []byte, limit int64) ([]byte, error) {
	return p.d.Verifier(id).GetBlob(ctx, digest, limit)
}
