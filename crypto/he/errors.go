package he

import (
	"errors"
	"fmt"
)

// Errors that callers branch on. All are wrapped with the object they concern.
var (
	// ErrParams reports parameters that are not the compiled-in set, or an
	// object made under other parameters.
	ErrParams = errors.New("other encryption parameters")

	// ErrEncoding reports bytes that are not the one canonical encoding of an
	// object: length, header, residue or padding.
	ErrEncoding = errors.New("not a canonical encoding")

	// ErrEpoch reports an object of another epoch of the collective key.
	ErrEpoch = errors.New("other key epoch")

	// ErrCommittee reports an impossible n, t, server index or sub-key set.
	ErrCommittee = errors.New("not a valid committee")

	// ErrCommitment reports a revealed value that differs from its commitment.
	ErrCommitment = errors.New("revealed value does not match its commitment")

	// ErrSeed reports a dealt seed that does not lead to the public sub-key:
	// the receiver records a COMPLAINT.
	ErrSeed = errors.New("dealt seed does not match the public sub-key")

	// ErrCount reports a number of coefficients K outside [1, N].
	ErrCount = errors.New("number of coefficients out of range")

	// ErrValue reports a plaintext value of more than 12 bits. The error names
	// its position, never the value, which is a patient's data.
	ErrValue = errors.New("plaintext value out of range")

	// ErrTooMany reports the 65,536th summand. One more could wrap the
	// plaintext modulus and decrypt to a wrong number without any error.
	ErrTooMany = errors.New("too many summands")

	// ErrActiveSet reports an active set that is not exactly t servers,
	// ascending, within 1..n, or that lacks the server asked.
	ErrActiveSet = errors.New("not a valid active set")

	// ErrDigest reports bytes, a list or a sum that differ from the digest
	// that the ledger fixed.
	ErrDigest = errors.New("digest differs from the ledger's")

	// ErrGate reports that the gate refused an opening. No share was made.
	ErrGate = errors.New("opening refused")

	// ErrOpened reports a ciphertext that stands in another opening. Opening
	// it twice would reveal the difference of two sums.
	ErrOpened = errors.New("ciphertext was opened in another context")

	// ErrExhausted reports that the key epoch has no openings left.
	ErrExhausted = errors.New("no openings left in this key epoch")

	// ErrClosed reports use after Close or Destroy.
	ErrClosed = errors.New("already closed")
)

// kError describes a K outside [1, n].
func kError(k, n int) error {
	return fmt.Errorf("%d coefficients, want 1 to %d: %w", k, n, ErrCount)
}
