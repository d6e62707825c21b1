package store

import (
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"statnet/ecg"
	"statnet/stat"
)

// Window returns the patient's totals over the epochs [from, to): two look-ups,
// whatever the number of beats. The part before enrolment counts as empty.
//
// It fails with ErrPatient for an unknown patient and with ErrNotClosed when
// the window ends after ClosedThrough: its last epochs could still change.
func (s *Store) Window(id string, from, to int64) (stat.Totals, error) {
	var out stat.Totals
	err := s.view(func(tx *bolt.Tx) (err error) {
		p, err := s.known(tx, id)
		if err != nil {
			return err
		}
		out, err = p.window(from, to)
		return err
	})
	if err != nil {
		return stat.Totals{}, fmt.Errorf("window [%d, %d): %w", from, to, err)
	}
	return out, nil
}

func (p patient) window(from, to int64) (stat.Totals, error) {
	if from < 0 || from >= to || to > maxEpoch {
		return stat.Totals{}, fmt.Errorf("epochs must satisfy 0 <= from < to <= %d", maxEpoch)
	}
	closed, err := p.getNumber(keyClosed)
	if err != nil {
		return stat.Totals{}, err
	}
	if to > closed {
		return stat.Totals{}, fmt.Errorf("epochs below %d are closed: %w", closed, ErrNotClosed)
	}
	start, err := p.sumsBefore(from)
	if err != nil {
		return stat.Totals{}, err
	}
	end, err := p.sumsBefore(to)
	if err != nil {
		return stat.Totals{}, err
	}
	t, err := end.totals.Sub(start.totals)
	if err != nil {
		return stat.Totals{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return t, nil
}

// sumsBefore returns the prefix sum at the start of epoch k. Rows are written
// only when they change, so it is the latest row below k.
func (p patient) sumsBefore(k int64) (sums, error) {
	rows, err := p.bucket(kindSums)
	if err != nil {
		return sums{}, err
	}
	c := rows.Cursor()
	if key, _ := c.Seek(timeKey(k)); key == nil {
		return p.sumsRow(c.Last())
	}
	return p.sumsRow(c.Prev())
}

// Coverage returns the data quality of the epochs [from, to), under the
// conditions of Window.
func (s *Store) Coverage(id string, from, to int64) (Coverage, error) {
	var out Coverage
	err := s.view(func(tx *bolt.Tx) error {
		p, err := s.known(tx, id)
		if err != nil {
			return err
		}
		t, err := p.window(from, to)
		if err != nil {
			return err
		}
		late, err := p.getNumber(keyLate)
		if err != nil {
			return err
		}
		out = Coverage{ExpectedSeconds: uint64(to-from) * stat.EpochSeconds, ObservedSeconds: t.OBS,
			RejectedBeats: t.REJ, Late: uint64(late)}
		out.Gaps, err = p.gaps(from*epochUs, to*epochUs)
		return err
	})
	if err != nil {
		return Coverage{}, fmt.Errorf("coverage [%d, %d): %w", from, to, err)
	}
	return out, nil
}

// gaps returns the gaps that touch [from, to).
func (p patient) gaps(from, to int64) (out []Gap, err error) {
	rows, err := p.bucket(kindGaps)
	if err != nil {
		return nil, err
	}
	c := rows.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		body, err := p.open(kindGaps, k, v)
		if err != nil {
			return nil, err
		}
		if len(k) != 16 {
			return nil, fmt.Errorf("read store %s: gaps row %x: %w", p.s.path, k, ErrDamaged)
		}
		g := Gap{keyTime(k[:8]), keyTime(k[8:]), string(body)}
		if g.From >= to {
			break
		}
		if g.To > from {
			out = append(out, g)
		}
	}
	return out, nil
}

// ClosedThrough returns the patient's first epoch that is not closed: all below
// it are. It is 0 if none is.
func (s *Store) ClosedThrough(id string) (k int64, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		p, err := s.known(tx, id)
		if err != nil {
			return err
		}
		k, err = p.getNumber(keyClosed)
		return err
	})
	return k, err
}

// Patients lists the patients in order.
func (s *Store) Patients() (ids []string, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketPatients).ForEachBucket(func(id []byte) error {
			ids = append(ids, string(id))
			return nil
		})
	})
	return ids, err
}

// LastBeat returns the patient's latest beat; ok is false if there is none.
func (s *Store) LastBeat(id string) (b ecg.Beat, ok bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		p, err := s.known(tx, id)
		if err != nil {
			return err
		}
		rows, err := p.bucket(kindBeats)
		if err != nil {
			return err
		}
		k, v := rows.Cursor().Last()
		if k == nil {
			return nil
		}
		b, err = p.beat(k, v)
		ok = err == nil
		return err
	})
	return b, ok, err
}

// Beats calls f for each beat in [from, to), Unix microseconds, in order, and
// stops at its first error. f must not write to the store.
func (s *Store) Beats(id string, from, to int64, f func(ecg.Beat) error) error {
	return s.view(func(tx *bolt.Tx) error {
		p, err := s.known(tx, id)
		if err != nil {
			return err
		}
		rows, err := p.bucket(kindBeats)
		if err != nil {
			return err
		}
		c := rows.Cursor()
		for k, v := c.Seek(timeKey(max(from, 0))); k != nil && keyTime(k) < to; k, v = c.Next() {
			b, err := p.beat(k, v)
			if err != nil {
				return err
			}
			if err := f(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// State returns the source state committed with the patient's latest batch that
// had one; nil if none had, or for an unknown patient.
func (s *Store) State(id string) (state []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		p := s.patient(tx, id)
		if p.b == nil {
			return nil
		}
		b, err := p.get(keyState)
		state = slices.Clone(b)
		return err
	})
	return state, err
}
