package he

import (
	"bytes"
	"fmt"
	"slices"
)

// TestShareLog checks an implementation of ShareLog, as fstest.TestFS checks a
// file system. Reopen returns the log anew from what is on disk; it is called
// after every change, so that a log which keeps something in memory only is
// found out. It returns the first violation.
func TestShareLog(reopen func() (ShareLog, error)) error {
	rec := func(octx byte, epoch uint64, attempt uint32, cts ...Digest) ShareRecord {
		return ShareRecord{
			Epoch:       epoch,
			Opened:      Opened{Context: Digest{octx}, Subject: Digest{0xee}, Attempt: attempt, Active: []int{1, 3, 16}},
			Ciphertexts: cts,
			Share:       bytes.Repeat([]byte{octx}, 57712),
		}
	}
	a, b, c := Digest{1}, Digest{2}, Digest{3}
	first, again, other := rec(10, 5, 1, a, b), rec(11, 5, 2, a, b), rec(12, 6, 1, c)
	steps := []struct {
		store   ShareRecord
		wantErr bool
		last    map[Digest]ShareRecord // what Last must return afterwards
		count   map[uint64]int         // what Openings must return afterwards
		kept    []ShareRecord          // what Share must return afterwards
	}{
		{first, false, map[Digest]ShareRecord{a: first, b: first}, map[uint64]int{5: 1, 6: 0}, []ShareRecord{first}},
		{first, true, map[Digest]ShareRecord{a: first, b: first}, map[uint64]int{5: 1, 6: 0}, []ShareRecord{first}},
		{again, false, map[Digest]ShareRecord{a: again, b: again}, map[uint64]int{5: 2, 6: 0}, []ShareRecord{first, again}},
		{other, false, map[Digest]ShareRecord{a: again, c: other}, map[uint64]int{5: 2, 6: 1}, []ShareRecord{first, again, other}},
	}
	for i, s := range steps {
		log, err := reopen()
		if err != nil {
			return fmt.Errorf("open share log: %w", err)
		}
		if err := log.Store(s.store); (err != nil) != s.wantErr {
			return fmt.Errorf("step %d: Store = %v, want an error: %v", i, err, s.wantErr)
		}
		if log, err = reopen(); err != nil {
			return fmt.Errorf("open share log: %w", err)
		}
		if err := checkLog(log, s.last, s.count, s.kept); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func checkLog(log ShareLog, last map[Digest]ShareRecord, count map[uint64]int, kept []ShareRecord) error {
	for d, want := range last {
		o, found, err := log.Last(d)
		w := want.Opened
		if err != nil || !found || o.Context != w.Context || o.Subject != w.Subject || o.Attempt != w.Attempt || !slices.Equal(o.Active, w.Active) {
			return fmt.Errorf("Last(%x) = %v, %v, %v, want %v", d[:1], o, found, err, w)
		}
	}
	for epoch, want := range count {
		if n, err := log.Openings(epoch); err != nil || n != want {
			return fmt.Errorf("Openings(%d) = %d, %v, want %d", epoch, n, err, want)
		}
	}
	for _, want := range kept {
		if b, found, err := log.Share(want.Opened.Context); err != nil || !found || !bytes.Equal(b, want.Share) {
			return fmt.Errorf("Share(%x) = %d bytes, %v, %v, want the %d stored", want.Opened.Context[:1], len(b), found, err, len(want.Share))
		}
	}
	if o, found, err := log.Last(Digest{0xff}); err != nil || found {
		return fmt.Errorf("Last of an unknown ciphertext = %v, %v, %v", o, found, err)
	}
	if _, found, err := log.Share(Digest{0xff}); err != nil || found {
		return fmt.Errorf("Share of an unknown context is found = %v, %v", found, err)
	}
	return nil
}
