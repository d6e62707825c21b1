package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrLocked reports a database that another process holds.
var ErrLocked = errors.New("in use by another process")

// lockWait bounds the wait for a database that another process holds.
const lockWait = 500 * time.Millisecond

// OpenBolt opens the database at path with the given top-level buckets, after
// checking every page of an existing file. Absent files are created, 0600.
//
// The freelist is not stored: bbolt finds free pages again at start, which costs
// a walk and saves a page write per transaction.
func OpenBolt(path string, buckets ...string) (*bolt.DB, error) {
	_, err := os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	if !fresh {
		if err := Guard(path, func() error { return CheckBolt(path, lockWait) }); err != nil {
			return nil, err
		}
	}
	var db *bolt.DB
	err = Guard(path, func() error {
		var err error
		db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout: lockWait, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		})
		if errors.Is(err, berrors.ErrTimeout) {
			return fmt.Errorf("open %s: %w", path, ErrLocked)
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", path, err)
		}
		return createBuckets(db, buckets)
	})
	if err == nil && fresh {
		err = SyncDir(filepath.Dir(path))
	}
	if err != nil && db != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, err
}

func createBuckets(db *bolt.DB, buckets []string) error {
	missing := false
	err := db.View(func(tx *bolt.Tx) error {
		for _, b := range buckets {
			missing = missing || tx.Bucket([]byte(b)) == nil
		}
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return fmt.Errorf("create bucket %s: %w", b, err)
			}
		}
		return nil
	})
}
