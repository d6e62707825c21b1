package testnet

import (
	"context"

	"statnet/chain/record"
	"statnet/roles/verifier"
	"statnet/wire"
)

// voter is the ledger as a cheating verifier uses it.
type voter struct {
	verifier.Ledger
	seal   func(record.Payload) ([]byte, error)
	change func(*record.Verdict) bool // false: the verdict is not sent
}

// Submit implements verifier.Ledger.
func (l voter) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	e, err := record.Decode(leaf)
	if v, ok := e.Payload.(*record.Verdict); err == nil && ok {
		if !l.change(v) {
			return 0, errDouble
		}
		if leaf, err = l.seal(v); err != nil {
			return 0, err
		}
	}
	return l.Ledger.Submit(ctx, leaf)
}

// Votes lets a verifier change its verdicts before it signs them.
func Votes(change func(*record.Verdict) bool) VerifierDouble {
	return VerifierDouble{Opened: func(v *verifier.Verifier) {
		v.Ledger = voter{v.Ledger, func(p record.Payload) ([]byte, error) { return record.Seal(v.Origin, v.Signer, p) }, change}
	}}
}

// SaysAlways gives one code to everything.
func SaysAlways(code record.Code) VerifierDouble {
	return Votes(func(v *record.Verdict) bool {
		codes := map[uint64]record.Code{}
		for _, c := range v.Codes() {
			codes[c.First] = code
		}
		v.Items, v.Notes = record.VerdictItems(codes), nil
		return true
	})
}

// SaysNothing orders records and signs checkpoints, but gives no verdict.
func SaysNothing() VerifierDouble { return Votes(func(*record.Verdict) bool { return false }) }

// hiddenBlobs takes blobs, says that they are stored, and gives get.
type hiddenBlobs struct {
	get func(digest []byte) ([]byte, error)
}

// PutBlob implements wire.BlobHandler.
func (hiddenBlobs) PutBlob(context.Context, []byte, []byte) error { return nil }

// GetBlob implements wire.BlobHandler.
func (h hiddenBlobs) GetBlob(_ context.Context, digest []byte) ([]byte, error) { return h.get(digest) }

// HasBlob implements wire.BlobHandler.
func (hiddenBlobs) HasBlob(context.Context, []byte) (bool, error) { return true, nil }

// WithholdsBlobs says that it stored what it throws away.
func WithholdsBlobs() VerifierDouble {
	return blobs(func(digest []byte) ([]byte, error) {
		return nil, wire.NewError(wire.CodeNotFound, "blob %x is not here", digest[:8])
	})
}

// GivesOtherBlobs answers every request with the same other bytes.
func GivesOtherBlobs(data []byte) VerifierDouble {
	return blobs(func([]byte) ([]byte, error) { return data, nil })
}

func blobs(get func([]byte) ([]byte, error)) VerifierDouble {
	return VerifierDouble{Options: []verifier.Option{
		verifier.WithBlobs(func(wire.BlobHandler) wire.BlobHandler { return hiddenBlobs{get} }),
	}}
}
