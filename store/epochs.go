package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"statnet/ecg"
	"statnet/stat"
)

// sums is a row of the sums bucket: the prefix sum S_k and where its chain of
// beats ends, which the next epoch's first pair needs.
type sums struct {
	totals stat.Totals
	lastAt int64 // the last accepted beat since enrolment, us; 0 for none
	lastRR int32 // its interval, ms
}

const sumsSize = 8*(11+stat.NumBins) + 8 + 4

// CloseEpochs closes every epoch of the patient below upTo: it computes their
// prefix sums from the stored rows, and beats of those epochs that come later
// are refused. Closing again, or less, changes nothing. The patient is enrolled
// if it has no data.
func (s *Store) CloseEpochs(id string, upTo int64) error {
	if upTo < 0 || upTo > maxEpoch {
		return fmt.Errorf("close epochs below %d: must be 0..%d", upTo, maxEpoch)
	}
	err := s.update(func(tx *bolt.Tx) error {
		p, err := s.enrol(tx, id)
		if err != nil {
			return err
		}
		return p.closeEpochs(upTo)
	})
	if err != nil {
		return fmt.Errorf("close epochs below %d: %w", upTo, err)
	}
	return nil
}

func (p patient) closeEpochs(upTo int64) error {
	closed, err := p.getNumber(keyClosed)
	if err != nil || upTo <= closed {
		return err
	}
	rows, err := p.bucket(kindSums)
	if err != nil {
		return err
	}
	state, err := p.sumsRow(rows.Cursor().Last())
	if err != nil {
		return err
	}
	for k := closed; ; k++ {
		// A gateway may have been off for a year: go from data to data.
		if k, err = p.nextWithData(k); err != nil {
			return err
		}
		if k < 0 || k >= upTo {
			break
		}
		before := state
		if err := p.addEpoch(&state, k); err != nil {
			return err
		}
		if state != before {
			if err := p.put(rows, kindSums, timeKey(k), state.encode()); err != nil {
				return err
			}
		}
	}
	return p.set(keyClosed, timeKey(upTo))
}

// nextWithData returns the first epoch from k on with a beat or an observed
// stretch, -1 if there is none.
func (p patient) nextWithData(k int64) (int64, error) {
	beats, err := p.bucket(kindBeats)
	if err != nil {
		return 0, err
	}
	segments, err := p.bucket(kindSegments)
	if err != nil {
		return 0, err
	}
	found := int64(-1)
	take := func(at int64) {
		if e := max(at/epochUs, k); found < 0 || e < found {
			found = e
		}
	}
	if key, _ := beats.Cursor().Seek(timeKey(k * epochUs)); key != nil {
		take(keyTime(key))
	}
	before, next, err := p.around(segments, k*epochUs)
	if err != nil {
		return 0, err
	}
	if before != nil && before.To > k*epochUs {
		take(before.From)
	}
	if next != nil {
		take(next.From)
	}
	return found, nil
}

// addEpoch adds the contribution of epoch k.
func (p patient) addEpoch(state *sums, k int64) error {
	rows, err := p.bucket(kindBeats)
	if err != nil {
		return err
	}
	start, end := k*epochUs, (k+1)*epochUs
	prevAt := int64(0) // the row before this one, accepted or not
	before := rows.Cursor()
	if key, _ := before.Seek(timeKey(start)); key != nil {
		if key, _ := before.Prev(); key != nil {
			prevAt = keyTime(key)
		}
	}
	c := rows.Cursor()
	key, row := c.Seek(timeKey(start))
	var t stat.Totals
	for ; key != nil && keyTime(key) < end; key, row = c.Next() {
		b, err := p.beat(key, row)
		if err != nil {
			return err
		}
		contribute(&t, state, b, prevAt)
		prevAt = b.At
	}
	if t.OBS, err = p.observedSeconds(start, end); err != nil {
		return err
	}
	state.totals.Add(t)
	return nil
}

// pairTolerance is how far the time between two beats may differ from the
// interval of the later one if they are neighbours. Labels are wall-clock times
// and may be steered; a beat between them would add at least 200 ms.
const pairTolerance = 100_000 // us

// contribute adds one beat to its epoch's totals. A pair needs an accepted beat
// in the row before, and no time missing between the two: a beat that was lost
// or refused breaks the pair.
func contribute(t *stat.Totals, state *sums, b ecg.Beat, prevAt int64) {
	switch {
	case b.Flags&ecg.First != 0:
		// No interval: neither accepted nor rejected.
	case !b.Flags.Accepted(), b.RR < stat.MinRR, b.RR > stat.MaxRR,
		t.N >= stat.MaxEpochBeats, t.S1+uint64(b.RR) > stat.MaxEpochRR:
		if t.REJ < stat.MaxEpochRejected {
			t.Reject()
		}
	default:
		prev := int32(0)
		gap := b.At - state.lastAt - int64(b.RR)*1000
		if state.lastRR != 0 && prevAt == state.lastAt && gap <= pairTolerance && gap >= -pairTolerance {
			prev = state.lastRR
		}
		t.Accept(b.RR, prev)
		state.lastAt, state.lastRR = b.At, b.RR
	}
}

// observedSeconds counts the whole seconds, from each segment's start, that
// begin in [start, end).
func (p patient) observedSeconds(start, end int64) (uint64, error) {
	rows, err := p.bucket(kindSegments)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	count := func(seg *Segment) {
		first := max(0, ceilSeconds(start-seg.From))
		last := min(ceilSeconds(end-seg.From), (seg.To-seg.From)/second)
		total += max(0, last-first)
	}
	seg, next, err := p.around(rows, start)
	if err != nil {
		return 0, err
	}
	if seg != nil {
		count(seg)
	}
	for next != nil && next.From < end {
		count(next)
		if _, next, err = p.around(rows, next.From); err != nil {
			return 0, err
		}
	}
	// Segments do not overlap, so at most 300 seconds begin in an epoch.
	return uint64(min(total, stat.EpochSeconds)), nil
}

func ceilSeconds(us int64) int64 {
	if us <= 0 {
		return 0
	}
	return (us + second - 1) / second
}

// encode lays out a row without its checksum.
func (s *sums) encode() []byte {
	t := &s.totals
	row := make([]byte, 0, sumsSize+crcSize)
	for _, v := range []uint64{t.N, t.S1, t.S2, t.M, t.D2, t.NN50, t.NIRR, t.H1, t.H2, t.OBS, t.REJ} {
		row = binary.BigEndian.AppendUint64(row, v)
	}
	for _, v := range t.Bins {
		row = binary.BigEndian.AppendUint64(row, v)
	}
	row = binary.BigEndian.AppendUint64(row, uint64(s.lastAt))
	return binary.BigEndian.AppendUint32(row, uint32(s.lastRR))
}

// sumsRow reads a row of the sums bucket; the zero state for no row.
func (p patient) sumsRow(key, row []byte) (sums, error) {
	if key == nil {
		return sums{}, nil
	}
	b, err := p.open(kindSums, key, row)
	if err != nil {
		return sums{}, err
	}
	if len(key) != 8 || len(b) != sumsSize {
		return sums{}, fmt.Errorf("read store %s: sums row %x has %d bytes: %w", p.s.path, key, len(b), ErrDamaged)
	}
	var s sums
	t := &s.totals
	take := func() (v uint64) {
		v, b = binary.BigEndian.Uint64(b), b[8:]
		return v
	}
	for _, v := range []*uint64{&t.N, &t.S1, &t.S2, &t.M, &t.D2, &t.NN50, &t.NIRR, &t.H1, &t.H2, &t.OBS, &t.REJ} {
		*v = take()
	}
	for k := range t.Bins {
		t.Bins[k] = take()
	}
	s.lastAt = int64(take())
	s.lastRR = int32(binary.BigEndian.Uint32(b))
	return s, nil
}
