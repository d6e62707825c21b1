package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// Deadlines of a Submit.
const (
	submitTimeout  = 2 * time.Second        // if the caller's context has none
	enqueueTimeout = time.Second            // wait for a place in raft's queue
	retryPause     = 20 * time.Millisecond  // between attempts while there is no leader
	maxRetryPause  = 200 * time.Millisecond // the pause doubles up to this
)

// Submit adds a leaf and returns its index, once a quorum has it on disk and
// this node or the leader has applied it. The same bytes again return the same
// index.
//
// A *fsm.Refusal is the ledger's last word. ErrUnavailable is not: the record may
// yet enter, and the caller resends the same bytes. Until ctx ends, 2 s if it has
// no deadline, Submit does that itself.
func (n *Node) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, submitTimeout)
		defer cancel()
	}
	cmd, err := commandOf(leaf)
	if err != nil {
		return 0, err
	}
	pause := retryPause
	for {
		index, err := n.attempt(ctx, cmd, leaf)
		if !errors.Is(err, ErrUnavailable) {
			return index, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, err
		}
		pause = min(2*pause, maxRetryPause)
	}
}

// attempt tries once: here if this node leads, else at the leader.
func (n *Node) attempt(ctx context.Context, cmd, leaf []byte) (uint64, error) {
	if index, ok := n.ledger.find(cmd); ok {
		return index, nil
	}
	if err := n.haltedErr(); err != nil {
		return 0, err
	}
	r := n.running()
	if r == nil {
		return 0, fmt.Errorf("%w: raft is not running", ErrUnavailable)
	}
	if r.State() == raft.Leader {
		return n.apply(ctx, r, cmd, leaf)
	}
	_, leader := r.LeaderWithID()
	if leader == "" || string(leader) == n.cfg.ID {
		return 0, fmt.Errorf("%w: no leader", ErrUnavailable)
	}
	index, err := n.cfg.Peers.Forward(ctx, string(leader), leaf)
	if _, refused := fsm.AsRefusal(err); err != nil && !refused {
		return 0, fmt.Errorf("%w: forward to %s: %w", ErrUnavailable, leader, err)
	}
	return index, err
}

// Lead is Submit for a leaf that another verifier forwarded: it is applied here
// as leader or not at all, so that two verifiers never send it in circles.
func (n *Node) Lead(ctx context.Context, leaf []byte) (uint64, error) {
	cmd, err := commandOf(leaf)
	if err != nil {
		return 0, err
	}
	if index, ok := n.ledger.find(cmd); ok {
		return index, nil
	}
	r := n.running()
	if r == nil || r.State() != raft.Leader {
		return 0, fmt.Errorf("%w: not the leader", ErrUnavailable)
	}
	return n.apply(ctx, r, cmd, leaf)
}

// apply puts a command through raft.
func (n *Node) apply(ctx context.Context, r *raft.Raft, cmd, leaf []byte) (uint64, error) {
	if err := n.admit(leaf); err != nil {
		return 0, err
	}
	n.refreshTime(ctx, leaf)
	future := r.Apply(cmd, enqueueTimeout)
	done := make(chan error, 1)
	go func() { done <- future.Error() }() // ends with raft: answer, lost leadership or shutdown
	select {
	case err := <-done:
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	a, ok := future.Response().(applied)
	if !ok {
		return 0, fmt.Errorf("%w: no answer from the state machine", ErrUnavailable)
	}
	return a.index, a.err
}

// refreshTime posts a CUT before a QUERY if ledger time has stood still: the
// rules compare the question's window and deadline with it, and an idle ledger's
// is up to 300 s old. Without a quorum of clocks the rules decide by the old time.
func (n *Node) refreshTime(ctx context.Context, leaf []byte) {
	e, err := record.Decode(leaf)
	if err != nil || e.Type != record.TypeQuery {
		return
	}
	var ledger int64
	n.View(func(s *fsm.State) { ledger = s.LedgerTime() })
	if n.cfg.Now().UnixMilli()-ledger <= staleTime {
		return
	}
	if err := n.postCut(ctx); err != nil {
		n.log.Debug("post CUT before QUERY", "error", err)
	}
}

// admit keeps records that nobody enrolled has signed out of raft's log, where
// they would cost every verifier a write. Step checks again.
func (n *Node) admit(leaf []byte) error {
	e, err := record.Decode(leaf)
	if err != nil {
		return &fsm.Refusal{Code: fsm.Malformed, Text: err.Error()}
	}
	pub, ok := n.cfg.Cluster.RecordKey(e.Signer)
	if !ok {
		return &fsm.Refusal{Code: fsm.UnknownSigner, Text: "not enrolled: " + e.Signer}
	}
	origin := n.origin
	if e.Type == record.TypeGenesis {
		origin = ""
	}
	if err := e.Verify(origin, []byte(pub)); err != nil {
		return &fsm.Refusal{Code: fsm.BadSignature, Text: err.Error()}
	}
	return nil
}

// commandOf checks a leaf's form before anything is sent anywhere.
func commandOf(leaf []byte) ([]byte, error) {
	cmd, err := record.Command(leaf)
	switch {
	case errors.Is(err, record.ErrTooLarge):
		return nil, &fsm.Refusal{Code: fsm.TooLarge, Text: err.Error()}
	case err != nil:
		return nil, &fsm.Refusal{Code: fsm.Malformed, Text: err.Error()}
	}
	return cmd, nil
}

func compare(a, b string) int { return cmp.Compare(a, b) }
