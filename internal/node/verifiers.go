package node

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"statnet/config"
	"statnet/wire"
)

// tryNext is how long one verifier may take before the next is asked the same.
const tryNext = 2 * time.Second

// Verifiers are all verifiers of the roster as one. A verifier may lie or be
// silent: what one of them refuses is refused only when f+1 refuse it, what one
// of them stores is stored only when q have it.
type Verifiers struct {
	clients []*wire.VerifierClient // roster order
	first   int                    // where this node begins, so that load spreads
	faulty  int                    // f
	quorum  int                    // q
}

func newVerifiers(d *wire.Dialer, cluster *config.Cluster, self string) *Verifiers {
	v := &Verifiers{faulty: cluster.F(), quorum: cluster.Q()}
	for _, m := range cluster.Verifiers {
		v.clients = append(v.clients, d.Verifier(m.ID))
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(self))
	v.first = int(h.Sum32() % uint32(len(v.clients)))
	return v
}

// ordered lists the clients, each node beginning with another one.
func (v *Verifiers) ordered() []*wire.VerifierClient {
	n := len(v.clients)
	out := make([]*wire.VerifierClient, 0, n)
	for i := range n {
		out = append(out, v.clients[(v.first+i)%n])
	}
	return out
}

// Clients lists the verifiers in roster order.
func (v *Verifiers) Clients() []*wire.VerifierClient { return v.clients }

// Submit adds a record to the ledger and returns its leaf index: the same bytes
// to one verifier after the other until one has it. It returns a refusal once
// f+1 verifiers refuse, as one of those is honest. It tries until ctx ends.
func (v *Verifiers) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	refused := map[string]error{}
	order := v.ordered()
	var last error
	for i := 0; ; i++ {
		c := order[i%len(order)]
		if refused[c.Path()] == nil {
			one, cancel := context.WithTimeout(ctx, tryNext)
			index, err := c.Submit(one, leaf)
			cancel()
			if err == nil {
				return index, nil
			}
			if _, ok := Refusal(err); ok {
				refused[c.Path()] = err
			}
			last = err
		}
		if len(refused) > v.faulty {
			return 0, last
		}
		if i%len(order) < len(order)-1 {
			continue
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("no verifier took the record: %w; %w", last, context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// PutBlob stores data on a quorum of verifiers. It returns as soon as q have
// it; the others are still being sent to until ctx ends.
func (v *Verifiers) PutBlob(ctx context.Context, digest, data []byte) error {
	results := make(chan error, len(v.clients))
	for _, c := range v.clients {
		go func() { results <- c.PutBlob(ctx, digest, data) }()
	}
	var errs []error
	for stored := 0; stored < v.quorum; {
		if err := <-results; err == nil {
			stored++
			continue
		} else if errs = append(errs, err); len(errs) > len(v.clients)-v.quorum {
			return fmt.Errorf("blob %x is on %d of %d verifiers, %d are needed: %w",
				digest[:8], stored, len(v.clients), v.quorum, oneLine(errs))
		}
	}
	return nil
}

// GetBlob fetches a blob of at most limit bytes from any verifier that has it.
func (v *Verifiers) GetBlob(ctx context.Context, digest []byte, limit int64) ([]byte, error) {
	var errs []error
	for _, c := range v.ordered() {
		data, err := c.GetBlob(ctx, digest, limit)
		if err == nil {
			return data, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("no verifier has blob %x: %w", digest[:8], oneLine(errs))
}

// Ticket fetches the proof that a query is registered from any verifier. Its
// caller checks it.
func (v *Verifiers) Ticket(ctx context.Context, queryID []byte) ([]byte, error) {
	var errs []error
	for _, c := range v.ordered() {
		one, cancel := context.WithTimeout(ctx, tryNext)
		ticket, err := c.Ticket(one, queryID)
		cancel()
		if err == nil {
			return ticket, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("no verifier gives a ticket: %w", oneLine(errs))
}

// Reachable counts the verifiers that answer at all, whatever they say.
func (v *Verifiers) Reachable(ctx context.Context) int {
	answered := make(chan bool, len(v.clients))
	ctx, cancel := context.WithTimeout(ctx, tryNext)
	defer cancel()
	for _, c := range v.clients {
		go func() {
			_, err := c.Status(ctx)
			answered <- err == nil
		}()
	}
	n := 0
	for range v.clients {
		if <-answered {
			n++
		}
	}
	return n
}

// oneLine joins errors as errors.Join does, for people who read a log: without
// line breaks.
func oneLine(errs []error) error {
	args := make([]any, len(errs))
	for i, err := range errs {
		args[i] = err
	}
	return fmt.Errorf(strings.TrimSuffix(strings.Repeat("%w; ", len(errs)), "; "), args...)
}
