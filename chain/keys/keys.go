// Package keys reads off the ledger what encryption and opening rest on: the
// collective key of an epoch, and the opening of a query.
//
//	KEYGEN records ─▶ fsm.KeyEpoch ─┬─▶ CRS ─▶ a
//	blobs (b_A, by digest) ─────────┴─▶ SubKeys ─▶ PublicKey (b, a)
//
// Whoever encrypts or opens builds the key itself from what all servers
// committed to and revealed; no server is asked what the key is.
//
// It does not check that the state is that of a co-signed checkpoint, nor that
// a sub-key is short: that needs its proof.
package keys

import (
	"context"
	"fmt"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
)

// Fetch returns the blob with the given SHA-256 and at most max bytes.
type Fetch func(ctx context.Context, digest record.Hash, max int64) ([]byte, error)

// CRS derives the common random string of an epoch. All nonces must be in.
func CRS(hctx *he.Context, cluster *config.Cluster, k *fsm.KeyEpoch) (he.CRS, error) {
	members := make([]he.Member, 0, len(cluster.Servers))
	for _, s := range cluster.Servers {
		path := record.RoleServer + "/" + s.ID
		nonce, ok := k.Nonces[path]
		if !ok {
			return he.CRS{}, fmt.Errorf("key epoch %d: no nonce of %s yet", k.Epoch, path)
		}
		members = append(members, he.Member{
			ID: s.ID, Key: s.RecordKey, Commit: k.Commits[path].Digest, Nonce: nonce.Digest,
		})
	}
	crs, err := hctx.NewCRS(k.Epoch, cluster.Opening.Threshold, members)
	if err != nil {
		return he.CRS{}, fmt.Errorf("key epoch %d: %w", k.Epoch, err)
	}
	return crs, nil
}

// SubKeys fetches and parses the public sub-keys of all sets, in their order.
// Each must have the digest that its round 4 record names.
func SubKeys(ctx context.Context, hctx *he.Context, crs he.CRS, k *fsm.KeyEpoch, fetch Fetch) ([]*he.PublicSubKey, error) {
	size, err := hctx.Size(he.KindContribution, 0)
	if err != nil {
		return nil, err
	}
	var out []*he.PublicSubKey
	for _, set := range crs.Committee.Sets() {
		entry, ok := k.Keys[uint16(set)]
		if !ok {
			return nil, fmt.Errorf("key epoch %d: no sub-key of set %v yet", k.Epoch, set)
		}
		data, err := fetch(ctx, entry.Digest, int64(size))
		if err != nil {
			return nil, fmt.Errorf("fetch sub-key of set %v: %w", set, err)
		}
		if he.DigestOf(data) != entry.Digest {
			return nil, fmt.Errorf("sub-key of set %v: %w", set, he.ErrDigest)
		}
		sub, err := hctx.ParseContribution(crs, set, data)
		if err != nil {
			return nil, fmt.Errorf("sub-key of set %v: %w", set, err)
		}
		out = append(out, sub)
	}
	return out, nil
}

// Public builds the collective key of an epoch from the ledger's state and the
// blobs that it names.
func Public(ctx context.Context, hctx *he.Context, cluster *config.Cluster, k *fsm.KeyEpoch, fetch Fetch) (*he.PublicKey, error) {
	crs, err := CRS(hctx, cluster, k)
	if err != nil {
		return nil, err
	}
	subs, err := SubKeys(ctx, hctx, crs, k, fetch)
	if err != nil {
		return nil, err
	}
	return Combine(hctx, crs, k, subs)
}

// Combine adds public sub-keys into the collective key, each checked against
// the commitment of its round 3 record.
func Combine(hctx *he.Context, crs he.CRS, k *fsm.KeyEpoch, subs []*he.PublicSubKey) (*he.PublicKey, error) {
	var commits []he.Digest
	for _, set := range crs.Committee.Sets() {
		commits = append(commits, k.KeyCommits[uint16(set)].Digest)
	}
	pk, err := hctx.NewPublicKey(crs, commits, subs)
	if err != nil {
		return nil, fmt.Errorf("key epoch %d: %w", k.Epoch, err)
	}
	return pk, nil
}
