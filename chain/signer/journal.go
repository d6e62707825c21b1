package signer

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"

	"statnet/chain/note"
	"statnet/internal/disk"
)

const (
	magic      = "statnet-signer-1" // 16 bytes
	headerSize = 100                // magic || SHA-256(origin) || cosign key || instance || crc
	entrySize  = 116                // crc || size || root || time || sig
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is magic || SHA-256(origin) || cosign key || instance id || be32 crc32c.
func header(id Identity) []byte {
	origin := sha256.Sum256([]byte(id.Origin))
	b := append([]byte(magic), origin[:]...)
	b = append(b, id.Cosigner.Key...)
	b = append(b, id.Instance[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// marshal is be32 crc32c(rest) || be64 size || root || be64 time || sig.
func (e Entry) marshal() []byte {
	b := make([]byte, 4, entrySize)
	b = binary.BigEndian.AppendUint64(b, e.Size)
	b = append(b, e.Root[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Time)
	b = append(b, e.Sig[:]...)
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

// unmarshal reads entrySize bytes.
func unmarshal(b []byte) (e Entry, ok bool) {
	if len(b) != entrySize || binary.BigEndian.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return Entry{}, false
	}
	e.Size = binary.BigEndian.Uint64(b[4:])
	copy(e.Root[:], b[12:])
	e.Time = binary.BigEndian.Uint64(b[44:])
	copy(e.Sig[:], b[52:])
	return e, true
}

// parsed is a journal that may be gone on with, after cutting it to good bytes.
type parsed struct {
	last Entry
	good int // bytes
}

// parse reads a journal. The only damage it forgives is a torn last write: a
// tail shorter than an entry, or of nothing but zeros.
func parse(path string, id Identity, data []byte) (parsed, error) {
	want := header(id)
	if len(data) < headerSize || crc32.Checksum(data[:headerSize-4], castagnoli) != binary.BigEndian.Uint32(data[headerSize-4:]) {
		return parsed{}, disk.Damaged(path, "header")
	}
	if string(data[:headerSize]) != string(want) {
		return parsed{}, disk.Damaged(path, "journal of another ledger, key or data directory")
	}
	p := parsed{good: headerSize}
	for len(data)-p.good >= entrySize {
		e, ok := unmarshal(data[p.good : p.good+entrySize])
		if !ok {
			break
		}
		if e.Size <= p.last.Size {
			return parsed{}, disk.Damaged(path, "entry at byte %d: size %d after %d", p.good, e.Size, p.last.Size)
		}
		p.last, p.good = e, p.good+entrySize
	}
	if tail := data[p.good:]; len(tail) >= entrySize && !zero(tail) {
		return parsed{}, disk.Damaged(path, "entry at byte %d: checksum", p.good)
	}
	if p.last.Size > 0 && !authentic(id, p.last) {
		return parsed{}, disk.Damaged(path, "last entry: signature")
	}
	return p, nil
}

// authentic checks an entry's signature. Only the last one is checked: it alone
// decides what may be signed next, and a year has 300,000 of them.
func authentic(id Identity, e Entry) bool {
	text := note.Checkpoint{Origin: id.Origin, Size: e.Size, Root: e.Root}.Text()
	return ed25519.Verify(id.Cosigner.Key, note.Message(text, e.Time), e.Sig[:])
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
