package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/sync/errgroup"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/crypto/he"
)

// sumHandover is the share of the query's time, in permille, after which a
// server that is not the coordinator may post the total. It lies in the middle
// of the SUM phase.
const sumHandover = 725

// sumIsMine reports whether this server should add now: the coordinator at
// once, the others if it was silent for half of the phase.
func (s *Server) sumIsMine(q *fsm.Query) bool {
	return q.Total() == nil && (s.rank(q) == 0 || s.passed(q, sumHandover))
}

// sum adds exactly the accepted ciphertexts, fixes the active servers and posts
// the total; it is query step Q6. Every verifier adds them again, and so does
// every active server before it makes a share.
func (s *Server) sum(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	total, err := s.HE.NewSum(q.KeyEpoch, fsm.K)
	if err != nil {
		return err
	}
	for _, digest := range q.AcceptedCiphertexts() {
		if err := s.add(ctx, total, q.KeyEpoch, digest); err != nil {
			return err
		}
	}
	active, err := s.chooseActive(ctx, q, nil)
	if err != nil {
		return err
	}
	c0, c1 := total.Hashes()
	if err := s.Verifiers.PutBlob(ctx, c0[:], total.C0()); err != nil {
		return fmt.Errorf("store the sum: %w", err)
	}
	log.Info("sum added", "step", "Q6", "ciphertexts", total.Count(), "active", fmt.Sprint(active))
	return s.submit(ctx, &record.Aggregate{
		QueryID: q.ID, Attempt: record.AttemptTotal, Answers: q.Accepted(), C0: c0, C1: c1, Active: active, K: fsm.K,
	})
}

// add fetches one ciphertext by digest and adds it.
func (s *Server) add(ctx context.Context, sum *he.Sum, epoch uint64, digest record.Hash) error {
	data, err := s.ciphertext(ctx, digest)
	if err != nil {
		return err
	}
	ct, err := s.HE.ParseCiphertext(epoch, data)
	if err != nil {
		return fmt.Errorf("ciphertext %x: %w", digest[:8], err)
	}
	return sum.Add(ct)
}

// chooseActive picks the threshold's number of servers that say they can open
// now, lowest index first, none of those in without.
func (s *Server) chooseActive(ctx context.Context, q *fsm.Query, without map[int]bool) ([]byte, error) {
	n := len(s.Cluster.Servers)
	up := make([]error, n)
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var eg errgroup.Group
	for i, other := range s.Cluster.Servers {
		eg.Go(func() error {
			if other.ID == s.ID {
				up[i] = s.CanOpen(ctx, q.ID)
			} else {
				up[i] = s.Servers.Ready(ctx, other.ID, q.ID[:])
			}
			return nil
		})
	}
	_ = eg.Wait()
	var active []byte
	for i := range n {
		if up[i] == nil && !without[i+1] && len(active) < s.Cluster.Opening.Threshold {
			active = append(active, byte(i+1))
		}
	}
	if len(active) < s.Cluster.Opening.Threshold {
		return nil, fmt.Errorf("%d of %d servers are ready to open, %d are needed: %w",
			len(active), n, s.Cluster.Opening.Threshold, errors.Join(up...))
	}
	return active, nil
}

// CanOpen answers another server's Ready: nil if this one has its part of the
// query's key and the querier's public key.
func (s *Server) CanOpen(_ context.Context, id record.Hash) error {
	_, q := s.view(id)
	if q == nil {
		return fmt.Errorf("query %x is not on this server's ledger yet", id[:8])
	}
	if s.opener(q.KeyEpoch) == nil {
		return fmt.Errorf("no part of key epoch %d", q.KeyEpoch)
	}
	if _, err := s.Vault.QuerierKey(id); err != nil {
		return err
	}
	return nil
}

// reissueFrom is the share of the query's time, in permille, from which the
// coordinator may order one re-issue without a silent server.
const reissueFrom = 840

func (s *Server) reissueIsMine(q *fsm.Query) bool {
	return len(q.Totals) == 1 && s.rank(q) == 0 && s.passed(q, reissueFrom) && len(s.silent(q)) > 0
}

// silent lists the active servers whose share is missing.
func (s *Server) silent(q *fsm.Query) map[int]bool {
	out := map[int]bool{}
	for i, path := range q.Servers {
		if q.Shares()[path] == nil {
			for _, a := range q.Active() {
				if a == path {
					out[i+1] = true
				}
			}
		}
	}
	return out
}

// reissue orders the same opening with other servers; it counts as an opening.
func (s *Server) reissue(ctx context.Context, q *fsm.Query, log *slog.Logger) error {
	silent := s.silent(q)
	active, err := s.chooseActive(ctx, q, silent)
	if err != nil {
		return err
	}
	var names []string
	for i := range silent {
		names = append(names, strings.TrimPrefix(q.Servers[i-1], record.RoleServer+"/"))
	}
	log.Warn("opening again without silent servers", "step", "Q6", "silent", names, "active", fmt.Sprint(active))
	old := q.Total().Record
	return s.submit(ctx, &record.Aggregate{
		QueryID: q.ID, Attempt: record.AttemptReissue, Answers: old.Answers, C0: old.C0, C1: old.C1, Active: active, K: old.K,
	})
}
