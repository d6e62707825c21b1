package server

import (
	"context"
	"fmt"

	"statnet/chain/record"
	"statnet/crypto/he"
)

// cached is a ciphertext that a gateway sent over its link.
type cached struct {
	query record.Hash
	data  []byte
}

// maxCached bounds the ciphertexts kept in memory, about 110 kB each. Without
// the cache they are fetched from the verifiers: it saves a journey, no more.
const maxCached = 512

// Uploaded takes the ciphertexts of a gateway's answer, one after the other.
// They are kept under their own digests, so a wrong one is never asked for.
func (s *Server) Uploaded(gateway string, queryID, data []byte) {
	id := record.Hash(queryID)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(data) >= s.ciphertextSize && s.started[id] && len(s.received) < maxCached {
		part := data[:s.ciphertextSize:s.ciphertextSize]
		s.received[he.DigestOf(part)] = cached{query: id, data: part}
		data = data[s.ciphertextSize:]
	}
	s.Log.Debug("ciphertext received", "query", fmt.Sprintf("%x", id[:8]), "step", "Q4", "gateway", gateway)
}

// ciphertext returns the bytes under a logged digest: received over a link, or
// from the verifiers.
func (s *Server) ciphertext(ctx context.Context, digest record.Hash) ([]byte, error) {
	s.mu.Lock()
	c, ok := s.received[digest]
	s.mu.Unlock()
	if ok {
		return c.data, nil
	}
	data, err := s.Verifiers.GetBlob(ctx, digest[:], int64(s.ciphertextSize))
	if err != nil {
		return nil, fmt.Errorf("fetch ciphertext %x: %w", digest[:8], err)
	}
	if he.DigestOf(data) != digest {
		return nil, fmt.Errorf("ciphertext %x: %w", digest[:8], he.ErrDigest)
	}
	return data, nil
}
