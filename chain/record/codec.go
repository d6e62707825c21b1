package record

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// encMode writes RFC 8949 section 4.2.1; nil slices become empty arrays, so
// that null never stands for one.
var encMode = must(func() (cbor.EncMode, error) {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty
	o.IndefLength = cbor.IndefLengthForbidden
	o.TagsMd = cbor.TagsForbidden
	return o.EncMode()
})

// decMode refuses early what re-encoding would refuse late, and bounds what a
// header may promise. It alone is not enough: see decodeStrict.
var decMode = must(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	UTF8:              cbor.UTF8RejectInvalid,
	MaxNestedLevels:   maxNesting,
	MaxArrayElements:  maxElements,
	MaxMapPairs:       maxPairs,
}.DecMode)

func must[T any](f func() (T, error)) T {
	m, err := f()
	if err != nil {
		panic(fmt.Sprintf("record: codec options: %v", err)) // options are constants of this file
	}
	return m
}

func hashOf(b []byte) Hash { return sha256.Sum256(b) }

// encode is for values of this package's types only, which always encode.
func encode(v any) ([]byte, error) {
	b, err := encMode.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

func digestOf(v any) Hash {
	b, err := encMode.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("record: encode %T: %v", v, err)) // fixed types of this package
	}
	return hashOf(b)
}

// DecodeStrict reads deterministic CBOR of at most MaxLeaf bytes into v and
// refuses every other encoding of the same value: long integers, doubled or
// unsorted or unknown keys, floats, tags, null, wrong lengths, trailing bytes.
// It is exported for the sequences that chain and chain/bundle keep.
func DecodeStrict(data []byte, v any) error {
	if len(data) > MaxLeaf {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(data), MaxLeaf)
	}
	return decodeStrict(data, v)
}

func decodeStrict(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return malformed("%v", trimValue(err))
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return malformed("%v", err)
	}
	if !bytes.Equal(again, data) {
		return malformed("not the deterministic encoding (%d bytes, canonical has %d)", len(data), len(again))
	}
	return nil
}

// EncodeStrict writes what DecodeStrict accepts.
func EncodeStrict(v any) ([]byte, error) { return encode(v) }

// trimValue keeps a library's message short: it may quote the input.
func trimValue(err error) error {
	if s := err.Error(); len(s) > 200 {
		return errors.New(s[:200])
	}
	return err
}

// NewPayload returns an empty payload of a kind, to decode into.
func NewPayload(t Type) (Payload, error) {
	switch t {
	case TypeGenesis:
		return new(Genesis), nil
	case TypeRoster:
		return new(Roster), nil
	case TypePolicy:
		return new(Policy), nil
	case TypeQuery:
		return new(Query), nil
	case TypeAnswer:
		return new(Answer), nil
	case TypeVerdict:
		return new(Verdict), nil
	case TypeAggregate:
		return new(Aggregate), nil
	case TypeKeySwitch:
		return new(KeySwitch), nil
	case TypeResult:
		return new(Result), nil
	case TypeClose:
		return new(Close), nil
	case TypeEvidence:
		return new(Evidence), nil
	case TypeCut:
		return new(Cut), nil
	case TypeSample:
		return new(Sample), nil
	case TypeKeyGen:
		return new(KeyGen), nil
	case TypeAudit:
		return new(Audit), nil
	}
	return nil, malformed("unknown type %d", t)
}

// Encode returns the one encoding of a payload and refuses values that Decode
// would refuse.
func Encode(p Payload) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return encode(p)
}

// DecodePayload is the inverse of Encode.
func DecodePayload(t Type, payload []byte) (Payload, error) {
	p, err := NewPayload(t)
	if err != nil {
		return nil, err
	}
	if err := DecodeStrict(payload, p); err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}
