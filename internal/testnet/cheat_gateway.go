package testnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/roles/gateway"
)

// errDouble is what a double says when it does not do what it should.
var errDouble = errors.New("the double does nothing")

// gatewayVerifier is a verifier as a cheating gateway uses it.
type gatewayVerifier struct {
	gateway.Verifier
	put    func(ctx context.Context, v gateway.Verifier, digest, data []byte) error
	submit func(ctx context.Context, v gateway.Verifier, leaf []byte) (uint64, error)
}

// PutBlob implements gateway.Verifier.
func (v gatewayVerifier) PutBlob(ctx context.Context, digest, data []byte) error {
	if v.put == nil {
		return v.Verifier.PutBlob(ctx, digest, data)
	}
	return v.put(ctx, v.Verifier, digest, data)
}

// Submit implements gateway.Verifier.
func (v gatewayVerifier) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	if v.submit == nil {
		return v.Verifier.Submit(ctx, leaf)
	}
	return v.submit(ctx, v.Verifier, leaf)
}

// through puts a double between a gateway and all verifiers.
func through(g *gateway.Gateway, double gatewayVerifier) {
	g.Verifiers = slices.Clone(g.Verifiers)
	for i, v := range g.Verifiers {
		d := double
		d.Verifier = v
		g.Verifiers[i] = d
	}
}

// AltersBlobs sends other bytes to the verifiers than those whose digest it
// signs: a ciphertext altered in flight.
func AltersBlobs(g *gateway.Gateway) {
	through(g, gatewayVerifier{put: func(ctx context.Context, v gateway.Verifier, digest, data []byte) error {
		return v.PutBlob(ctx, digest, flipped(data))
	}})
}

// AltersOneBlob does it to the first verifier only.
func AltersOneBlob(g *gateway.Gateway) {
	first := g.Verifiers[0]
	through(g, gatewayVerifier{put: func(ctx context.Context, v gateway.Verifier, digest, data []byte) error {
		if v == first {
			data = flipped(data)
		}
		return v.PutBlob(ctx, digest, data)
	}})
}

// flipped changes one bit in the middle.
func flipped(data []byte) []byte {
	out := bytes.Clone(data)
	out[len(out)/2] ^= 1
	return out
}

// gatewayLink is the link of a gateway whose uploads are changed on the way.
type gatewayLink struct {
	gateway.Link
	change func([]byte) []byte
}

// Upload implements gateway.Link.
func (l gatewayLink) Upload(ctx context.Context, id [32]byte, data []byte) error {
	return l.Link.Upload(ctx, id, l.change(data))
}

// AltersUpload sends other bytes to its home server than to the verifiers.
func AltersUpload(g *gateway.Gateway) { g.Link = gatewayLink{g.Link, flipped} }

// gatewayKeys changes what is encrypted, and every ciphertext before the gateway
// signs its digest.
type gatewayKeys struct {
	gateway.Keys
	lie    func(values []uint16)
	change func([]byte) []byte
}

type gatewayCipher struct {
	gateway.Cipher
	gatewayKeys
}

// Cipher implements gateway.Keys.
func (k gatewayKeys) Cipher(ctx context.Context, e *fsm.KeyEpoch) (gateway.Cipher, error) {
	c, err := k.Keys.Cipher(ctx, e)
	return gatewayCipher{c, k}, err
}

// Encrypt implements gateway.Cipher.
func (c gatewayCipher) Encrypt(values []uint16) ([]byte, error) {
	c.lie(values)
	b, err := c.Cipher.Encrypt(values)
	if err != nil {
		return nil, err
	}
	return c.change(b), nil
}

// Ciphertexts changes what a gateway encrypts; everything else it does right,
// down to the signature over the digest.
func Ciphertexts(change func([]byte) []byte) func(*gateway.Gateway) {
	return func(g *gateway.Gateway) { g.Keys = gatewayKeys{g.Keys, func([]uint16) {}, change} }
}

// Values changes the coefficients before they are encrypted: the lie that only
// a proof can show.
func Values(lie func([]uint16)) func(*gateway.Gateway) {
	return func(g *gateway.Gateway) {
		g.Keys = gatewayKeys{g.Keys, lie, func(b []byte) []byte { return b }}
	}
}

// ResidueTooLarge is a ciphertext with a residue that is not below its modulus.
func ResidueTooLarge(b []byte) []byte {
	out := bytes.Clone(b)
	copy(out[len(out)/2:], bytes.Repeat([]byte{0xff}, 16)) // holds a residue of 53 ones
	return out
}

// OneByteShort is a ciphertext without its last byte.
func OneByteShort(b []byte) []byte { return b[:len(b)-1] }

// FourMore is a ciphertext with four bytes behind its end.
func FourMore(b []byte) []byte { return append(bytes.Clone(b), 0, 0, 0, 0) }

// RepeatsCiphertext answers every question with the ciphertext of its first
// answer: the sums of both questions would give away a difference.
func RepeatsCiphertext() func(*gateway.Gateway) {
	var mu sync.Mutex
	var first []byte
	return Ciphertexts(func(b []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = b
		}
		return first
	})
}

// ReplaysRecord answers every question with the signed record of its first.
func ReplaysRecord() func(*gateway.Gateway) {
	var mu sync.Mutex
	var first []byte
	return func(g *gateway.Gateway) {
		through(g, gatewayVerifier{submit: func(ctx context.Context, v gateway.Verifier, leaf []byte) (uint64, error) {
			mu.Lock()
			if first == nil {
				first = leaf
			}
			leaf = first
			mu.Unlock()
			return v.Submit(ctx, leaf)
		}})
	}
}

// ForeignPatients answers in the name of patients that are not its own.
func ForeignPatients(whose ...record.Pseudonym) func(*gateway.Gateway) {
	return func(g *gateway.Gateway) {
		through(g, gatewayVerifier{submit: func(ctx context.Context, v gateway.Verifier, leaf []byte) (uint64, error) {
			leaf, err := reanswer(g, leaf, func(a *record.Answer) { a.Parts[0].Patients = record.SortPseudonyms(whose) })
			if err != nil {
				return 0, err
			}
			return v.Submit(ctx, leaf)
		}})
	}
}

// AnswersTwice signs two different answers to every question, and hears in
// second what the ledger says to the other one.
func AnswersTwice(second chan<- error) func(*gateway.Gateway) {
	return func(g *gateway.Gateway) {
		through(g, gatewayVerifier{submit: func(ctx context.Context, v gateway.Verifier, leaf []byte) (uint64, error) {
			index, err := v.Submit(ctx, leaf)
			if err != nil {
				return index, err
			}
			other, err := reanswer(g, leaf, func(a *record.Answer) {
				a.Parts[0].Ciphertext = sha256.Sum256(a.Parts[0].Ciphertext[:])
			})
			if err == nil {
				_, err = v.Submit(ctx, other)
			}
			select {
			case second <- err:
			default: // one is enough
			}
			return index, nil
		}})
	}
}

// reanswer signs a changed answer with the gateway's own key.
func reanswer(g *gateway.Gateway, leaf []byte, change func(*record.Answer)) ([]byte, error) {
	e, err := record.Decode(leaf)
	if err != nil {
		return nil, err
	}
	a, ok := e.Payload.(*record.Answer)
	if !ok || len(a.Parts) == 0 {
		return leaf, nil
	}
	change(a)
	return record.Seal(record.Origin(g.Config.Cluster.Name, g.Config.Genesis), g.Signer, a)
}

// SilentAfter computes, stores its answer and goes no further: as if it were
// killed then. Digest hears the digest of the first ciphertext that it would
// have sent.
func SilentAfter(digest chan<- []byte) func(*gateway.Gateway) {
	return func(g *gateway.Gateway) {
		through(g, gatewayVerifier{
			put: func(ctx context.Context, _ gateway.Verifier, d, _ []byte) error {
				select {
				case digest <- bytes.Clone(d):
				default:
				}
				<-ctx.Done()
				return ctx.Err()
			},
			submit: func(context.Context, gateway.Verifier, []byte) (uint64, error) { return 0, errDouble },
		})
		g.Link = silentLink{g.Link}
	}
}

// silentLink uploads nothing.
type silentLink struct{ gateway.Link }

// Upload implements gateway.Link.
func (silentLink) Upload(ctx context.Context, _ [32]byte, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}
