// Package merkle proves that a record is in the ledger, and that a longer
// ledger begins with a shorter one. It is the tree of RFC 6962 on top of
// golang.org/x/mod/sumdb/tlog.
//
//	leaf ──0x00──▶ leaf hash ─┐
//	leaf ──0x00──▶ leaf hash ─┴─0x01──▶ node ─ … ─▶ root   (signed in a checkpoint)
//
// The prefixes 0x00 and 0x01 keep leaves and nodes apart: without them a node's
// two hashes could be presented as a record.
//
// tlog counts in int64 and panics or misbehaves outside its range; every
// function here takes uint64 and refuses such numbers first. Nothing here
// checks who signed a root.
package merkle

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 digest of a leaf, a node or a whole tree.
type Hash = tlog.Hash

// Reader reads stored hashes by their position (see StoredIndex). Memory and
// the ledger's database implement it.
type Reader = tlog.HashReader

// HashSize is the length of a Hash in bytes.
const HashSize = tlog.HashSize

// MaxSize bounds the number of leaves. It keeps the number of stored hashes,
// which is below twice the leaves, inside an int64.
const MaxSize = 1 << 40

// maxProof is the longest proof a tree of MaxSize leaves can need.
const maxProof = 2 * 41

// ErrProof reports a proof that does not show what it claims.
var ErrProof = errors.New("merkle proof does not verify")

// ErrRange reports an index or size that no tree can have.
var ErrRange = errors.New("outside the tree")

// LeafHash is SHA-256(0x00 || leaf).
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }

// Empty is the root of a tree without leaves, SHA-256 of nothing. It is never
// signed: nothing can be consistent or inconsistent with it.
func Empty() Hash { return sha256.Sum256(nil) }

// Root is the root of the first size leaves.
func Root(size uint64, r Reader) (Hash, error) {
	if size > MaxSize {
		return Hash{}, fmt.Errorf("root of %d leaves: %w", size, ErrRange)
	}
	if size == 0 {
		return Empty(), nil
	}
	h, err := tlog.TreeHash(int64(size), r)
	if err != nil {
		return Hash{}, fmt.Errorf("root of %d leaves: %w", size, err)
	}
	return h, nil
}

// ProveInclusion shows that leaf index is in the tree of size leaves.
func ProveInclusion(index, size uint64, r Reader) ([]Hash, error) {
	if size > MaxSize || index >= size {
		return nil, fmt.Errorf("prove leaf %d of %d: %w", index, size, ErrRange)
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), r)
	if err != nil {
		return nil, fmt.Errorf("prove leaf %d of %d: %w", index, size, err)
	}
	return p, nil
}

// VerifyInclusion checks that leaf sits at index in a ledger of size leaves
// with the given root.
//
// It does not check who signed root, nor that root extends an earlier root:
// callers must do both, or a malicious verifier can show different ledgers to
// different readers.
func VerifyInclusion(index, size uint64, root, leaf Hash, proof []Hash) error {
	if size > MaxSize || index >= size {
		return fmt.Errorf("check leaf %d of %d: %w", index, size, ErrRange)
	}
	if len(proof) > maxProof {
		return fmt.Errorf("check leaf %d of %d: %d hashes: %w", index, size, len(proof), ErrProof)
	}
	if err := tlog.CheckRecord(proof, int64(size), root, int64(index), leaf); err != nil {
		return fmt.Errorf("check leaf %d of %d: %w", index, size, ErrProof)
	}
	return nil
}

// ProveConsistency shows that the tree of to leaves begins with the tree of
// from leaves. From 0 is refused: every tree begins with nothing, so such a
// proof would say nothing.
func ProveConsistency(from, to uint64, r Reader) ([]Hash, error) {
	if from == 0 || from > to || to > MaxSize {
		return nil, fmt.Errorf("prove %d extends %d leaves: %w", to, from, ErrRange)
	}
	p, err := tlog.ProveTree(int64(to), int64(from), r)
	if err != nil {
		return nil, fmt.Errorf("prove %d extends %d leaves: %w", to, from, err)
	}
	return p, nil
}

// VerifyConsistency checks that a ledger of to leaves with rootTo begins with
// the ledger of from leaves with rootFrom. Equal sizes need an empty proof and
// equal roots.
//
// It does not check who signed the roots.
func VerifyConsistency(from, to uint64, rootFrom, rootTo Hash, proof []Hash) error {
	if from == 0 || from > to || to > MaxSize {
		return fmt.Errorf("check %d extends %d leaves: %w", to, from, ErrRange)
	}
	if len(proof) > maxProof {
		return fmt.Errorf("check %d extends %d leaves: %d hashes: %w", to, from, len(proof), ErrProof)
	}
	if err := tlog.CheckTree(proof, int64(to), rootTo, int64(from), rootFrom); err != nil {
		return fmt.Errorf("check %d extends %d leaves: %w", to, from, ErrProof)
	}
	return nil
}
