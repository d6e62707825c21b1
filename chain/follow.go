package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain/merkle"
	"statnet/chain/note"
)

// Pauses after a source failed or had nothing new to give, doubling.
const (
	sourcePause    = 100 * time.Millisecond
	maxSourcePause = 5 * time.Second
)

// errQuiet reports a source that had no news for a whole Silence.
var errQuiet = errors.New("no news")

// fatalError is what no other source can mend.
type fatalError struct{ error }

// Unwrap gives the reason.
func (e fatalError) Unwrap() error { return e.error }

// Run follows the ledger until ctx is cancelled and returns nil. It watches all
// sources at once and takes leaves from whichever has news, so that one silent or
// lying verifier delays nobody. Errors: ErrFork, ErrRules, or a file that cannot
// be written; waiting calls get them too.
func (f *Follower) Run(ctx context.Context) error {
	if len(f.cfg.Sources) == 0 {
		return errors.New("follow ledger: no verifier to follow")
	}
	eg, work := errgroup.WithContext(ctx)
	for i := range f.cfg.Sources {
		eg.Go(func() error { return f.watch(work, i) })
	}
	err := eg.Wait()
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		f.stop(ErrStopped)
		return nil
	}
	err = fmt.Errorf("follow ledger: %w", err)
	f.stop(err)
	return err
}

// watch follows one source. Its errors are logged; only fatal ones end it.
func (f *Follower) watch(ctx context.Context, i int) error {
	pause := sourcePause
	for ctx.Err() == nil {
		before := f.noteSize()
		err := f.poll(ctx, i, before)
		if fatal := (fatalError{}); errors.As(err, &fatal) {
			return fatal.error
		}
		if f.noteSize() > before {
			pause = sourcePause
			continue
		}
		if errors.Is(err, errQuiet) {
			continue
		}
		if err != nil && ctx.Err() == nil {
			f.log.Debug("follow verifier", "source", i, "error", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, maxSourcePause)
	}
	return nil
}

func (f *Follower) noteSize() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.last.Size
}

// poll waits for news from source i and catches up with it. A source that only
// repeats old news costs one call: whatever it announces, its note decides.
func (f *Follower) poll(ctx context.Context, i int, size uint64) error {
	wait, cancel := context.WithTimeout(ctx, f.cfg.Silence)
	defer cancel()
	if _, err := f.cfg.Sources[i].Wait(wait, size); err != nil {
		if wait.Err() != nil {
			return errQuiet
		}
		return err
	}
	for {
		more, err := f.chunk(ctx, i)
		if err != nil || !more {
			return err
		}
	}
}

// chunk takes a turn: it reads i's checkpoint and at most one call's worth of
// leaves. Turns are short, so a source that drips cannot keep the others out.
func (f *Follower) chunk(ctx context.Context, i int) (more bool, err error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Silence)
	defer cancel()
	data, err := f.cfg.Sources[i].Checkpoint(ctx)
	if err != nil {
		return false, fmt.Errorf("get checkpoint: %w", err)
	}
	s, err := f.policy.Verify(data)
	if err != nil {
		return false, err
	}
	size := f.Size()
	if s.Size <= size {
		return false, f.compare(s, size)
	}
	leaves, err := f.fetch(ctx, i, size, s)
	if err != nil {
		return false, err
	}
	if err := f.accept(leaves, s); err != nil {
		return false, fatalError{err}
	}
	return size+uint64(len(leaves)) < s.Size, nil
}

// compare checks a note that is not longer than the copy, and adopts it if it is
// newer than the last: an earlier run may have stopped between leaves and note.
func (f *Follower) compare(s note.Signed, size uint64) error {
	root, err := f.ledger.root(s.Size)
	if err != nil {
		return fatalError{err}
	}
	if root != s.Root {
		return fatalError{&ForkError{First: f.Checkpoint(), Second: s.Note}}
	}
	if s.Size == size && s.Size > f.noteSize() {
		if err := f.accept(nil, s); err != nil {
			return fatalError{err}
		}
	}
	return nil
}

// fetch downloads leaves after size and checks that they, and all before them,
// are the beginning of the ledger that s describes.
func (f *Follower) fetch(ctx context.Context, i int, size uint64, s note.Signed) ([][]byte, error) {
	src := f.cfg.Sources[i]
	want := int(min(s.Size-size, maxEntries))
	leaves, err := src.Entries(ctx, size, want)
	if err != nil {
		return nil, fmt.Errorf("get leaves from %d: %w", size, err)
	}
	if len(leaves) == 0 || len(leaves) > want {
		return nil, fmt.Errorf("get leaves from %d: %d of %d", size, len(leaves), want)
	}
	f.mu.RLock()
	edge := f.ledger.edge.Clone()
	f.mu.RUnlock()
	for _, leaf := range leaves {
		edge.Append(merkle.LeafHash(leaf))
	}
	if err := f.leads(ctx, src, &edge, s); err != nil {
		return nil, f.disconnected(ctx, i, s, err)
	}
	return leaves, nil
}

// leads checks that the leaves of edge are the beginning of what s describes.
func (f *Follower) leads(ctx context.Context, src Source, edge *merkle.Frontier, s note.Signed) error {
	if edge.Size() == s.Size {
		if edge.Root() != s.Root {
			return fmt.Errorf("root of %d leaves: %w", s.Size, merkle.ErrProof)
		}
		return nil
	}
	bs, err := src.Consistency(ctx, edge.Size(), s.Size)
	if err != nil {
		return fmt.Errorf("get consistency of %d to %d leaves: %w", edge.Size(), s.Size, err)
	}
	proof, err := hashesOf(bs)
	if err != nil {
		return err
	}
	return merkle.VerifyConsistency(edge.Size(), s.Size, edge.Root(), s.Root, proof)
}

// disconnected decides what it means that source i showed a q-cosigned note and
// leaves that do not lead to it. If the note does extend this copy, the leaves
// were wrong. If f+1 sources cannot even show that, one of them is honest, and
// there are two ledgers.
func (f *Follower) disconnected(ctx context.Context, i int, s note.Signed, cause error) error {
	if !errors.Is(cause, merkle.ErrProof) {
		return cause
	}
	f.log.Warn("a verifier's leaves do not lead to its checkpoint", "source", i, "size", s.Size)
	f.mu.RLock()
	own := f.ledger.edge.Clone()
	f.mu.RUnlock()
	if err := f.leads(ctx, f.cfg.Sources[i], &own, s); !errors.Is(err, merkle.ErrProof) {
		return cause
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strange[i] = s.Note
	if len(f.strange) > f.cfg.Cluster.F() {
		return fatalError{&ForkError{First: f.last.Note, Second: s.Note}}
	}
	return cause
}
