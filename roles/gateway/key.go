package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/keys"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
)

// Cipher encrypts vectors of small integers under one collective key. Every
// call gives a fresh ciphertext.
type Cipher interface {
	Encrypt(values []uint16) (ciphertext []byte, err error)
}

// Keys makes the Cipher of a key epoch.
type Keys interface {
	Cipher(ctx context.Context, k *fsm.KeyEpoch) (Cipher, error)
	Close()
}

// keyring builds collective keys from the ledger's records and the verifiers'
// blobs, and keeps the newest one ready with a pool of encryptions of zero.
type keyring struct {
	he        *he.Context
	cluster   *config.Cluster
	verifiers []Verifier

	mu      sync.Mutex
	epoch   uint64        // of current; guarded by mu
	current *he.Encryptor // guarded by mu
}

// NewKeys returns the real Keys of a cluster.
func NewKeys(hctx *he.Context, cluster *config.Cluster, verifiers []Verifier) Keys {
	return &keyring{he: hctx, cluster: cluster, verifiers: verifiers}
}

// Cipher returns the encryption under k's key: query step Q4. The pool belongs
// to the newest epoch; a question that still names an older one is encrypted
// without.
func (r *keyring) Cipher(ctx context.Context, k *fsm.KeyEpoch) (Cipher, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil && r.epoch == k.Epoch {
		return cipher{r.current}, nil
	}
	pk, err := keys.Public(ctx, r.he, r.cluster, k, r.fetch)
	if err != nil {
		return nil, err
	}
	if k.Epoch < r.epoch {
		e, err := r.he.NewEncryptor(pk, 0)
		return cipher{e}, err
	}
	e, err := r.he.NewEncryptor(pk, he.DefaultPool)
	if err != nil {
		return nil, err
	}
	if r.current != nil {
		// A question that holds the old one now declines; encryptions made
		// ahead under a retired key must not stay in memory.
		r.current.Close()
	}
	r.epoch, r.current = k.Epoch, e
	return cipher{e}, nil
}

// fetch asks the verifiers in turn. keys checks the digest.
func (r *keyring) fetch(ctx context.Context, digest record.Hash, max int64) ([]byte, error) {
	var errs []error
	for _, v := range r.verifiers {
		b, err := v.GetBlob(ctx, digest[:], max)
		if err == nil && he.DigestOf(b) == digest {
			return b, nil
		}
		if err == nil {
			err = he.ErrDigest
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("no verifier has blob %x: %w", digest[:8], errors.Join(errs...))
}

// Close clears the pool.
func (r *keyring) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		r.current.Close()
	}
	r.current, r.epoch = nil, 0
}

type cipher struct{ e *he.Encryptor }

// Encrypt implements Cipher. The witness would make a proof; until there is
// one it is destroyed at once.
func (c cipher) Encrypt(values []uint16) ([]byte, error) {
	ct, w, err := c.e.Encrypt(values)
	if err != nil {
		return nil, err
	}
	w.Destroy()
	return ct.Bytes(), nil
}

// warmRetry is the pause after a key could not be built.
const warmRetry = 2 * time.Second

// warm prepares each new key as soon as the ledger has it, so that a question
// finds encryptions of zero made ahead.
func (g *Gateway) warm(ctx context.Context) error {
	defer g.Keys.Close()
	for have := uint64(0); ; {
		var k *fsm.KeyEpoch
		err := g.Ledger.Until(ctx, func(s *fsm.State) bool {
			var ok bool
			k, ok = s.CurrentKey()
			return ok && k.Epoch > have
		})
		if err != nil {
			return err
		}
		if _, err := g.Keys.Cipher(ctx, k); err == nil {
			have = k.Epoch
			g.Config.Log.Info("collective key ready", "key_epoch", k.Epoch)
			continue
		} else if ctx.Err() == nil {
			g.Config.Log.Warn("collective key not ready", "key_epoch", k.Epoch, "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(warmRetry):
		}
	}
}
