package he

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Gate is the judgement that this package cannot make. Admit returns nil only
// if this server itself checked, on the co-signed ledger and on nobody's word:
//
//   - the query is there, signed by an authorised querier, unexpired, of this
//     key epoch, and it names the querier key of o;
//   - every listed ciphertext is certified by a quorum of verifiers for this
//     query, from distinct providers;
//   - the accepted answers cover as many patients as the policy demands;
//   - o is what the ledger fixed, and if o.Attempt is LastAttempt, the ledger
//     ordered this re-issue.
//
// One uncertified ciphertext in an opened sum can cost the whole key.
type Gate interface {
	Admit(ctx context.Context, o Opening, octx Digest) error
}

// Opener is the only way to a key-switch share. It makes at most one per
// opening context, stores it before it returns it, and never opens a ciphertext
// in two contexts. Safe for concurrent use: slow fetches run side by side,
// shares are made and stored one at a time.
type Opener struct {
	ctx  *Context
	gate Gate

	mu  sync.Mutex
	key *ServerKey // guarded by mu, but for its immutable server, epoch and committee
	log ShareLog   // guarded by mu
}

// NewOpener returns the Opener of a server key. Gate and log are required.
func (c *Context) NewOpener(key *ServerKey, gate Gate, log ShareLog) (*Opener, error) {
	if key == nil || gate == nil || log == nil {
		return nil, errors.New("new opener: key, gate and share log are required")
	}
	if key.ctx.params.ID != c.params.ID {
		return nil, fmt.Errorf("new opener: %w", ErrParams)
	}
	return &Opener{ctx: c, key: key, gate: gate, log: log}, nil
}

// Share returns this server's share for an opening (query step Q7). Next yields
// the encoded ciphertexts that o lists, in that order, as this server itself
// fetched them.
//
// A share that was stored under the same context is returned as it was: making
// it again with fresh noise would let an observer average the noise away. Then
// neither gate nor next is asked, and the count of openings does not change.
//
// Any error means that no share was made, except an error of ShareLog.Store,
// after which the share may or may not be stored; calling again is safe.
func (p *Opener) Share(ctx context.Context, o Opening, to *QuerierPublicKey, next func() ([]byte, error)) (*Share, error) {
	o = o.clone() // the gate must judge what is opened, whatever the caller does meanwhile
	if to == nil || next == nil {
		return nil, errors.New("share: querier key and ciphertexts are required")
	}
	if err := p.checkOwn(&o, to); err != nil {
		return nil, fmt.Errorf("share for query %x: %w", o.Query[:8], err)
	}
	s, err := p.share(ctx, o, to, next)
	if err != nil {
		return nil, fmt.Errorf("share for query %x: %w", o.Query[:8], err)
	}
	return s, nil
}

// Close destroys the server key, after the share that is being made. Call it
// when the epoch's last query is closed. Stored shares are still returned.
func (p *Opener) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key.Destroy()
}

// checkOwn makes the checks that need neither ledger nor log.
func (p *Opener) checkOwn(o *Opening, to *QuerierPublicKey) error {
	if o.Epoch != p.key.Epoch() || to.epoch != o.Epoch {
		return fmt.Errorf("opening of epoch %d, querier key of epoch %d, server key of epoch %d: %w", o.Epoch, to.epoch, p.key.Epoch(), ErrEpoch)
	}
	if to.ctx.params.ID != p.ctx.params.ID {
		return fmt.Errorf("querier key: %w", ErrParams)
	}
	if err := p.ctx.checkOpening(p.key.Committee(), o); err != nil {
		return err
	}
	if !slices.Contains(o.Active, p.key.server) {
		return fmt.Errorf("server %d is not in %v: %w", p.key.server, o.Active, ErrActiveSet)
	}
	if got := to.Digest(); got != o.QuerierKey {
		return fmt.Errorf("querier key has digest %x, the query names %x: %w", got, o.QuerierKey, ErrDigest)
	}
	return nil
}

func (p *Opener) share(ctx context.Context, o Opening, to *QuerierPublicKey, next func() ([]byte, error)) (*Share, error) {
	octx := p.ctx.OpeningContext(o)
	opened := Opened{Context: octx, Subject: p.ctx.subject(o), Attempt: o.Attempt, Active: o.Active}
	if stored, err := p.recall(o, opened); stored != nil || err != nil {
		return stored, err
	}
	if err := p.gate.Admit(ctx, o.clone(), octx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGate, err)
	}
	sum, err := p.add(o, next)
	if err != nil {
		return nil, err
	}
	return p.make(o, opened, sum, to)
}

// recall returns the stored share of this context, if there is one, and
// otherwise whether the history allows one.
func (p *Opener) recall(o Opening, opened Opened) (*Share, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lookUp(o, opened)
}

// lookUp is recall with p.mu held.
func (p *Opener) lookUp(o Opening, opened Opened) (*Share, error) {
	stored, found, err := p.log.Share(opened.Context)
	if err != nil {
		return nil, fmt.Errorf("look up stored share: %w", err)
	}
	if found {
		return p.newShare(opened.Context, stored), nil
	}
	return nil, p.checkHistory(o, opened)
}

// make looks again, since another call may have come first while this one
// fetched, then makes and stores the share. History, count and Store see one
// state of the log because p.mu is held throughout.
func (p *Opener) make(o Opening, opened Opened, sum *Sum, to *QuerierPublicKey) (*Share, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stored, err := p.lookUp(o, opened); stored != nil || err != nil {
		return stored, err
	}
	b, err := p.key.makeShare(o, sum, to)
	if err != nil {
		return nil, err
	}
	r := ShareRecord{Epoch: o.Epoch, Opened: opened, Ciphertexts: o.Ciphertexts, Share: b}
	if err := p.log.Store(r); err != nil {
		return nil, fmt.Errorf("store share: %w", err)
	}
	return p.newShare(opened.Context, b), nil
}

func (p *Opener) newShare(octx Digest, b []byte) *Share {
	return &Share{Server: p.key.server, Context: octx, Digest: DigestOf(b), Data: b}
}

// checkHistory refuses an opening beyond the limit of the epoch, and one that
// contains a ciphertext of another opening. The exception is a re-issue: same
// query, list, sum and key, next attempt, other active set.
func (p *Opener) checkHistory(o Opening, opened Opened) error {
	n, err := p.log.Openings(o.Epoch)
	if err != nil {
		return fmt.Errorf("count openings: %w", err)
	}
	if n >= MaxOpenings {
		return fmt.Errorf("%d openings in epoch %d: %w", n, o.Epoch, ErrExhausted)
	}
	for i, d := range o.Ciphertexts {
		last, found, err := p.log.Last(d)
		if err != nil {
			return fmt.Errorf("look up ciphertext %d: %w", i, err)
		}
		reissue := last.Subject == opened.Subject && last.Attempt+1 == o.Attempt && !slices.Equal(last.Active, o.Active)
		if found && !reissue {
			return fmt.Errorf("ciphertext %d (%x) under %x: %w", i, d[:8], last.Context[:8], ErrOpened)
		}
	}
	return nil
}

// add fetches, checks and adds every listed ciphertext, and compares the sum
// with the one on the ledger.
func (p *Opener) add(o Opening, next func() ([]byte, error)) (*Sum, error) {
	sum, err := p.ctx.NewSum(o.Epoch, o.K)
	if err != nil {
		return nil, err
	}
	for i, want := range o.Ciphertexts {
		b, err := next()
		if err != nil {
			return nil, fmt.Errorf("fetch ciphertext %d: %w", i, err)
		}
		if got := DigestOf(b); got != want {
			return nil, fmt.Errorf("ciphertext %d is %x, listed is %x: %w", i, got[:8], want[:8], ErrDigest)
		}
		t, err := p.ctx.ParseCiphertext(o.Epoch, b)
		if err != nil {
			return nil, fmt.Errorf("ciphertext %d: %w", i, err)
		}
		if err := sum.Add(t); err != nil {
			return nil, err
		}
	}
	if c0, c1 := sum.Hashes(); c0 != o.C0 || c1 != o.C1 {
		return nil, fmt.Errorf("sum of %d ciphertexts differs from the certified one: %w", sum.n, ErrDigest)
	}
	return sum, nil
}
