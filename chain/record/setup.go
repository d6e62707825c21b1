package record

import (
	"bytes"
	"encoding/binary"
)

// Cut advances ledger time and fixes the size of the next checkpoint: the
// CUT's own leaf + 1.
type Cut struct {
	Previous uint64  `cbor:"1,keyasint"` // leaf of the CUT before, or 0
	Claims   []Claim `cbor:"2,keyasint"` // of at least q verifiers, sorted by path
}

// Type implements Payload.
func (*Cut) Type() Type          { return TypeCut }
func (c *Cut) seq([]byte) uint64 { return c.Previous }
func (*Cut) query([]byte) Hash   { return Hash{} }

func (c *Cut) check() error {
	if len(c.Claims) == 0 {
		return malformed("CUT: no claims")
	}
	for i, cl := range c.Claims {
		if i > 0 && cl.Path <= c.Claims[i-1].Path {
			return malformed("CUT: claims not sorted by path")
		}
		if cl.UnixMS > 1<<53 {
			return malformed("CUT: time %d", cl.UnixMS)
		}
	}
	return nil
}

// Sample is a gateway's commitments to its patients' sums at an epoch's end.
type Sample struct {
	Epoch       uint64       `cbor:"1,keyasint"` // Unix seconds / 300
	Patients    []Commitment `cbor:"2,keyasint"` // sorted, <= MaxSamples
	ProofSystem string       `cbor:"3,keyasint"`
	Previous    uint64       `cbor:"4,keyasint"` // own SAMPLE leaf before, or 0
}

// Commitment is one patient's line of a SAMPLE.
type Commitment struct {
	_          struct{} `cbor:",toarray"`
	Patient    Pseudonym
	Commitment []byte // <= MaxCommitment bytes
	Proof      Hash
	ProofSize  uint64 // bytes
}

// Type implements Payload.
func (*Sample) Type() Type          { return TypeSample }
func (s *Sample) seq([]byte) uint64 { return s.Epoch }
func (*Sample) query([]byte) Hash   { return Hash{} }

func (s *Sample) check() error {
	if len(s.Patients) == 0 || len(s.Patients) > MaxSamples {
		return malformed("SAMPLE: %d patients, want 1 to %d", len(s.Patients), MaxSamples)
	}
	for i, c := range s.Patients {
		if len(c.Commitment) > MaxCommitment {
			return malformed("SAMPLE: commitment %d has %d bytes", i, len(c.Commitment))
		}
		if i > 0 && bytes.Compare(s.Patients[i-1].Patient[:], c.Patient[:]) >= 0 {
			return malformed("SAMPLE: patients not ascending")
		}
	}
	return nil
}

// Rounds of KEYGEN.
const (
	RoundCommit    = 1 // commitment to the server's nonce, every server
	RoundNonce     = 2 // the nonce itself, every server
	RoundKeyCommit = 3 // commitment to b_A, the dealer of every set A
	RoundKey       = 4 // digest of the key contribution, the dealer of every set A
	RoundConfirm   = 5 // every member of A recomputed b_A: exact
	RoundComplaint = 6 // a member did not get b_A from its seed: aborts the epoch
)

// KeyGen is one step of generating the collective key of an epoch.
type KeyGen struct {
	Epoch     uint64 `cbor:"1,keyasint"`           // from 1
	Round     uint8  `cbor:"2,keyasint"`           // 1 to 6
	Set       uint16 `cbor:"3,keyasint,omitempty"` // rounds 3 to 6: sub-key set, bit i-1 for server i
	Digest    Hash   `cbor:"4,keyasint"`           // commitment, nonce or digest; of the disputed key in rounds 5, 6
	Proof     Hash   `cbor:"5,keyasint,omitzero"`  // round 4, once proofs exist
	ProofSize uint64 `cbor:"6,keyasint,omitempty"` // bytes
}

// Type implements Payload.
func (*KeyGen) Type() Type { return TypeKeyGen }
func (k *KeyGen) seq([]byte) uint64 {
	return k.Epoch<<32 | uint64(k.Round)<<16 | uint64(k.Set)
}
func (*KeyGen) query([]byte) Hash { return Hash{} }

func (k *KeyGen) check() error {
	switch {
	case k.Epoch == 0 || k.Epoch >= 1<<32:
		return malformed("KEYGEN: epoch %d", k.Epoch)
	case k.Round < RoundCommit || k.Round > RoundComplaint:
		return malformed("KEYGEN: unknown round %d", k.Round)
	case (k.Round <= RoundNonce) != (k.Set == 0):
		return malformed("KEYGEN: round %d with set %#x", k.Round, k.Set)
	case k.Round != RoundKey && (k.Proof != Hash{} || k.ProofSize != 0):
		return malformed("KEYGEN: proof in round %d", k.Round)
	}
	return nil
}

func firstUint64(payload []byte) uint64 {
	h := hashOf(payload)
	return binary.BigEndian.Uint64(h[:8])
}
