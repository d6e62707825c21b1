package chain

import (
	"context"
	"time"

	"statnet/chain/note"
)

const (
	pushTimeout = time.Second // of one PushNote
	pushAgain   = time.Second // while the own newest checkpoint lacks its quorum
)

// pushLoop sends this node's lines to one peer: each new one, the newest again
// while it lacks its quorum, and the q-cosigned note to a peer that lacks it.
func (n *Node) pushLoop(ctx context.Context, id string) error {
	var sent note.Checkpoint
	tick := time.NewTicker(pushAgain)
	defer tick.Stop()
	again := false
	for {
		next := n.changed.next()
		if data, cp := n.toPush(id, sent, again); data != nil {
			again = false
			call, cancel := context.WithTimeout(ctx, pushTimeout)
			err := n.cfg.Peers.PushNote(call, id, data)
			cancel()
			if err == nil {
				sent = cp
			} else if ctx.Err() == nil {
				n.log.Debug("push note", "peer", id, "size", cp.Size, "error", err)
				next = nil // not before the next tick, or a dead peer costs a core
			}
		}
		select {
		case <-next:
		case <-tick.C:
			again = true
		case <-ctx.Done():
			return nil
		}
	}
}

// toPush is what peer id should get now, nil if nothing.
func (n *Node) toPush(id string, sent note.Checkpoint, again bool) ([]byte, note.Checkpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.owed[id] && n.newest.Size > 0 {
		delete(n.owed, id)
		return n.newest.Note, sent
	}
	if n.mine.Size == 0 || n.mine == sent && !(again && n.mine.Size > n.newest.Size) {
		return nil, sent
	}
	return n.collect(n.mine).Note, n.mine
}
