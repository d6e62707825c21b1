package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"
	"time"
)

// The layout of a bbolt v1.4 file (its internal/common package), as far as a
// reader needs it to say whether a page can be trusted to be followed.
const (
	pageHeader  = 16 // id u64, flags u16, count u16, overflow u32
	elementSize = 16 // leaf: flags, pos, ksize, vsize u32; branch: pos, ksize u32, page u64
	bucketSize  = 16 // root u64, sequence u64; then the page itself if root is 0

	flagBranch = 0x01
	flagLeaf   = 0x02
	flagMeta   = 0x04
	leafBucket = 0x01 // of a leaf element: its value is a bucket

	metaMagic = 0xED0CDAED
	metaSum   = 56 // bytes of the meta that its checksum covers
	maxDepth  = 64
)

// native is the byte order bbolt wrote: that of the machine.
var native = binary.NativeEndian

type walker struct {
	path  string
	file  io.ReaderAt
	size  uint64          // of a page, bytes
	pages uint64          // high water mark
	seen  map[uint64]bool // pages reached
}

// CheckBolt looks at every page that bbolt could follow and reports the first
// that is out of place, as a *DamageError. The database must have been written
// without a stored freelist (NoFreelistSync). It holds one page per level in
// memory. An empty file is one whose creation was cut short; bbolt starts it
// again.
//
// A file that another process writes is not read: pages on their way look like
// damage. CheckBolt waits for it, then gives ErrLocked.
func CheckBolt(path string, wait time.Duration) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // and the lock with it
	if err := lockShared(f, wait); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	w := &walker{path: path, file: f, seen: map[uint64]bool{}}
	root, err := w.metas()
	if err != nil {
		return err
	}
	if uint64(info.Size()) < w.pages*w.size {
		return Damaged(path, "file has %d bytes, its pages need %d", info.Size(), w.pages*w.size)
	}
	return w.tree(root, nil, nil, 0)
}

// lockPoll is the pause between two tries for a lock; flock(2) has no timeout.
const lockPoll = 20 * time.Millisecond

// lockShared takes the same lock as bbolt does, for reading.
func lockShared(f *os.File, wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(deadline) {
			return ErrLocked
		}
	}
}

// metas checks both meta pages and returns the root page of the newer one. A
// broken meta is damage, even if the other is whole: going on with the other
// would undo the last transaction, an acknowledged record or a vote.
func (w *walker) metas() (uint64, error) {
	var root, newest uint64
	for i := range uint64(2) {
		if i == 1 && w.size == 0 {
			break
		}
		m := make([]byte, pageHeader+metaSum+8)
		if _, err := w.file.ReadAt(m, int64(i*w.size)); err != nil {
			return 0, Damaged(w.path, "meta page %d: %v", i, err)
		}
		sum := fnv.New64a()
		sum.Write(m[pageHeader : pageHeader+metaSum])
		b := m[pageHeader:]
		size := uint64(native.Uint32(b[8:]))
		switch {
		case native.Uint64(m) != i || native.Uint16(m[8:]) != flagMeta || native.Uint32(b) != metaMagic:
			return 0, Damaged(w.path, "meta page %d: not a meta page", i)
		case native.Uint64(b[metaSum:]) != sum.Sum64():
			return 0, Damaged(w.path, "meta page %d: checksum", i)
		case size < 1024 || size > 1<<16 || i == 1 && size != w.size:
			return 0, Damaged(w.path, "meta page %d: page size %d", i, size)
		}
		w.size = size
		if tx := native.Uint64(b[48:]); i == 0 || tx > newest {
			root, newest, w.pages = native.Uint64(b[16:]), tx, native.Uint64(b[40:])
		}
	}
	if w.pages > 1<<40 {
		return 0, Damaged(w.path, "%d pages", w.pages)
	}
	return root, nil
}

// tree checks the subtree of page id, whose keys are in [low, high); nil is no
// bound.
func (w *walker) tree(id uint64, low, high []byte, depth int) error {
	p, err := w.page(id, depth)
	if err != nil {
		return err
	}
	return w.elements(id, p, low, high, depth)
}

// page reads a page with its overflow.
func (w *walker) page(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= w.pages || depth > maxDepth {
		return nil, Damaged(w.path, "page %d of %d at depth %d", id, w.pages, depth)
	}
	head := make([]byte, pageHeader)
	if _, err := w.file.ReadAt(head, int64(id*w.size)); err != nil {
		return nil, Damaged(w.path, "page %d: %v", id, err)
	}
	overflow := uint64(native.Uint32(head[12:]))
	if native.Uint64(head) != id || id+overflow >= w.pages {
		return nil, Damaged(w.path, "page %d: header", id)
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i] {
			return nil, Damaged(w.path, "page %d: in two places", i)
		}
		w.seen[i] = true
	}
	p := make([]byte, (overflow+1)*w.size)
	if _, err := w.file.ReadAt(p, int64(id*w.size)); err != nil {
		return nil, Damaged(w.path, "page %d: %v", id, err)
	}
	return p, nil
}

// elements checks the entries of a page that is in memory, and what they
// point to.
func (w *walker) elements(id uint64, p, low, high []byte, depth int) error {
	flags, count := native.Uint16(p[8:]), int(native.Uint16(p[10:]))
	if flags != flagBranch && flags != flagLeaf || flags == flagBranch && count == 0 {
		return Damaged(w.path, "page %d: flags %#x, %d entries", id, flags, count)
	}
	if pageHeader+count*elementSize > len(p) {
		return Damaged(w.path, "page %d: %d entries", id, count)
	}
	keys := make([][]byte, count)
	for i := range count {
		key, _, ok := entry(p, flags, i)
		if !ok || i > 0 && bytes.Compare(keys[i-1], key) >= 0 ||
			bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
			return Damaged(w.path, "page %d: entry %d", id, i)
		}
		keys[i] = key
	}
	for i := range count {
		next := high
		if i+1 < count {
			next = keys[i+1]
		}
		if err := w.follow(id, p, flags, i, keys[i], next, depth); err != nil {
			return err
		}
	}
	return nil
}

// follow checks what entry i points to: a child page, a bucket, or nothing.
func (w *walker) follow(id uint64, p []byte, flags uint16, i int, key, next []byte, depth int) error {
	e := p[pageHeader+i*elementSize:]
	if flags == flagBranch {
		return w.tree(native.Uint64(e[8:]), key, next, depth+1)
	}
	if native.Uint32(e)&leafBucket == 0 {
		return nil
	}
	_, value, _ := entry(p, flags, i)
	if len(value) < bucketSize {
		return Damaged(w.path, "page %d: bucket %q", id, key)
	}
	if root := native.Uint64(value); root != 0 {
		return w.tree(root, nil, nil, depth+1)
	}
	if len(value) < bucketSize+pageHeader {
		return Damaged(w.path, "page %d: bucket %q", id, key)
	}
	if inline := value[bucketSize:]; native.Uint16(inline[8:]) == flagLeaf && depth < maxDepth {
		return w.elements(id, inline, nil, nil, maxDepth) // an inline bucket holds no buckets
	}
	return Damaged(w.path, "page %d: bucket %q", id, key)
}

// entry returns key and value of entry i, and whether they lie inside the page.
// Positions count from the entry itself.
func entry(p []byte, flags uint16, i int) (key, value []byte, ok bool) {
	at := uint64(pageHeader + i*elementSize)
	e := p[at:]
	pos, ksize, vsize := uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
	if flags == flagBranch {
		pos, ksize, vsize = uint64(native.Uint32(e)), uint64(native.Uint32(e[4:])), 0
	}
	from, end := at+pos, uint64(len(p))
	if from > end || ksize > end-from || vsize > end-from-ksize {
		return nil, nil, false
	}
	return p[from : from+ksize], p[from+ksize : from+ksize+vsize], true
}
