package wire

import "math"

// assembly collects an object that arrives in chunks.
//
// Memory follows what has arrived, not what was announced: a peer that says
// 64 MiB and sends nothing costs nothing.
type assembly struct {
	total int
	buf   []byte
}

// newAssembly refuses an announced total that is zero, above max, or above MaxBlob.
func newAssembly(total uint64, max int64) (*assembly, error) {
	if max > MaxBlob {
		max = MaxBlob
	}
	if max < 0 {
		max = 0
	}
	if total == 0 {
		return nil, NewError(CodeMalformed, "object of 0 bytes announced")
	}
	if total > uint64(max) || total > math.MaxInt32 {
		return nil, NewError(CodeTooLarge, "%d bytes announced, at most %d", total, max)
	}
	return &assembly{total: int(total)}, nil
}

// add appends the next chunk.
func (a *assembly) add(data []byte) error {
	switch {
	case len(data) == 0:
		return NewError(CodeMalformed, "empty chunk") // an endless row of them would hold the call
	case len(data) > ChunkSize:
		return NewError(CodeTooLarge, "chunk has %d bytes, at most %d", len(data), ChunkSize)
	case len(data) > a.total-len(a.buf):
		return NewError(CodeTooLarge, "%d bytes sent, %d announced", len(a.buf)+len(data), a.total)
	}
	if need := len(a.buf) + len(data); need > cap(a.buf) {
		grown := make([]byte, len(a.buf), min(a.total, max(need, 2*cap(a.buf))))
		copy(grown, a.buf)
		a.buf = grown
	}
	a.buf = append(a.buf, data...)
	return nil
}

func (a *assembly) received() uint64 { return uint64(len(a.buf)) }
func (a *assembly) complete() bool   { return len(a.buf) == a.total }
