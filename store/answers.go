package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"
)

const (
	maxAnswerParts = 50 // the ledger's bound
	maxCiphertext  = 1 << 20
	maxLeaf        = 64 << 10
)

// ErrNoAnswer reports a question that was never answered here.
var ErrNoAnswer = errors.New("no answer is stored for this question")

// SaveAnswer stores the answer and spends its budget in one synced transaction.
// It must return before any byte of the answer is sent: a second encryption of
// the same totals under the same question would be a new answer. Query step Q4.
//
// Saving the same answer again is no error and spends nothing. It fails with
// ErrConflict if another answer is stored, and with ErrBudget, storing nothing,
// if one patient's budget does not suffice.
func (s *Store) SaveAnswer(id [32]byte, a Answer) error {
	body, err := encodeAnswer(a)
	if err != nil {
		return fmt.Errorf("save answer %x: %w", id[:4], err)
	}
	err = s.update(func(tx *bolt.Tx) error {
		rows := tx.Bucket(bucketAnswers)
		if old := rows.Get(id[:]); old != nil {
			stored, err := s.open(bucketAnswers, id[:], old)
			if err != nil {
				return err
			}
			if !bytes.Equal(stored[1:], body[1:]) { // byte 0: refunded since
				return ErrConflict
			}
			return nil
		}
		for _, sp := range a.Spent {
			if err := s.spend(tx, sp); err != nil {
				return err
			}
		}
		return rows.Put(id[:], seal(bucketAnswers, "", id[:], body))
	})
	if err != nil {
		return fmt.Errorf("save answer %x: %w", id[:4], err)
	}
	return nil
}

func encodeAnswer(a Answer) ([]byte, error) {
	if len(a.Parts) > maxAnswerParts || len(a.Leaf) > maxLeaf {
		return nil, fmt.Errorf("%d parts, record of %d bytes: %w", len(a.Parts), len(a.Leaf), ErrBatch)
	}
	for i, p := range a.Parts {
		if len(p.Ciphertext) > maxCiphertext {
			return nil, fmt.Errorf("part %d of %d bytes: %w", i, len(p.Ciphertext), ErrBatch)
		}
	}
	for _, sp := range a.Spent {
		if sp.Patient == "" || len(sp.Patient) > maxPatientID {
			return nil, fmt.Errorf("budget of a patient id of %d bytes: %w", len(sp.Patient), ErrBatch)
		}
	}
	body, err := cbor.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return append([]byte{0}, body...), nil
}

func (s *Store) spend(tx *bolt.Tx, sp Spending) error {
	spent, err := s.spent(tx, sp.Patient)
	if err != nil {
		return err
	}
	total, carry := bits.Add64(spent, sp.Units, 0)
	if carry != 0 || (sp.Limit != 0 && total > sp.Limit) {
		return fmt.Errorf("spend %d of %d, %d spent: %w", sp.Units, sp.Limit, spent, ErrBudget)
	}
	return s.setSpent(tx, sp.Patient, total)
}

func (s *Store) spent(tx *bolt.Tx, patient string) (uint64, error) {
	row := tx.Bucket(bucketBudget).Get([]byte(patient))
	if row == nil {
		return 0, nil
	}
	body, err := s.open(bucketBudget, []byte(patient), row)
	if err != nil {
		return 0, err
	}
	if len(body) != 8 {
		return 0, fmt.Errorf("read store %s: budget row has %d bytes: %w", s.path, len(body), ErrDamaged)
	}
	return binary.BigEndian.Uint64(body), nil
}

func (s *Store) setSpent(tx *bolt.Tx, patient string, v uint64) error {
	key := []byte(patient)
	return tx.Bucket(bucketBudget).Put(key, seal(bucketBudget, "", key, binary.BigEndian.AppendUint64(nil, v)))
}

// Answer returns the stored answer to the question; ok is false if there is
// none. A retry sends it unchanged.
func (s *Store) Answer(id [32]byte) (a Answer, ok bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		var body []byte
		if a, body, err = s.readAnswer(tx, id); err != nil {
			return err
		}
		ok = body != nil
		return nil
	})
	if err != nil {
		return Answer{}, false, fmt.Errorf("read answer %x: %w", id[:4], err)
	}
	return a, ok, nil
}

func (s *Store) readAnswer(tx *bolt.Tx, id [32]byte) (a Answer, body []byte, err error) {
	row := tx.Bucket(bucketAnswers).Get(id[:])
	if row == nil {
		return Answer{}, nil, nil
	}
	if body, err = s.open(bucketAnswers, id[:], row); err != nil {
		return Answer{}, nil, err
	}
	if err := cbor.Unmarshal(body[1:], &a); err != nil {
		return Answer{}, nil, fmt.Errorf("decode: %w: %w", ErrDamaged, err)
	}
	return a, body, nil
}

// Refund gives the budget of an answer back, once: nobody opened it. The answer
// stays, so that the question is never encrypted a second time.
func (s *Store) Refund(id [32]byte) error {
	err := s.update(func(tx *bolt.Tx) error {
		a, body, err := s.readAnswer(tx, id)
		if err != nil {
			return err
		}
		if body == nil {
			return ErrNoAnswer
		}
		if body[0] == 1 {
			return nil
		}
		for _, sp := range a.Spent {
			spent, err := s.spent(tx, sp.Patient)
			if err != nil {
				return err
			}
			if err := s.setSpent(tx, sp.Patient, spent-min(spent, sp.Units)); err != nil {
				return err
			}
		}
		refunded := append([]byte{1}, body[1:]...)
		return tx.Bucket(bucketAnswers).Put(id[:], seal(bucketAnswers, "", id[:], refunded))
	})
	if err != nil {
		return fmt.Errorf("refund answer %x: %w", id[:4], err)
	}
	return nil
}

// Spent returns the budget units that the patient's answers have cost.
func (s *Store) Spent(patient string) (units uint64, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		units, err = s.spent(tx, patient)
		return err
	})
	return units, err
}
