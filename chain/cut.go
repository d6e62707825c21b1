package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	bolt "go.etcd.io/bbolt"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

// When the leader posts a CUT, in milliseconds.
const (
	cutAfterEvent    = 20      // after QUERY, a phase change, CLOSE or KEYGEN
	cutAfterDeadline = 100     // after a phase's deadline: honest clocks differ a little
	cutWhileBusy     = 1_000   // while leaves are not under a checkpoint
	cutIdle          = 300_000 // else: ledger time and cosignatures stay fresh
	cutRetry         = 200     // after an attempt that failed
	staleTime        = 10_000  // ledger time older than this is renewed before a QUERY
)

// claimTimeout bounds the wait for the other verifiers' clocks.
const claimTimeout = 500 * time.Millisecond

// cutView is what the state says about the need for a CUT.
type cutView struct {
	last     uint64 // leaf of the newest CUT, 0 if none
	wants    bool   // a leaf after it asks for one soon
	busy     bool   // there are leaves after it
	deadline int64  // earliest ledger time at which a phase ends, Unix ms; 0 if none
}

// cutClock decides when the next CUT is due by this node's own clock. Every node
// keeps one, so that a new leader goes on where the old one stopped.
type cutClock struct {
	last                    uint64
	cutAt, wantedAt, busyAt int64 // when first seen here, Unix ms; 0 if not
	triedAt                 int64
}

// due returns when the next CUT should be posted, Unix ms.
func (c *cutClock) due(v cutView, now int64) int64 {
	if c.cutAt == 0 || v.last != c.last {
		*c = cutClock{last: v.last, cutAt: now}
	}
	// A clock that was set back must not put the next CUT into the future.
	c.cutAt, c.wantedAt = min(c.cutAt, now), min(c.wantedAt, now)
	c.busyAt, c.triedAt = min(c.busyAt, now), min(c.triedAt, now)
	if v.wants && c.wantedAt == 0 {
		c.wantedAt = now
	}
	if v.busy && c.busyAt == 0 {
		c.busyAt = now
	}
	at := c.cutAt + cutIdle
	if v.last == 0 {
		at = now // no reader can use a ledger without a checkpoint
	}
	if v.wants {
		at = min(at, c.wantedAt+cutAfterEvent)
	}
	if v.busy {
		at = min(at, c.busyAt+cutWhileBusy)
	}
	if v.deadline != 0 {
		d := v.deadline + cutAfterDeadline
		if c.cutAt >= d { // that CUT did not end the phase: clocks differ by more
			d = c.cutAt + cutWhileBusy
		}
		at = min(at, d)
	}
	if c.triedAt != 0 {
		at = max(at, c.triedAt+cutRetry)
	}
	return at
}

func (n *Node) cutView() cutView {
	n.mu.RLock()
	defer n.mu.RUnlock()
	s := n.ledger.state
	v := cutView{last: s.LastCut(), wants: n.wantsCut, busy: n.ledger.edge.Size() > s.LastCut()+1}
	if d, ok := s.NextDeadline(); ok {
		v.deadline = d
	}
	return v
}

// cutLoop posts CUTs while this node leads.
func (n *Node) cutLoop(ctx context.Context) error {
	var clock cutClock
	for {
		next := n.changed.next()
		now := n.cfg.Now().UnixMilli()
		wait := time.Duration(clock.due(n.cutView(), now)-now) * time.Millisecond
		if wait <= 0 {
			clock.triedAt, wait = now, cutRetry*time.Millisecond
			if n.leads() {
				if err := n.postCut(ctx); err != nil {
					n.log.Debug("post CUT", "error", err)
				}
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-next:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

func (n *Node) leads() bool {
	r := n.running()
	return r != nil && r.State() == raft.Leader
}

// postCut collects q clock readings and submits a CUT with them.
func (n *Node) postCut(ctx context.Context) error {
	n.cutMu.Lock() // two at once would seal two records under one idem key
	defer n.cutMu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	var previous uint64
	n.View(func(s *fsm.State) { previous = s.LastCut() })
	leaf, err := n.sealedCut(ctx, previous)
	if err != nil {
		return err
	}
	_, err = n.Lead(ctx, leaf)
	return err
}

// sealedCut returns this node's one CUT after previous. It is stored before it
// is sent: a second one with other claims would be two statements under one idem
// key, which is evidence against this node.
func (n *Node) sealedCut(ctx context.Context, previous uint64) ([]byte, error) {
	old, err := n.ledger.read(bucketState, "cut")
	if err != nil {
		return nil, err
	}
	if e, err := record.Decode(old); err == nil {
		if c, ok := e.Payload.(*record.Cut); ok && c.Previous == previous {
			return old, nil
		}
	}
	claims, err := n.claims(ctx, previous)
	if err != nil {
		return nil, err
	}
	leaf, err := record.Seal(n.origin, n.cfg.RecordKey, &record.Cut{Previous: previous, Claims: claims})
	if err != nil {
		return nil, fmt.Errorf("seal CUT: %w", err)
	}
	err = n.ledger.db.Update(func(tx *bolt.Tx) error { return put(tx, bucketState, "cut", leaf) })
	return leaf, err
}

// claims collects the first q valid clock readings, the own one among them,
// sorted by path.
func (n *Node) claims(ctx context.Context, previous uint64) ([]record.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	type answer struct {
		claim record.Claim
		err   error
	}
	answers := make(chan answer, len(n.verifiers))
	for _, v := range n.verifiers {
		go func() { // ends with ctx, which this function cancels
			c, err := n.claimOf(ctx, v, previous)
			answers <- answer{c, err}
		}()
	}
	var got []record.Claim
	var errs []error
	for range n.verifiers {
		a := <-answers
		if a.err != nil {
			errs = append(errs, a.err)
		} else if got = append(got, a.claim); len(got) == n.policy.Quorum {
			slices.SortFunc(got, func(a, b record.Claim) int { return compare(a.Path, b.Path) })
			return got, nil
		}
	}
	return nil, fmt.Errorf("collect clock readings: %d of %d: %w", len(got), n.policy.Quorum, errors.Join(errs...))
}

// claimOf asks one verifier and checks what it says.
func (n *Node) claimOf(ctx context.Context, v record.GenesisVerifier, previous uint64) (c record.Claim, err error) {
	var data []byte
	if v.ID == n.cfg.ID {
		data, err = n.Claim(ctx, previous)
	} else {
		data, err = n.cfg.Peers.ClaimTime(ctx, v.ID, previous)
	}
	if err != nil {
		return c, fmt.Errorf("clock of %s: %w", v.ID, err)
	}
	if c, err = record.ParseClaim(data); err != nil {
		return c, fmt.Errorf("clock of %s: %w", v.ID, err)
	}
	if c.Path != "verifier/"+v.ID {
		return c, fmt.Errorf("clock of %s: claim of %s", v.ID, c.Path)
	}
	if err := c.Verify(n.origin, previous, v.RecordKey[:]); err != nil {
		return c, fmt.Errorf("clock of %s: %w", v.ID, err)
	}
	return c, nil
}

// Claim signs this machine's clock for the CUT that follows leaf previousCut,
// which must be the newest CUT here: a reading given away ahead of its CUT could
// be used to hold ledger time back. A node that lags waits for the leaf, within
// ctx.
func (n *Node) Claim(ctx context.Context, previousCut uint64) ([]byte, error) {
	if err := n.haltedErr(); err != nil {
		return nil, fmt.Errorf("claim time: %w", err)
	}
	var last uint64
	err := n.await(ctx, func() bool {
		last = n.ledger.state.LastCut()
		return last >= previousCut
	})
	if err != nil {
		return nil, fmt.Errorf("claim time after leaf %d: %w", previousCut, err)
	}
	if last != previousCut {
		return nil, fmt.Errorf("claim time after leaf %d: the last CUT is leaf %d", previousCut, last)
	}
	c, err := record.SignClaim(n.origin, n.cfg.RecordKey, previousCut, uint64(n.cfg.Now().UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("claim time: %w", err)
	}
	return c.Marshal()
}
