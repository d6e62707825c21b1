package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"statnet/ecg"
	"statnet/stat"
)

// Layout of the file, format version 1. Integers are big endian, so that keys
// sort by time. Every value but those of meta ends in a CRC-32C.
//
//	meta      format, cluster
//	patients  <id>  beats     at us (8)             → rr (4) flags (2)
//	                segments  from us (8)           → to us (8)
//	                gaps      from us (8) to us (8) → cause
//	                sums      epoch (8)             → 75 counters (8 each) last at us (8) last rr (4)
//	                state, closed (8), late (8)
//	answers   query id (32) → refunded (1) CBOR
//	budget    patient       → units (8)
var (
	bucketMeta     = []byte("meta")
	bucketPatients = []byte("patients")
	bucketAnswers  = []byte("answers")
	bucketBudget   = []byte("budget")

	kindBeats    = []byte("beats")
	kindSegments = []byte("segments")
	kindGaps     = []byte("gaps")
	kindSums     = []byte("sums")
	rowKinds     = [][]byte{kindBeats, kindSegments, kindGaps, kindSums}

	keyFormat  = []byte("format")
	keyCluster = []byte("cluster")
	keyState   = []byte("state")
	keyClosed  = []byte("closed")
	keyLate    = []byte("late")
)

const (
	second   = int64(1_000_000)
	epochUs  = stat.EpochSeconds * second
	maxEpoch = 1 << 24 // exclusive, year 2129: the ledger's bound
	maxAt    = maxEpoch * epochUs
	crcSize  = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum binds a row's bytes to its place: a row copied to another patient,
// bucket or time is as damaged as one with a flipped bit.
func checksum(kind []byte, patient string, key, body []byte) uint32 {
	c := crc32.Update(0, castagnoli, kind)
	c = crc32.Update(c, castagnoli, []byte{0, byte(len(patient))})
	c = crc32.Update(c, castagnoli, []byte(patient))
	c = crc32.Update(c, castagnoli, key)
	return crc32.Update(c, castagnoli, body)
}

// seal appends the checksum.
func seal(kind []byte, patient string, key, body []byte) []byte {
	return binary.BigEndian.AppendUint32(body, checksum(kind, patient, key, body))
}

// unseal checks and removes the checksum.
func unseal(kind []byte, patient string, key, row []byte) ([]byte, bool) {
	n := len(row) - crcSize
	if n < 0 || binary.BigEndian.Uint32(row[n:]) != checksum(kind, patient, key, row[:n]) {
		return nil, false
	}
	return row[:n], true
}

// open checks a row of a bucket that belongs to no patient.
func (s *Store) open(kind, key, row []byte) ([]byte, error) {
	body, ok := unseal(kind, "", key, row)
	if !ok {
		return nil, fmt.Errorf("read store %s: %s row %x: %w", s.path, kind, key, ErrDamaged)
	}
	return body, nil
}

// patient is one patient's bucket in a transaction; b is nil if there is none.
type patient struct {
	s  *Store
	id string
	b  *bolt.Bucket
}

func (s *Store) patient(tx *bolt.Tx, id string) patient {
	return patient{s, id, tx.Bucket(bucketPatients).Bucket([]byte(id))}
}

// known returns the patient's bucket or ErrPatient.
func (s *Store) known(tx *bolt.Tx, id string) (patient, error) {
	p := s.patient(tx, id)
	if p.b == nil {
		return p, fmt.Errorf("read patient %.64q: %w", id, ErrPatient)
	}
	return p, nil
}

const maxPatientID = 64

// enrol returns the patient's bucket, creating it.
func (s *Store) enrol(tx *bolt.Tx, id string) (patient, error) {
	if id == "" || len(id) > maxPatientID {
		return patient{}, fmt.Errorf("patient id of %d bytes, must be 1..%d: %w", len(id), maxPatientID, ErrBatch)
	}
	p := s.patient(tx, id)
	if p.b != nil {
		return p, nil
	}
	b, err := tx.Bucket(bucketPatients).CreateBucket([]byte(id))
	if err != nil {
		return p, fmt.Errorf("enrol patient: %w", err)
	}
	p.b = b
	for _, kind := range rowKinds {
		if _, err := b.CreateBucket(kind); err != nil {
			return p, fmt.Errorf("enrol patient: %w", err)
		}
	}
	return p, nil
}

// bucket returns a bucket of rows. Rows arrive in time order, so pages are
// filled to 90 % instead of bbolt's 50.
func (p patient) bucket(kind []byte) (*bolt.Bucket, error) {
	b := p.b.Bucket(kind)
	if b == nil {
		return nil, fmt.Errorf("read store %s: patient %.64q has no bucket %s: %w", p.s.path, p.id, kind, ErrDamaged)
	}
	b.FillPercent = 0.9
	return b, nil
}

// open checks a row and returns its bytes, which are valid in the transaction.
func (p patient) open(kind, key, row []byte) ([]byte, error) {
	body, ok := unseal(kind, p.id, key, row)
	if !ok {
		return nil, fmt.Errorf("read store %s: %s row %x of patient %.64q: %w", p.s.path, kind, key, p.id, ErrDamaged)
	}
	return body, nil
}

func (p patient) put(b *bolt.Bucket, kind, key, body []byte) error {
	if err := b.Put(key, seal(kind, p.id, key, body)); err != nil {
		return fmt.Errorf("write %s row: %w", kind, err)
	}
	return nil
}

// get reads one of the patient's own values, nil if it was never set.
func (p patient) get(key []byte) ([]byte, error) {
	row := p.b.Get(key)
	if row == nil {
		return nil, nil
	}
	return p.open(key, nil, row)
}

// set writes one of the patient's own values. Its name is its place.
func (p patient) set(key, body []byte) error {
	if err := p.b.Put(key, seal(key, p.id, nil, body)); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// getNumber reads one of the patient's counters, 0 if it was never set.
func (p patient) getNumber(key []byte) (int64, error) {
	body, err := p.get(key)
	if err != nil || body == nil {
		return 0, err
	}
	if len(body) != 8 {
		return 0, fmt.Errorf("read store %s: %s of patient %.64q has %d bytes: %w", p.s.path, key, p.id, len(body), ErrDamaged)
	}
	return int64(binary.BigEndian.Uint64(body)), nil
}

func timeKey(us int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(us)) }

func keyTime(key []byte) int64 { return int64(binary.BigEndian.Uint64(key)) }

func encodeBeat(b ecg.Beat) []byte {
	row := make([]byte, 0, 6+crcSize)
	row = binary.BigEndian.AppendUint32(row, uint32(b.RR))
	return binary.BigEndian.AppendUint16(row, uint16(b.Flags))
}

// beat reads a row of the beats bucket.
func (p patient) beat(key, row []byte) (ecg.Beat, error) {
	body, err := p.open(kindBeats, key, row)
	if err != nil {
		return ecg.Beat{}, err
	}
	if len(key) != 8 || len(body) != 6 {
		return ecg.Beat{}, fmt.Errorf("read store %s: beats row %x has %d bytes: %w", p.s.path, key, len(body), ErrDamaged)
	}
	return ecg.Beat{At: keyTime(key), RR: int32(binary.BigEndian.Uint32(body)), Flags: ecg.Flags(binary.BigEndian.Uint16(body[4:]))}, nil
}
