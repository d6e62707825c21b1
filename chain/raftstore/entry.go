// Package raftstore keeps raft's log and votes in one bbolt file.
//
//	raft.Log ──encode──▶ crc ‖ index ‖ term ‖ type ‖ time ‖ extensions ‖ data   (bucket log)
//	term, vote ────────▶ crc ‖ value                                            (bucket stable)
//
// Every entry has a CRC32C, checked on every read and, for all entries, when the
// file is opened. The checksum finds damage, not malice: a bad leader may
// replace uncommitted and, against raft's promise, committed entries. chain
// notices that by comparing what it has applied.
package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/hashicorp/raft"
)

// MaxEntry bounds the data and extensions of an entry in bytes. Commands are at
// most 64 KiB; configuration entries are smaller.
const MaxEntry = 1 << 20

// entryHead is crc(4) || index(8) || term(8) || type(1) || time(8) || len(4).
const entryHead = 33

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCRC = errors.New("checksum")

// encodeEntry writes be32 crc32c(rest) || be64 index || be64 term || u8 type ||
// be64 AppendedAt ns || be32 len || extensions || data. The zero time is 0.
func encodeEntry(l *raft.Log) ([]byte, error) {
	if len(l.Data)+len(l.Extensions) > MaxEntry {
		return nil, fmt.Errorf("encode raft entry %d: %d bytes, at most %d", l.Index, len(l.Data)+len(l.Extensions), MaxEntry)
	}
	var ns int64
	if !l.AppendedAt.IsZero() {
		ns = l.AppendedAt.UnixNano()
	}
	b := make([]byte, 4, entryHead+len(l.Extensions)+len(l.Data))
	b = binary.BigEndian.AppendUint64(b, l.Index)
	b = binary.BigEndian.AppendUint64(b, l.Term)
	b = append(b, byte(l.Type))
	b = binary.BigEndian.AppendUint64(b, uint64(ns))
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Extensions)))
	b = append(b, l.Extensions...)
	b = append(b, l.Data...)
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b, nil
}

// decodeEntry reads an entry that must be index; its bytes are copied.
func decodeEntry(index uint64, b []byte, l *raft.Log) error {
	if len(b) < entryHead || len(b) > entryHead+MaxEntry {
		return fmt.Errorf("%d bytes", len(b))
	}
	if binary.BigEndian.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return errCRC
	}
	if got := binary.BigEndian.Uint64(b[4:]); got != index {
		return fmt.Errorf("is entry %d", got)
	}
	ext := binary.BigEndian.Uint32(b[29:])
	if uint64(ext) > uint64(len(b)-entryHead) {
		return fmt.Errorf("extensions of %d bytes", ext)
	}
	*l = raft.Log{
		Index: index,
		Term:  binary.BigEndian.Uint64(b[12:]),
		Type:  raft.LogType(b[20]),
	}
	ns := binary.BigEndian.Uint64(b[21:])
	if ns > math.MaxInt64 {
		return fmt.Errorf("time %d", ns)
	}
	if ns != 0 {
		l.AppendedAt = time.Unix(0, int64(ns)).UTC()
	}
	rest := b[entryHead:]
	if ext > 0 {
		l.Extensions = append([]byte(nil), rest[:ext]...)
	}
	l.Data = append([]byte(nil), rest[ext:]...)
	return nil
}
