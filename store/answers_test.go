package store_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"statnet/store"
)

func sampleAnswer() store.Answer {
	return store.Answer{
		Parts: []store.Part{{Ciphertext: bytes.Repeat([]byte{7}, 131_073), Digest: [32]byte{1, 2}}, {Ciphertext: []byte{9}}},
		Leaf:  []byte("sealed ANSWER"),
		Spent: []store.Spending{{Patient: "p-0001", Units: 3, Limit: 10}, {Patient: "p-0002", Units: 1}},
	}
}

func spent(t *testing.T, s *store.Store, patient string) uint64 {
	t.Helper()
	n, err := s.Spent(patient)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnswersAreStoredOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "beats.db")
	s := openAt(t, path)
	id, want := [32]byte{0xaa}, sampleAnswer()
	if _, ok, err := s.Answer(id); ok || err != nil {
		t.Errorf("answer before it is saved = %v, %v, want none", ok, err)
	}
	for range 2 { // a retry spends nothing
		if err := s.SaveAnswer(id, want); err != nil {
			t.Fatal(err)
		}
	}
	other := sampleAnswer()
	other.Parts[1].Ciphertext = []byte{10}
	if err := s.SaveAnswer(id, other); !errors.Is(err, store.ErrConflict) {
		t.Errorf("another answer to the same question: %v, want ErrConflict", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	got, ok, err := s.Answer(id)
	if err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("stored answer differs (ok %v, %v)", ok, err)
	}
	if a, b := spent(t, s, "p-0001"), spent(t, s, "p-0002"); a != 3 || b != 1 {
		t.Errorf("spent = %d, %d, want 3, 1", a, b)
	}
}

func TestBudgetIsSpentWithTheAnswerOrNotAtAll(t *testing.T) {
	s := open(t)
	for i, want := range []error{nil, nil, nil, store.ErrBudget} { // 3, 6, 9, 12 of 10
		a := sampleAnswer()
		a.Spent[0], a.Spent[1] = a.Spent[1], a.Spent[0] // the one that fails comes last
		if err := s.SaveAnswer([32]byte{byte(i)}, a); !errors.Is(err, want) {
			t.Errorf("answer %d: %v, want %v", i, err, want)
		}
	}
	if a, b := spent(t, s, "p-0001"), spent(t, s, "p-0002"); a != 9 || b != 3 {
		t.Errorf("spent = %d, %d, want 9, 3: nothing of the refused answer", a, b)
	}
	if _, ok, err := s.Answer([32]byte{3}); ok || err != nil {
		t.Errorf("refused answer is stored: %v, %v", ok, err)
	}
	full := store.Answer{Spent: []store.Spending{{Patient: "p-0001", Units: 1<<64 - 1}}}
	if err := s.SaveAnswer([32]byte{9}, full); !errors.Is(err, store.ErrBudget) {
		t.Errorf("units that wrap: %v, want ErrBudget", err)
	}
}

func TestRefundOnce(t *testing.T) {
	s := open(t)
	id := [32]byte{1}
	if err := s.Refund(id); !errors.Is(err, store.ErrNoAnswer) {
		t.Errorf("refund of nothing: %v, want ErrNoAnswer", err)
	}
	if err := s.SaveAnswer([32]byte{2}, sampleAnswer()); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveAnswer(id, sampleAnswer()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Refund(id); err != nil {
			t.Fatal(err)
		}
		if got := spent(t, s, "p-0001"); got != 3 {
			t.Errorf("spent after a refund = %d, want 3", got)
		}
	}
	if err := s.SaveAnswer(id, sampleAnswer()); err != nil || spent(t, s, "p-0001") != 3 {
		t.Errorf("saving a refunded answer again: %v, spent %d, want 3", err, spent(t, s, "p-0001"))
	}
}

func TestSaveAnswerRefusesWhatIsTooLarge(t *testing.T) {
	s := open(t)
	for name, a := range map[string]store.Answer{
		"51 parts":         {Parts: make([]store.Part, 51)},
		"large ciphertext": {Parts: []store.Part{{Ciphertext: make([]byte, 1<<20+1)}}},
		"large record":     {Leaf: make([]byte, 64<<10+1)},
		"nobody's budget":  {Spent: []store.Spending{{Units: 1}}},
	} {
		if err := s.SaveAnswer([32]byte{1}, a); !errors.Is(err, store.ErrBatch) {
			t.Errorf("%s: %v, want ErrBatch", name, err)
		}
	}
}
