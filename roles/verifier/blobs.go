package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"statnet/chain/blob"
	"statnet/chain/record"
)

// errBlobSize reports a blob whose length cannot be right for its kind.
var errBlobSize = errors.New("blob has the wrong size")

// peerBlobTimeout bounds one attempt to fetch a blob from one peer.
const peerBlobTimeout = 2 * time.Second

// blob returns the bytes under a digest: from the own store, else from a peer,
// whose bytes are stored if they have the digest. want is the exact size; a
// peer that announces more is cut off before anything is allocated for it.
func (v *Verifier) blob(ctx context.Context, digest record.Hash, want int64) ([]byte, error) {
	if data, err := v.Ledger.Blobs().Get(digest, blob.MaxBlob); err == nil {
		return sized(data, want)
	}
	var errs []error
	for _, id := range v.peerIDs {
		data, err := v.fetch(ctx, id, digest, want)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := v.Ledger.Blobs().Put(digest, data); err != nil {
			errs = append(errs, err)
			continue
		}
		return sized(data, want)
	}
	return nil, fmt.Errorf("blob %x is nowhere: %w", digest[:8], errors.Join(errs...))
}

func (v *Verifier) fetch(ctx context.Context, id string, digest record.Hash, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, peerBlobTimeout)
	defer cancel()
	data, err := v.Peers.Blob(ctx, id, digest[:], limit)
	if err != nil {
		return nil, fmt.Errorf("fetch blob %x from %s: %w", digest[:8], id, err)
	}
	return data, nil
}

func sized(data []byte, want int64) ([]byte, error) {
	if int64(len(data)) != want {
		return nil, fmt.Errorf("%w: %d bytes, want %d", errBlobSize, len(data), want)
	}
	return data, nil
}
