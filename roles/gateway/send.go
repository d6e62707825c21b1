package gateway

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain/fsm"
	"statnet/internal/node"
	"statnet/store"
	"statnet/wire"
)

const (
	putTimeout    = 10 * time.Second // one blob to one verifier
	submitTimeout = 2 * time.Second  // one record to one verifier
	confirmWait   = 5 * time.Second  // for an accepted record to be co-signed
	firstPause    = 100 * time.Millisecond
	longestPause  = 2 * time.Second
)

// pause waits between two tries, longer each time, and reports whether ctx
// still lives.
func pause(ctx context.Context, d *time.Duration) bool {
	*d = min(max(2**d, firstPause), longestPause)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(*d):
		return true
	}
}

// send brings a stored answer to its readers: query step Q4. The home server
// is a convenience, as servers can fetch from verifiers; the record counts.
// Everything here may be repeated.
func (g *Gateway) send(ctx context.Context, q *fsm.Query, a store.Answer) error {
	eg, ctx := errgroup.WithContext(ctx)
	if len(a.Parts) > 0 {
		eg.Go(func() error {
			if err := g.upload(ctx, q.ID, a); err != nil {
				g.step(q.ID).Warn("not uploaded", "server", g.home, "err", err)
			}
			return nil
		})
	} else {
		o := outcomeOf(a)
		g.Link.Failed(q.ID, uint32(o), outcomeText(o))
	}
	eg.Go(func() error {
		for i, p := range a.Parts {
			if err := g.publish(ctx, p); err != nil {
				return fmt.Errorf("put part %d on %d verifiers: %w", i, g.Config.Cluster.Q(), err)
			}
		}
		return g.submit(ctx, q, a.Leaf)
	})
	return eg.Wait()
}

// upload hands all parts, one after the other in the order of the ANSWER, to
// the home server, again until it has them.
func (g *Gateway) upload(ctx context.Context, id [32]byte, a store.Answer) error {
	var data []byte
	for _, p := range a.Parts {
		data = append(data, p.Ciphertext...)
	}
	for wait := time.Duration(0); ; {
		err := g.Link.Upload(ctx, id, data)
		if err == nil || errors.Is(err, wire.ErrCancelled) {
			return err
		}
		if !pause(ctx, &wait) {
			return err
		}
	}
}

// publish puts one ciphertext on q verifiers, any q: q-f of them are honest and
// the others fetch it from those.
func (g *Gateway) publish(ctx context.Context, p store.Part) error {
	free := make(chan Verifier, len(g.Verifiers)) // never blocks: it holds each at most once
	for _, v := range g.rotated() {
		free <- v
	}
	eg, ctx := errgroup.WithContext(ctx)
	for range g.Config.Cluster.Q() {
		eg.Go(func() error {
			for wait := time.Duration(0); ; {
				var err error
				select {
				case <-ctx.Done():
					return ctx.Err()
				case v := <-free:
					if err = put(ctx, v, p); err == nil {
						return nil
					}
					free <- v
				}
				if !pause(ctx, &wait) {
					return err
				}
			}
		})
	}
	return eg.Wait()
}

func put(ctx context.Context, v Verifier, p store.Part) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	return v.PutBlob(ctx, p.Digest[:], p.Ciphertext)
}

// submit gets the record into the ledger: query step Q4. When the outcome is
// unknown it sends the same bytes to the next verifier; the ledger takes a
// record once. One verifier's word counts for nothing: it ends when this
// gateway's own copy of the ledger has the record, or f+1 refuse it.
func (g *Gateway) submit(ctx context.Context, q *fsm.Query, leaf []byte) error {
	refused := map[int]error{}
	order := g.rotated()
	var last error
	for i, wait := 0, time.Duration(0); ; i++ {
		at := i % len(order)
		index, err := submitOne(ctx, order[at], leaf)
		switch {
		case err == nil:
			if g.confirmed(ctx, q.ID) {
				g.step(q.ID).Info("answer registered", "leaf", index)
				return nil
			}
			err = errors.New("accepted, but not in a co-signed checkpoint")
		default:
			if _, ok := node.Refusal(err); ok {
				refused[at] = err
			}
		}
		if last = err; len(refused) > g.Config.Cluster.F() {
			return fmt.Errorf("submit answer: refused by %d verifiers: %w", len(refused), last)
		}
		if !pause(ctx, &wait) {
			return fmt.Errorf("submit answer: %d tries: %w", i+1, last)
		}
	}
}

func submitOne(ctx context.Context, v Verifier, leaf []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	return v.Submit(ctx, leaf)
}

// confirmed waits until this gateway's own answer is below a co-signed
// checkpoint.
func (g *Gateway) confirmed(ctx context.Context, id [32]byte) bool {
	ctx, cancel := context.WithTimeout(ctx, confirmWait)
	defer cancel()
	return g.Ledger.Until(ctx, func(s *fsm.State) bool {
		q, ok := s.Query(id)
		return ok && q.Answers[g.planner.path] != nil
	}) == nil
}

// rotated lists the verifiers, each gateway beginning with another one.
func (g *Gateway) rotated() []Verifier {
	n := len(g.Verifiers)
	h := fnv.New32a()
	h.Write([]byte(g.Config.ID))
	first := int(h.Sum32() % uint32(n))
	return append(append(make([]Verifier, 0, n), g.Verifiers[first:]...), g.Verifiers[:first]...)
}
