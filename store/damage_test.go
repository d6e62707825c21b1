package store_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"statnet/ecg"
	"statnet/store"
)

// edit changes a closed store with bbolt itself, as an attacker would.
func edit(t *testing.T, path string, f func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedRowsAreNamed(t *testing.T) {
	flip := func(b *bolt.Bucket, key []byte) error {
		row := slices.Clone(b.Get(key))
		row[0] ^= 1
		return b.Put(key, row)
	}
	one := func(b *bolt.Bucket) []byte { k, _ := b.Cursor().First(); return k }
	for _, tt := range []struct {
		name, text string
		damage     func(tx *bolt.Tx, p *bolt.Bucket) error
		read       func(*store.Store) error
	}{
		{"prefix sum", "sums row", func(_ *bolt.Tx, p *bolt.Bucket) error { b := p.Bucket([]byte("sums")); return flip(b, one(b)) },
			func(s *store.Store) error { _, err := s.Window(patient, epoch0, epoch0+1); return err }},
		{"prefix sum of another epoch", "sums row", func(_ *bolt.Tx, p *bolt.Bucket) error {
			b := p.Bucket([]byte("sums"))
			k := one(b)
			row := slices.Clone(b.Get(k))
			next := binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(k)+1)
			return b.Put(next, row)
		}, func(s *store.Store) error { _, err := s.Window(patient, 0, epoch0+2); return err }},
		{"prefix sum of another patient", "sums row", func(tx *bolt.Tx, p *bolt.Bucket) error {
			b := p.Bucket([]byte("sums"))
			k := one(b)
			other := tx.Bucket([]byte("patients")).Bucket([]byte("p-0002")).Bucket([]byte("sums"))
			return other.Put(k, slices.Clone(b.Get(k)))
		}, func(s *store.Store) error { _, err := s.Window("p-0002", epoch0, epoch0+1); return err }},
		{"beat", "beats row", func(_ *bolt.Tx, p *bolt.Bucket) error { b := p.Bucket([]byte("beats")); return flip(b, one(b)) },
			func(s *store.Store) error {
				return s.Beats(patient, 0, start+epochUs, func(ecg.Beat) error { return nil })
			}},
		{"segment", "segments row", func(_ *bolt.Tx, p *bolt.Bucket) error { b := p.Bucket([]byte("segments")); return flip(b, one(b)) },
			func(s *store.Store) error { return s.CloseEpochs(patient, epoch0+9) }},
		{"state", "state row", func(_ *bolt.Tx, p *bolt.Bucket) error { return flip(p, []byte("state")) },
			func(s *store.Store) error { _, err := s.State(patient); return err }},
		{"answer", "answers row", func(tx *bolt.Tx, _ *bolt.Bucket) error { b := tx.Bucket([]byte("answers")); return flip(b, one(b)) },
			func(s *store.Store) error { _, _, err := s.Answer([32]byte{1}); return err }},
		{"budget", "budget row", func(tx *bolt.Tx, _ *bolt.Bucket) error { b := tx.Bucket([]byte("budget")); return flip(b, one(b)) },
			func(s *store.Store) error { _, err := s.Spent(patient); return err }},
	} {
		path := filepath.Join(t.TempDir(), "beats.db")
		s := openAt(t, path)
		add(t, s, store.PatientBatch{Beats: train(start+second, 800, 800), Segments: []store.Segment{{start, start + 5*second}}, State: []byte("x")})
		closeTo(t, s, epoch0+2)
		if err := s.CloseEpochs("p-0002", epoch0+2); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveAnswer([32]byte{1}, store.Answer{Leaf: []byte("leaf"), Spent: []store.Spending{{Patient: patient, Units: 1}}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Check(), s.Close()); err != nil {
			t.Fatal(err)
		}
		edit(t, path, func(tx *bolt.Tx) error {
			return tt.damage(tx, tx.Bucket([]byte("patients")).Bucket([]byte(patient)))
		})
		s = openAt(t, path)
		for what, err := range map[string]error{"read": tt.read(s), "Check": s.Check()} {
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %s = %v, want ErrDamaged naming a %s", tt.name, what, err, tt.text)
			}
		}
		s.Close()
	}
}

// TestDamagedFiles: files cut short or overwritten are refused, never a crash.
func TestDamagedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "beats.db")
	s := openAt(t, path)
	add(t, s, store.PatientBatch{Beats: train(start+second, slices.Repeat([]int32{800}, 5000)...)})
	closeTo(t, s, epoch0+20)
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for name, damaged := range map[string][]byte{
		"cut to one page":   whole[:page],
		"cut to four pages": whole[:4*page],
		"cut in half":       whole[:len(whole)/2],
		"both metas zero":   append(make([]byte, 2*page), whole[2*page:]...),
		"data zero":         append(slices.Clone(whole[:2*page]), make([]byte, len(whole)-2*page)...),
		"data noise":        append(slices.Clone(whole[:2*page]), slices.Repeat([]byte{0xa5}, len(whole)-2*page)...),
	} {
		bad := filepath.Join(t.TempDir(), "beats.db")
		if err := os.WriteFile(bad, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(bad, store.Options{LockTimeout: 100 * time.Millisecond})
		if err == nil {
			err = s.Check()
			s.Close()
		}
		if err == nil {
			t.Errorf("%s: opened and checked without error", name)
		}
	}
}
