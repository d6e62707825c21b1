package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"

	"statnet/chain/record"
	"statnet/crypto/he"
	"statnet/internal/disk"
)

// Buckets of server.db.
const (
	bucketNonce   = "nonce"   // be64 epoch -> nonce of round 1
	bucketDealer  = "dealer"  // be64 epoch | be16 set -> he.Contribution.Export
	bucketSeed    = "seed"    // be64 epoch | be16 set -> he.ExportSeed
	bucketQuerier = "querier" // query id -> querier's public key
	bucketShare   = "share"   // opening context -> share
	bucketOpened  = "opened"  // ciphertext digest -> he.Opened
	bucketCount   = "count"   // be64 epoch -> be64 openings
)

// ErrNoKey reports that the vault does not hold what an opening needs.
var ErrNoKey = errors.New("not in this server's vault")

// Vault is a server's durable secrets and its memory of openings: server.db,
// mode 0600 in a directory of mode 0700. Every method that writes returns after
// fsync. It implements he.ShareLog. Safe for concurrent use.
//
// Whoever reads the file has this server's part of the key. Restoring an older
// copy makes the server forget shares it has made: never do it.
type Vault struct{ db *bolt.DB }

var _ he.ShareLog = (*Vault)(nil)

// OpenVault opens or creates dir/server.db. It refuses a directory or file that
// others may read.
func OpenVault(dir string) (*Vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	path := filepath.Join(dir, "server.db")
	for _, p := range []string{dir, path} {
		info, err := os.Stat(p)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open vault: %w", err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("open vault: %s has mode %04o, it holds secrets: chmod go= %s", p, info.Mode().Perm(), p)
		}
	}
	db, err := disk.OpenBolt(path, bucketNonce, bucketDealer, bucketSeed, bucketQuerier, bucketShare, bucketOpened, bucketCount)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	return &Vault{db: db}, nil
}

// Close releases the file.
func (v *Vault) Close() error { return v.db.Close() }

func epochKey(epoch uint64) []byte { return binary.BigEndian.AppendUint64(nil, epoch) }

func setKey(epoch uint64, set he.Set) []byte {
	return binary.BigEndian.AppendUint16(epochKey(epoch), uint16(set))
}

func (v *Vault) get(bucket string, key []byte) (value []byte, err error) {
	err = v.db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket([]byte(bucket)).Get(key); b != nil {
			value = append([]byte{}, b...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", bucket, err)
	}
	return value, nil
}

// keep writes value unless the key is there, and returns what is there then: a
// secret that was committed to is never replaced.
func (v *Vault) keep(bucket string, key, value []byte) (kept []byte, err error) {
	err = v.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if old := b.Get(key); old != nil {
			kept = append([]byte{}, old...)
			return nil
		}
		kept = value
		return b.Put(key, value)
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", bucket, err)
	}
	return kept, nil
}

// PutQuerierKey keeps the public key of a query's asker.
func (v *Vault) PutQuerierKey(id record.Hash, key []byte) error {
	_, err := v.keep(bucketQuerier, id[:], key)
	return err
}

// QuerierKey returns what PutQuerierKey kept.
func (v *Vault) QuerierKey(id record.Hash) ([]byte, error) {
	key, err := v.get(bucketQuerier, id[:])
	if err == nil && key == nil {
		err = fmt.Errorf("querier's key of query %x: %w", id[:8], ErrNoKey)
	}
	return key, err
}

// Share implements he.ShareLog.
func (v *Vault) Share(octx he.Digest) ([]byte, bool, error) {
	b, err := v.get(bucketShare, octx[:])
	return b, b != nil, err
}

// Last implements he.ShareLog.
func (v *Vault) Last(ciphertext he.Digest) (o he.Opened, found bool, err error) {
	b, err := v.get(bucketOpened, ciphertext[:])
	if err != nil || b == nil {
		return o, false, err
	}
	if err := cbor.Unmarshal(b, &o); err != nil {
		return o, false, fmt.Errorf("read opening of ciphertext %x: %w", ciphertext[:8], err)
	}
	return o, true, nil
}

// Openings implements he.ShareLog.
func (v *Vault) Openings(epoch uint64) (int, error) {
	b, err := v.get(bucketCount, epochKey(epoch))
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("read openings of epoch %d: %d bytes", epoch, len(b))
	}
	// A count beyond the limit means "none left", whatever its size.
	return int(min(binary.BigEndian.Uint64(b), he.MaxOpenings)), nil
}

// Store implements he.ShareLog: share, ciphertexts and count in one
// transaction.
func (v *Vault) Store(r he.ShareRecord) error {
	opened, err := cbor.Marshal(r.Opened)
	if err != nil {
		return fmt.Errorf("store share: %w", err)
	}
	err = v.db.Update(func(tx *bolt.Tx) error {
		shares := tx.Bucket([]byte(bucketShare))
		if shares.Get(r.Opened.Context[:]) != nil {
			return errors.New("a share under this context is already there")
		}
		if err := shares.Put(r.Opened.Context[:], r.Share); err != nil {
			return err
		}
		for _, d := range r.Ciphertexts {
			if err := tx.Bucket([]byte(bucketOpened)).Put(d[:], opened); err != nil {
				return err
			}
		}
		counts := tx.Bucket([]byte(bucketCount))
		var n uint64
		if b := counts.Get(epochKey(r.Epoch)); len(b) == 8 {
			n = binary.BigEndian.Uint64(b)
		}
		return counts.Put(epochKey(r.Epoch), binary.BigEndian.AppendUint64(nil, n+1))
	})
	if err != nil {
		return fmt.Errorf("store share %x: %w", r.Opened.Context[:8], err)
	}
	return nil
}
