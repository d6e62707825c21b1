package testnet

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/crypto/he"
	"statnet/roles/server"
)

// serverVerifiers are the verifiers as a cheating server uses them.
type serverVerifiers struct {
	server.Verifiers
	put    func(ctx context.Context, digest, data []byte) error
	submit func(ctx context.Context, p record.Payload, leaf []byte) (uint64, error)
}

// PutBlob implements server.Verifiers.
func (v serverVerifiers) PutBlob(ctx context.Context, digest, data []byte) error {
	if v.put == nil {
		return v.Verifiers.PutBlob(ctx, digest, data)
	}
	return v.put(ctx, digest, data)
}

// Submit implements server.Verifiers.
func (v serverVerifiers) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	e, err := record.Decode(leaf)
	if err != nil || v.submit == nil {
		return v.Verifiers.Submit(ctx, leaf)
	}
	return v.submit(ctx, e.Payload, leaf)
}

// Rewrites lets a server change its records of one type before it signs them; a
// change that returns an error sends nothing.
func Rewrites[P record.Payload](change func(ctx context.Context, s *server.Server, p P) error) func(*server.Server) {
	return func(s *server.Server) {
		inner := s.Verifiers
		s.Verifiers = serverVerifiers{Verifiers: inner, submit: func(ctx context.Context, p record.Payload, leaf []byte) (uint64, error) {
			mine, ok := p.(P)
			if !ok {
				return inner.Submit(ctx, leaf)
			}
			if err := change(ctx, s, mine); err != nil {
				return 0, err
			}
			leaf, err := record.Seal(s.Origin, s.Signer, mine)
			if err != nil {
				return 0, err
			}
			return inner.Submit(ctx, leaf)
		}}
	}
}

// Sums lets a coordinator add something else than the accepted ciphertexts and
// post the digests of that, under the list of the accepted.
func Sums(pick func(accepted []record.Hash) []record.Hash) func(*server.Server) {
	return Rewrites(func(ctx context.Context, s *server.Server, a *record.Aggregate) error {
		sum, err := addUp(ctx, s, a.QueryID, pick)
		if err != nil {
			return err
		}
		a.C0, a.C1 = sum.Hashes()
		return s.Verifiers.PutBlob(ctx, a.C0[:], sum.C0())
	})
}

// DropsOne leaves the last accepted ciphertext out of the sum.
func DropsOne(accepted []record.Hash) []record.Hash { return accepted[:len(accepted)-1] }

// DoublesOne adds the first accepted ciphertext twice.
func DoublesOne(accepted []record.Hash) []record.Hash {
	return append(slices.Clone(accepted), accepted[0])
}

func addUp(ctx context.Context, s *server.Server, id record.Hash, pick func([]record.Hash) []record.Hash) (*he.Sum, error) {
	var q *fsm.Query
	s.Ledger.View(func(st *fsm.State) { q, _ = st.Query(id) })
	if q == nil {
		return nil, fmt.Errorf("no query %x", id[:8])
	}
	sum, err := s.HE.NewSum(q.KeyEpoch, fsm.K)
	if err != nil {
		return nil, err
	}
	for _, d := range pick(q.AcceptedCiphertexts()) {
		data, err := s.Verifiers.GetBlob(ctx, d[:], 1<<20)
		if err != nil {
			return nil, err
		}
		ct, err := s.HE.ParseCiphertext(q.KeyEpoch, data)
		if err != nil {
			return nil, err
		}
		if err := sum.Add(ct); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// WrongC0 posts a digest of c0 that belongs to nothing.
func WrongC0(s *server.Server) {
	Rewrites(func(_ context.Context, _ *server.Server, a *record.Aggregate) error {
		a.C0[0] ^= 1
		return nil
	})(s)
}

// ShortList posts a sum over all but the last accepted answer, and says so in
// its list.
func ShortList(s *server.Server) {
	Rewrites(func(ctx context.Context, s *server.Server, a *record.Aggregate) error {
		sum, err := addUp(ctx, s, a.QueryID, DropsOne)
		if err != nil {
			return err
		}
		leaves, err := record.Leaves(a.Answers)
		if err != nil {
			return err
		}
		a.C0, a.C1 = sum.Hashes()
		a.Answers = record.Runs(leaves[:len(leaves)-1])
		return s.Verifiers.PutBlob(ctx, a.C0[:], sum.C0())
	})(s)
}

// NeverPosts drops every record of one type.
func NeverPosts[P record.Payload](s *server.Server) {
	Rewrites(func(context.Context, *server.Server, P) error { return errDouble })(s)
}

// SilentOpening makes its share and does not send it; share hears its digest.
func SilentOpening(share chan<- record.Hash) func(*server.Server) {
	return Rewrites(func(_ context.Context, _ *server.Server, k *record.KeySwitch) error {
		select {
		case share <- k.Share:
		default:
		}
		return errDouble
	})
}

// Shares lets a server send other bytes than its share, and sign their digest.
func Shares(change func([]byte) []byte) func(*server.Server) {
	return func(s *server.Server) {
		inner := s.Verifiers
		size, err := s.HE.Size(he.KindShare, fsm.K)
		if err != nil {
			panic(err) // a constant of the parameters
		}
		var sent atomic.Pointer[record.Hash]
		s.Verifiers = serverVerifiers{Verifiers: inner,
			put: func(ctx context.Context, digest, data []byte) error {
				if len(data) != size {
					return inner.PutBlob(ctx, digest, data)
				}
				data = change(data)
				d := he.DigestOf(data)
				sent.Store(&d)
				return inner.PutBlob(ctx, d[:], data)
			},
			submit: func(ctx context.Context, p record.Payload, leaf []byte) (uint64, error) {
				if k, ok := p.(*record.KeySwitch); ok && sent.Load() != nil {
					k.Share = *sent.Load()
					var err error
					if leaf, err = record.Seal(s.Origin, s.Signer, k); err != nil {
						return 0, err
					}
				}
				return inner.Submit(ctx, leaf)
			}}
	}
}

// NoShare is bytes of a share's size that are none.
func NoShare(share []byte) []byte { return bytes.Repeat([]byte{0xff}, len(share)) }

// OtherShare is a canonical share of other polynomials: without proofs no
// verifier can tell.
func OtherShare(share []byte) []byte {
	out := bytes.Clone(share)
	for i := 1024; i+1024 < len(out); i += 97 {
		out[i] ^= 1 // a low bit of some residue: its value mod Q is another
	}
	return out
}

// dealer is how a cheating dealer reaches the other members of its sets.
type dealer struct {
	server.Servers
	change func(epoch uint64, seed []byte) []byte
}

// Deal implements server.Servers.
func (d dealer) Deal(ctx context.Context, id string, epoch uint64, set uint16, seed []byte) error {
	return d.Servers.Deal(ctx, id, epoch, set, d.change(epoch, bytes.Clone(seed)))
}

// DealsWrongSeeds of the first key epoch.
func DealsWrongSeeds(s *server.Server) {
	s.Servers = dealer{s.Servers, func(epoch uint64, seed []byte) []byte {
		if epoch == 1 {
			seed[len(seed)-1] ^= 1
		}
		return seed
	}}
}
