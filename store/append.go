package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"

	"statnet/ecg"
)

const (
	maxState = 1 << 20
	maxCause = 64
)

// Append stores a batch in one synced transaction and closes the epochs that
// its watermarks have passed. Repeating a batch changes nothing: rows that are
// there stay as they are (late beats are refused, and counted, again).
//
// On an error nothing of the batch is stored. It does not check that flags and
// intervals fit together; Totals take accepted intervals within limits only.
func (s *Store) Append(b Batch) (Report, error) {
	if err := b.validate(); err != nil {
		return Report{}, err
	}
	var rep Report
	err := s.update(func(tx *bolt.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(b)) {
			p, err := s.enrol(tx, id)
			if err != nil {
				return err
			}
			if err := p.append(b[id], &rep); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("append to store: %w", err)
	}
	return rep, nil
}

// validate checks a batch before any of it is written. Errors carry no beat.
func (b Batch) validate() error {
	for _, d := range b {
		for _, beat := range d.Beats {
			if beat.At <= 0 || beat.At >= maxAt || beat.RR < 0 {
				return fmt.Errorf("append beats: time or interval out of range: %w", ErrBatch)
			}
		}
		for _, g := range d.Segments {
			if g.From <= 0 || g.To < g.From || g.To >= maxAt {
				return fmt.Errorf("append segment [%d, %d): %w", g.From, g.To, ErrBatch)
			}
		}
		for _, g := range d.Gaps {
			if g.From <= 0 || g.To < g.From || g.To >= maxAt || len(g.Cause) > maxCause {
				return fmt.Errorf("append gap [%d, %d), cause of %d bytes: %w", g.From, g.To, len(g.Cause), ErrBatch)
			}
		}
		if len(d.State) > maxState || d.Until < 0 || d.Until >= maxAt {
			return fmt.Errorf("append state of %d bytes until %d: %w", len(d.State), d.Until, ErrBatch)
		}
	}
	return nil
}

func (p patient) append(d PatientBatch, rep *Report) error {
	closed, err := p.getNumber(keyClosed)
	if err != nil {
		return err
	}
	if err := p.appendBeats(d.Beats, closed, rep); err != nil {
		return err
	}
	for _, seg := range d.Segments {
		if err := p.observe(seg); err != nil {
			return err
		}
	}
	if err := p.appendGaps(d.Gaps); err != nil {
		return err
	}
	if d.State != nil {
		if err := p.set(keyState, slices.Clone(d.State)); err != nil {
			return err
		}
	}
	// The last second that begins in an epoch ends up to a second after it: only
	// then is it known to be whole.
	return p.closeEpochs((d.Until - second) / epochUs)
}

func (p patient) appendBeats(beats []ecg.Beat, closed int64, rep *Report) error {
	rows, err := p.bucket(kindBeats)
	if err != nil {
		return err
	}
	late := int64(0)
	for _, b := range beats {
		key := timeKey(b.At)
		switch {
		case rows.Get(key) != nil: // first, so that a repeated batch is not late
			rep.Duplicate++
		case b.At/epochUs < closed:
			late++
		default:
			if err := p.put(rows, kindBeats, key, encodeBeat(b)); err != nil {
				return err
			}
			rep.Stored++
		}
	}
	if late == 0 {
		return nil
	}
	rep.Late += int(late)
	before, err := p.getNumber(keyLate)
	if err != nil {
		return err
	}
	return p.set(keyLate, timeKey(before+late))
}

func (p patient) appendGaps(gaps []Gap) error {
	rows, err := p.bucket(kindGaps)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		key := append(timeKey(g.From), timeKey(g.To)...)
		if rows.Get(key) != nil {
			continue
		}
		if err := p.put(rows, kindGaps, key, []byte(g.Cause)); err != nil {
			return err
		}
	}
	return nil
}

// observe adds the parts of seg that are not observed yet, so that stored
// segments never overlap and no second is counted twice. A part that begins
// where a segment ends makes that one longer. Seconds of closed epochs are stored
// but no longer counted: their sums are final.
func (p patient) observe(seg Segment) error {
	rows, err := p.bucket(kindSegments)
	if err != nil {
		return err
	}
	for seg.From < seg.To {
		before, next, err := p.around(rows, seg.From)
		if err != nil {
			return err
		}
		if before != nil && before.To > seg.From {
			seg.From = before.To // observed already
			continue
		}
		part := Segment{seg.From, seg.To}
		if next != nil {
			part.To = min(part.To, next.From)
		}
		seg.From = part.To
		if before != nil && before.To == part.From {
			part.From = before.From
		}
		if err := p.put(rows, kindSegments, timeKey(part.From), timeKey(part.To)); err != nil {
			return err
		}
	}
	return nil
}

// around returns the last segment that begins at or before at, and the first
// that begins after it.
func (p patient) around(rows *bolt.Bucket, at int64) (before, next *Segment, err error) {
	c := rows.Cursor()
	k, v := c.Seek(timeKey(at + 1))
	if next, err = p.segment(k, v); err != nil {
		return nil, nil, err
	}
	if k == nil {
		k, v = c.Last()
	} else {
		k, v = c.Prev()
	}
	before, err = p.segment(k, v)
	return before, next, err
}

// segment reads a row of the segments bucket; nil for no row.
func (p patient) segment(key, row []byte) (*Segment, error) {
	if key == nil {
		return nil, nil
	}
	body, err := p.open(kindSegments, key, row)
	if err != nil {
		return nil, err
	}
	if len(key) != 8 || len(body) != 8 {
		return nil, fmt.Errorf("read store %s: segments row %x has %d bytes: %w", p.s.path, key, len(body), ErrDamaged)
	}
	return &Segment{keyTime(key), int64(binary.BigEndian.Uint64(body))}, nil
}
