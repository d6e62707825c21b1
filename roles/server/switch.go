package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"statnet/chain/fsm"
	"statnet/chain/keys"
	"statnet/chain/record"
	"statnet/crypto/he"
)

// switchIfActive makes this server's share if the query waits for it.
func (s *Server) switchIfActive(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	if !slices.Contains(q.Active(), s.path()) || q.Shares()[s.path()] != nil {
		return nil
	}
	return s.switchKey(ctx, q, log)
}

// switchKey makes, stores and sends this server's key-switch share of the
// certified sum; it is query step Q7. The Opener fetches and adds every listed
// ciphertext again and asks the gate below before it makes a share; a share
// once made is sent again, never made again.
func (s *Server) switchKey(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	opener := s.opener(q.KeyEpoch)
	if opener == nil {
		return fmt.Errorf("no part of key epoch %d", q.KeyEpoch)
	}
	keyBytes, err := s.Vault.QuerierKey(q.ID)
	if err != nil {
		return err
	}
	to, err := s.HE.ParseQuerierKey(q.KeyEpoch, keyBytes)
	if err != nil {
		return fmt.Errorf("querier's key: %w", err)
	}
	opening := keys.OpeningOf(q)
	next := 0
	share, err := opener.Share(ctx, opening, to, func() ([]byte, error) {
		digest := opening.Ciphertexts[next]
		next++
		return s.ciphertext(ctx, digest)
	})
	if err != nil {
		return fmt.Errorf("make share: %w", err)
	}
	if err := s.Verifiers.PutBlob(ctx, share.Digest[:], share.Data); err != nil {
		return fmt.Errorf("store share: %w", err)
	}
	log.Info("share made", "step", "Q7", "ciphertexts", len(opening.Ciphertexts), "attempt", opening.Attempt)
	return s.submit(ctx, &record.KeySwitch{
		QueryID: q.ID, Aggregate: q.Total().Leaf, Share: share.Digest, ShareSize: uint64(len(share.Data)), Attempt: q.Total().Record.Attempt,
	})
}

// gate is this server's own judgement of an opening, made on its own copy of
// the co-signed ledger. It implements he.Gate.
type gate struct{ s *Server }

// Admit refuses an opening unless everything it rests on is on the co-signed
// ledger. The policy is checked again, from this server's own cluster.yaml.
func (g gate) Admit(_ context.Context, o he.Opening, octx he.Digest) error {
	_, q := g.s.view(o.Query)
	return g.judge(q, octx)
}

// judge is Admit for what the ledger says about the query; nil if it knows none.
func (g gate) judge(q *fsm.Query, octx he.Digest) error {
	switch {
	case q == nil:
		return errors.New("query is not on the co-signed ledger")
	case q.Phase != fsm.Switch:
		return fmt.Errorf("query is in phase %s, shares are made in SWITCH only", q.Phase)
	case q.Total() == nil || q.Total().Decision != fsm.Accepted:
		return errors.New("no quorum of verifiers accepted the sum")
	case !slices.Equal(record.Runs(leavesOf(q.Total().Record.Answers)), q.Accepted()):
		return errors.New("the sum is not over exactly the accepted answers")
	case len(q.AcceptedGateways()) == 0:
		return errors.New("no accepted answer")
	case q.Participants() < q.Minimum:
		return fmt.Errorf("%d patients accepted, policy requires %d", q.Participants(), q.Minimum)
	}
	plan, err := fsm.Allowed(g.s.Cluster, q.Querier, q.Record)
	if err != nil {
		return err
	}
	if q.Participants() < plan.Minimum {
		return fmt.Errorf("%d patients accepted, own policy requires %d", q.Participants(), plan.Minimum)
	}
	if g.s.HE.OpeningContext(keys.OpeningOf(q)) != octx {
		return errors.New("opening is not the one that the ledger fixes")
	}
	return nil
}

// leavesOf unpacks runs; records on the ledger have been checked.
func leavesOf(runs []record.Run) []uint64 {
	leaves, err := record.Leaves(runs)
	if err != nil {
		return nil
	}
	return leaves
}

func (s *Server) opener(epoch uint64) *he.Opener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.openers[epoch]
}
