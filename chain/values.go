package chain

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"statnet/chain/merkle"
	"statnet/internal/disk"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// put stores be32 crc32c(bucket || key || value) || value.
func put(tx *bolt.Tx, bucket, key string, value []byte) error {
	sum := crc32.Checksum(append([]byte(bucket+key), value...), castagnoli)
	return tx.Bucket([]byte(bucket)).Put([]byte(key), append(binary.BigEndian.AppendUint32(nil, sum), value...))
}

// get reads what put wrote; nil if there is nothing.
func (l *ledger) get(tx *bolt.Tx, bucket, key string) ([]byte, error) {
	v := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if v == nil {
		return nil, nil
	}
	if len(v) < 4 || binary.BigEndian.Uint32(v) != crc32.Checksum(append([]byte(bucket+key), v[4:]...), castagnoli) {
		return nil, disk.Damaged(l.path, "%s %q: checksum", bucket, key)
	}
	return bytes.Clone(v[4:]), nil
}

// read is get in a transaction of its own.
func (l *ledger) read(bucket, key string) (v []byte, err error) {
	err = l.db.View(func(tx *bolt.Tx) error {
		v, err = l.get(tx, bucket, key)
		return err
	})
	return v, err
}

func be64(x uint64) []byte { return binary.BigEndian.AppendUint64(nil, x) }

func join(hs []merkle.Hash) []byte {
	b := make([]byte, 0, len(hs)*merkle.HashSize)
	for i := range hs {
		b = append(b, hs[i][:]...)
	}
	return b
}
