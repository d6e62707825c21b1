package he

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Kind names an encoded object; it is a byte of the header.
type Kind uint8

// The objects that travel, and after them two that only files hold.
const (
	KindContribution Kind = 1 // public sub-key: rho, Poly(N) b
	KindSeed         Kind = 2 // sub-key seed: encrypted channel or 0600 file only
	KindPublicKey    Kind = 3 // collective key: crs, Poly(N) b
	KindCiphertext   Kind = 4 // Poly(N) c0, Poly(N) c1
	KindPrefix       Kind = 5 // Poly(K) c0 of a sum; bare, without header: see Sum.C0
	KindShare        Kind = 6 // key-switch share: Poly(K) h0, Poly(N) h1
	KindQuerierKey   Kind = 7 // querier's public key: seed, Poly(N) b

	kindDealer        Kind = 129 // file 0600: a dealer's state between commit and reveal
	kindQuerierSecret Kind = 130 // file 0600: a querier's one-time secret
)

// headerSize is the length of the header before every body: "SNHE", version,
// kind, two zero bytes, epoch (be64), params id.
const headerSize = 48

const setFieldSize = 4 // sub-key set as a mask (be16) and two zero bytes

// bodySize returns the length of a body, which depends on k for the kinds that
// carry opened coefficients and for no other.
func (c *Context) bodySize(kind Kind, k int) (int, error) {
	full := polySize(c.params.N)
	switch kind {
	case KindContribution, KindPublicKey, KindQuerierKey:
		return 32 + full, nil
	case KindSeed:
		return setFieldSize + 32, nil
	case KindCiphertext:
		return 2 * full, nil
	case KindShare:
		return polySize(k) + full, nil
	case kindDealer:
		return setFieldSize + 64, nil
	case kindQuerierSecret:
		return 64, nil
	}
	return 0, fmt.Errorf("kind %d: %w", kind, ErrEncoding)
}

// Size returns the exact length of an encoded object. K counts only for
// KindPrefix and KindShare; readers limit what they accept to this length
// before they allocate anything.
func (c *Context) Size(kind Kind, k int) (int, error) {
	if kind == KindPrefix || kind == KindShare {
		if err := c.checkK(k); err != nil {
			return 0, err
		}
	}
	if kind == KindPrefix {
		return polySize(k), nil
	}
	n, err := c.bodySize(kind, k)
	if err != nil {
		return 0, err
	}
	return headerSize + n, nil
}

// ReadMessage reads one encoded object and the end of the stream behind it. It
// never holds more than the exact size. It does not parse.
func (c *Context) ReadMessage(r io.Reader, kind Kind, k int) ([]byte, error) {
	n, err := c.Size(kind, k)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n+1)
	got, err := io.ReadFull(r, b)
	if err == io.ErrUnexpectedEOF && got == n {
		return b[:n:n], nil
	}
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("read object of kind %d: %w", kind, err)
	}
	return nil, fmt.Errorf("object of kind %d has not %d bytes: %w", kind, n, ErrEncoding)
}

// newMessage returns a buffer with the header written and room for the body.
func (c *Context) newMessage(kind Kind, epoch uint64, bodySize int) []byte {
	b := make([]byte, 0, headerSize+bodySize)
	b = append(b, 'S', 'N', 'H', 'E', 1, byte(kind), 0, 0)
	b = binary.BigEndian.AppendUint64(b, epoch)
	return append(b, c.params.ID[:]...)
}

// body checks length and header of a message and returns its body, which the
// caller parses further. Nothing is allocated.
func (c *Context) body(kind Kind, epoch uint64, k int, b []byte) ([]byte, error) {
	size, err := c.Size(kind, k)
	if err != nil {
		return nil, err
	}
	if len(b) != size {
		return nil, fmt.Errorf("object of kind %d has %d bytes, want %d: %w", kind, len(b), size, ErrEncoding)
	}
	if string(b[:4]) != "SNHE" || b[4] != 1 || b[6] != 0 || b[7] != 0 {
		return nil, fmt.Errorf("header % x: %w", b[:8], ErrEncoding)
	}
	if Kind(b[5]) != kind {
		return nil, fmt.Errorf("object of kind %d, want %d: %w", b[5], kind, ErrEncoding)
	}
	if Digest(b[16:48]) != c.params.ID {
		return nil, fmt.Errorf("params id %x: %w", b[16:48], ErrParams)
	}
	if e := binary.BigEndian.Uint64(b[8:16]); e != epoch {
		return nil, fmt.Errorf("epoch %d, want %d: %w", e, epoch, ErrEpoch)
	}
	return b[headerSize:], nil
}

// noK is the k of kinds that do not depend on it.
const noK = math.MinInt
