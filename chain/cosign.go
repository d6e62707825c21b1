package chain

import (
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/chain/signer"
	"statnet/internal/disk"
)

// signJob is a checkpoint that a CUT asks for.
type signJob struct {
	size uint64
	root merkle.Hash
}

// held is one verifier's line under a checkpoint that q have not signed yet, as
// far as this node knows.
type held struct {
	cp   note.Checkpoint
	line note.Line
}

const (
	maxHeld     = 4  // lines kept of one verifier; a liar displaces only its own
	maxSignJobs = 4  // after an outage only the newest checkpoints matter
	maxEvidence = 64 // files
)

// signLastCut asks for the checkpoint of the newest CUT: the process may have
// died between applying and signing it.
func (n *Node) signLastCut() {
	cut := n.ledger.state.LastCut()
	if cut == 0 {
		return
	}
	root, err := n.ledger.root(cut + 1)
	if err != nil {
		n.log.Error("root of the last CUT", "error", err)
		return
	}
	n.toSign = append(n.toSign, signJob{size: cut + 1, root: root})
}

// signLoop signs the checkpoints of new CUTs and settles the notes of others.
func (n *Node) signLoop(ctx context.Context) error {
	for {
		next := n.changed.next()
		for _, job := range n.takeJobs() {
			if err := n.sign(job); err != nil {
				return err
			}
		}
		if err := n.settle(); err != nil {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *Node) takeJobs() []signJob {
	n.mu.Lock()
	defer n.mu.Unlock()
	jobs := n.toSign
	n.toSign = nil
	if len(jobs) > maxSignJobs {
		jobs = jobs[len(jobs)-maxSignJobs:]
	}
	return jobs
}

// sign cosigns one checkpoint. Only a failing journal or a contradiction is an
// error; both stop the node.
func (n *Node) sign(job signJob) error {
	last := n.signer.Last()
	if job.size < last.Size {
		return nil // replayed after a restart
	}
	var proof []merkle.Hash
	if last.Size > 0 && job.size > last.Size {
		var err error
		if proof, err = merkle.ProveConsistency(last.Size, job.size, n.ledger); err != nil {
			return fmt.Errorf("sign checkpoint: %w", err)
		}
	}
	cp := note.Checkpoint{Origin: n.origin, Size: job.size, Root: job.root}
	line, err := n.signer.Sign(cp, proof, uint64(n.cfg.Now().Unix()))
	if errors.Is(err, signer.ErrRefused) {
		err = fmt.Errorf("%w: %w", ErrDiverged, err)
		return errors.Join(err, n.diverge(err))
	}
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hold(n.cfg.ID, held{cp, line})
	n.mine = cp
	n.changed.broadcast()
	return nil
}

// hold remembers a verified line, at most maxHeld of one verifier: those of the
// largest sizes. Caller holds mu.
func (n *Node) hold(id string, h held) {
	hs := n.lines[id]
	smallest := 0
	for i, old := range hs {
		if old.cp == h.cp {
			return
		}
		if old.cp.Size < hs[smallest].cp.Size {
			smallest = i
		}
	}
	switch {
	case len(hs) < maxHeld:
		n.lines[id] = append(hs, h)
	case hs[smallest].cp.Size < h.cp.Size:
		hs[smallest] = h
	}
}

// collect joins the held lines of one checkpoint. Caller holds mu.
func (n *Node) collect(cp note.Checkpoint) note.Signed {
	byID := map[string]note.Line{}
	for id, hs := range n.lines {
		for _, h := range hs {
			if h.cp == cp {
				byID[id] = h.line
			}
		}
	}
	return n.policy.Join(cp, byID)
}

// AcceptNote takes another verifier's line or lines. They are believed only as
// signatures: what they sign is compared with the own tree, now or when it has
// grown that far.
func (n *Node) AcceptNote(_ context.Context, data []byte) error {
	s, err := n.policy.Open(data)
	if err != nil {
		return fmt.Errorf("accept note: %w", err)
	}
	if len(s.Lines) == 0 {
		return fmt.Errorf("accept note of size %d: %w", s.Size, note.ErrQuorum)
	}
	n.mu.Lock()
	size := n.ledger.edge.Size()
	for i, id := range s.Signers {
		n.hold(id, held{s.Checkpoint, s.Lines[i]})
	}
	if len(s.Lines) < n.policy.Quorum && s.Size <= n.newest.Size {
		for _, id := range s.Signers {
			n.owed[id] = true
		}
	}
	n.changed.broadcast()
	n.mu.Unlock()
	if s.Size <= size {
		return n.compareRoot(s)
	}
	return nil
}

// compareRoot holds a note against the own tree, which is long enough.
func (n *Node) compareRoot(s note.Signed) error {
	root, err := n.ledger.root(s.Size)
	if err != nil || root == s.Root {
		return err
	}
	err = fmt.Errorf("%w: %v signed %d leaves with another root", ErrDiverged, s.Signers, s.Size)
	n.keepEvidence(s, root)
	if len(s.Lines) >= n.policy.Quorum {
		return errors.Join(err, n.diverge(err))
	}
	n.log.Error("a verifier signs another ledger", "signers", s.Signers, "size", s.Size)
	return fmt.Errorf("accept note: %v signed %d leaves with another root than this ledger's", s.Signers, s.Size)
}

// keepEvidence writes both sides of a contradiction where an operator finds
// them.
func (n *Node) keepEvidence(s note.Signed, own merkle.Hash) {
	mine := note.Checkpoint{Origin: n.origin, Size: s.Size, Root: own}
	dir := n.file("evidence")
	err := os.MkdirAll(dir, 0o700)
	if files, rerr := os.ReadDir(dir); rerr == nil && len(files) >= maxEvidence {
		return // a liar can make as many as it likes
	}
	if err == nil {
		text := fmt.Appendf(nil, "%s\nown tree:\n%s", s.Note, mine.Text())
		err = disk.WriteFile(fmt.Sprintf("%s/note-%d-%x.txt", dir, s.Size, s.Root[:8]), text)
	}
	if err != nil {
		n.log.Error("keep evidence", "error", err)
	}
}

// settle adopts the largest held checkpoint that has q lines and equals the own
// tree, and adds late lines to the newest.
func (n *Node) settle() error {
	for _, s := range n.candidates() {
		root, err := n.ledger.root(s.Size)
		if err != nil {
			return err
		}
		if root != s.Root {
			return n.compareRoot(s)
		}
		if err := n.adopt(s); err != nil {
			return err
		}
	}
	return nil
}

// candidates lists held checkpoints with q lines that this tree can be compared
// with, not smaller than the newest.
func (n *Node) candidates() []note.Signed {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var out []note.Signed
	seen := map[note.Checkpoint]bool{}
	for _, v := range n.verifiers {
		for _, h := range n.lines[v.ID] {
			if seen[h.cp] || h.cp.Size < n.newest.Size || h.cp.Size > n.ledger.edge.Size() {
				continue
			}
			seen[h.cp] = true
			known := 0
			if h.cp == n.newest.Checkpoint {
				known = len(n.newest.Lines)
			}
			if s := n.collect(h.cp); len(s.Lines) >= n.policy.Quorum && len(s.Lines) > known {
				out = append(out, s)
			}
		}
	}
	return out
}

// adopt makes s the newest note, on disk first. More lines for the same
// checkpoint stay in memory: the stored ones are enough.
func (n *Node) adopt(s note.Signed) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case s.Size < n.newest.Size:
		return nil
	case s.Checkpoint == n.newest.Checkpoint:
		if len(s.Lines) > len(n.newest.Lines) {
			n.newest = s
		}
		return nil
	}
	err := n.ledger.db.Update(func(tx *bolt.Tx) error { return put(tx, bucketNote, "newest", s.Note) })
	if err != nil {
		return fmt.Errorf("write %s: %w", n.ledger.path, err)
	}
	n.newest = s
	n.changed.broadcast()
	return nil
}
