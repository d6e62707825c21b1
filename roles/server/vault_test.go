package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"statnet/chain/record"
	"statnet/crypto/he"
)

func TestVaultIsAShareLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var v *Vault
	defer func() { _ = v.Close() }()
	err := he.TestShareLog(func() (he.ShareLog, error) {
		if v != nil {
			if err := v.Close(); err != nil {
				return nil, err
			}
		}
		var err error
		v, err = OpenVault(dir)
		return v, err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestVaultRefusesWhatOthersCanRead(t *testing.T) {
	for _, tt := range []struct {
		name      string
		dir, file os.FileMode
		want      string
	}{
		{"closed", 0o700, 0o600, ""},
		{"directory open to the group", 0o750, 0o600, "0750"},
		{"file open to the group", 0o700, 0o640, "0640"},
		{"file open to others", 0o700, 0o604, "0604"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			v, err := OpenVault(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(v.Close(), os.Chmod(filepath.Join(dir, "server.db"), tt.file), os.Chmod(dir, tt.dir)); err != nil {
				t.Fatal(err)
			}
			v, err = OpenVault(dir)
			if err == nil {
				defer v.Close()
			}
			if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("OpenVault = %v, want an error about %q", err, tt.want)
			}
		})
	}
}

// TestVaultKeepsTheFirst: a secret that was committed to, and the key of a
// question, are never replaced.
func TestVaultKeepsTheFirst(t *testing.T) {
	v, err := OpenVault(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, value := range []string{"first", "second"} {
		if kept, err := v.keep(bucketNonce, epochKey(1), []byte(value)); err != nil || string(kept) != "first" {
			t.Errorf("keep %s = %q, %v, want first", value, kept, err)
		}
	}
	id := record.Hash{1}
	if _, err := v.QuerierKey(id); !errors.Is(err, ErrNoKey) {
		t.Errorf("key of an unknown query = %v, want %v", err, ErrNoKey)
	}
	if err := errors.Join(v.PutQuerierKey(id, []byte("a")), v.PutQuerierKey(id, []byte("b"))); err != nil {
		t.Fatal(err)
	}
	if key, err := v.QuerierKey(id); err != nil || !bytes.Equal(key, []byte("a")) {
		t.Errorf("key = %q, %v, want the first one", key, err)
	}
}

// TestVaultCountsNoFurtherThanItsLimit: a damaged or huge count never reads as
// openings that are left.
func TestVaultCountsNoFurtherThanItsLimit(t *testing.T) {
	v, err := OpenVault(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	put := func(epoch uint64, value []byte) {
		err := v.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketCount)).Put(epochKey(epoch), value) })
		if err != nil {
			t.Fatal(err)
		}
	}
	put(1, binary.BigEndian.AppendUint64(nil, 1<<63))
	if n, err := v.Openings(1); err != nil || n != he.MaxOpenings {
		t.Errorf("openings = %d, %v, want %d", n, err, he.MaxOpenings)
	}
	put(2, []byte{1})
	if n, err := v.Openings(2); err == nil {
		t.Errorf("openings of a damaged count = %d, want an error", n)
	}
}
