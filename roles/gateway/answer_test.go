package gateway

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
	"statnet/config"
	"statnet/stat"
	"statnet/store"
)

func TestAnswerIsStoredSentAndRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var order []string
		w.mem.order = &order
		w.link.onUpload = func([]byte) error { w.mem.mu.Lock(); w.mem.note("uploaded"); w.mem.mu.Unlock(); return nil }
		for _, v := range w.verifiers {
			v.onPut = func([]byte, []byte) error { w.mem.mu.Lock(); w.mem.note("put"); w.mem.mu.Unlock(); return nil }
		}
		if err := w.answer(t.Context(), w.task()); err != nil {
			t.Fatalf("answer: %v", err)
		}
		a := w.registered()
		if a == nil || a.Outcome != record.Answered || len(a.Parts) != 1 {
			t.Fatalf("registered answer = %+v, want one part", a)
		}
		if got := len(a.Parts[0].Patients); got != 2 {
			t.Errorf("patients = %d, want the 2 of this gateway", got)
		}
		if got, want := w.holders(a.Parts[0].Ciphertext), w.Config.Cluster.Q(); got < want {
			t.Errorf("verifiers that hold the ciphertext = %d, want at least %d", got, want)
		}
		if len(w.link.uploads) != 1 || sha256.Sum256(w.link.uploads[0]) != a.Parts[0].Ciphertext {
			t.Errorf("uploads = %d, want the one registered ciphertext", len(w.link.uploads))
		}
		if len(order) == 0 || order[0] != "saved" {
			t.Errorf("order = %v, want saved first", order)
		}
		if want := uint8(7); a.LogRows != want { // 142 rows
			t.Errorf("row bucket = %d, want %d", a.LogRows, want)
		}
	})
}

func TestEncryptsTheSumOfOwnPatients(t *testing.T) {
	w := newWorld(t)
	if err := w.answer(t.Context(), w.task()); err != nil {
		t.Fatalf("answer: %v", err)
	}
	var coeffs []uint32
	for _, v := range w.keys.plain[0] {
		coeffs = append(coeffs, uint32(v))
	}
	sums, err := stat.Decode(coeffs, stat.Question{Statistic: stat.Mean, Signal: stat.RR}.Selection())
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if sums.Providers != 1 || sums.Patients != 2 || sums.N != 142 || sums.S1 != 120_022 {
		t.Errorf("sums = %+v, want 1 provider, 2 patients, N 142, S1 120022", sums)
	}
	if sums.S2 != 0 {
		t.Errorf("S2 = %d, want 0: a mean does not open it", sums.S2)
	}
}

// TestRefusalComputesNothing: a question that the own cluster.yaml does not
// allow reads no sum and makes no ciphertext, even though a quorum has let it
// into the ledger.
func TestRefusalComputesNothing(t *testing.T) {
	policy := func(change func(*config.Rule)) option {
		return withCluster(func(c *config.Cluster) { change(&c.Policy[0]) })
	}
	tests := []struct {
		name string
		opt  option
		want record.AnswerOutcome
	}{
		{"querier not listed", withCluster(func(c *config.Cluster) { c.Policy = nil }), record.DeclinedPolicy},
		{"statistic not listed", policy(func(r *config.Rule) { r.Statistics = []string{"variance"} }), record.DeclinedPolicy},
		{"signal not listed", policy(func(r *config.Rule) { r.Signals = []string{"hr"} }), record.DeclinedPolicy},
		{"cohort not listed", policy(func(r *config.Rule) { r.Cohorts = []string{"room-1"} }), record.DeclinedPolicy},
		{"other purpose", policy(func(r *config.Rule) { r.Purpose = "research" }), record.DeclinedPolicy},
		{"cohort too small", policy(func(r *config.Rule) { r.MinCohort = 7 }), record.DeclinedPolicy},
		{"cohort changed", withCluster(func(c *config.Cluster) {
			c.Cohorts[0].Patients = c.Cohorts[0].Patients[:5]
		}), record.DeclinedPolicy},
		{"parameter set", withCluster(func(c *config.Cluster) { c.Params = make([]byte, 32) }), record.DeclinedPolicy},
		{"window not over by own clock", func(_ *world, cfg *Config, q *record.Query) {
			cfg.Now = func() time.Time { return time.Unix(int64(q.To)-1, 0) }
		}, record.DeclinedClock},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.opt)
			if err := w.answer(t.Context(), w.task()); err != nil {
				t.Fatalf("answer: %v", err)
			}
			a := w.registered()
			if a == nil || a.Outcome != tt.want || len(a.Parts) != 0 {
				t.Errorf("registered = %+v, want outcome %d and no part", a, tt.want)
			}
			if n := w.mem.count("Window"); n != 0 {
				t.Errorf("sums read = %d, want 0", n)
			}
			if n := w.keys.count(); n != 0 {
				t.Errorf("encryptions = %d, want 0", n)
			}
			if len(w.link.uploads) != 0 || len(w.link.failed) != 1 {
				t.Errorf("uploads %d, failures told %v, want 0 and 1", len(w.link.uploads), w.link.failed)
			}
			if strings.Contains(w.logs.String(), "p-0001") {
				t.Error("the log names a patient")
			}
		})
	}
}

func TestWindowThatEndsNowIsOver(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *Config, q *record.Query) {
		cfg.Now = func() time.Time { return time.Unix(int64(q.To), 0) }
	})
	if err := w.answer(t.Context(), w.task()); err != nil {
		t.Fatalf("answer: %v", err)
	}
	if a := w.registered(); a == nil || a.Outcome != record.Answered {
		t.Errorf("registered = %+v, want an answer", a)
	}
}

func TestDeclines(t *testing.T) {
	broken := errors.New("disk broken")
	tests := []struct {
		name string
		opt  option
		want record.AnswerOutcome
	}{
		{"no data of any patient", func(w *world, _ *Config, _ *record.Query) { clear(w.mem.sums) }, record.DeclinedNoData},
		{"nothing closed", func(w *world, _ *Config, _ *record.Query) { clear(w.mem.closed) }, record.DeclinedNoData},
		{"sums cannot be read", func(w *world, _ *Config, _ *record.Query) { w.mem.fail["Window"] = broken }, record.DeclinedInternal},
		{"encryption fails", func(w *world, _ *Config, _ *record.Query) {
			w.keys.encrypt = func([]uint16) ([]byte, error) { return nil, broken }
		}, record.DeclinedInternal},
		{"sum too large for its limbs", func(w *world, _ *Config, _ *record.Query) {
			for p := range w.mem.sums {
				w.mem.sums[p] = stat.Totals{N: 1, S1: 1 << 48}
			}
		}, record.DeclinedInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.opt)
			if err := w.answer(t.Context(), w.task()); err != nil {
				t.Fatalf("answer: %v", err)
			}
			if a := w.registered(); a == nil || a.Outcome != tt.want {
				t.Errorf("registered = %+v, want outcome %d", a, tt.want)
			}
		})
	}
}

// budgetStore refuses the first answer it is given.
type budgetStore struct {
	*memory
	refused bool
}

func (b *budgetStore) SaveAnswer(id [32]byte, a store.Answer) error {
	if len(a.Spent) > 0 {
		b.refused = true
		return store.ErrBudget
	}
	return b.memory.SaveAnswer(id, a)
}

func TestSpentBudgetDeclines(t *testing.T) {
	w := newWorld(t)
	b := &budgetStore{memory: w.mem}
	w.Store = b
	if err := w.answer(t.Context(), w.task()); err != nil {
		t.Fatalf("answer: %v", err)
	}
	if a := w.registered(); !b.refused || a == nil || a.Outcome != record.DeclinedBudget {
		t.Errorf("registered = %+v, want declined for budget", a)
	}
	if len(w.link.uploads) != 0 {
		t.Error("a ciphertext left although the budget was spent")
	}
}

func TestNotAskedSaysNothing(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *Config, q *record.Query) {
		cfg.ID = "gw-2"
		q.Cohort, q.MinCohort = "", 1
		q.Pseudonyms = []record.Pseudonym{record.PseudonymOf(cfg.Cluster.Name, "p-0001")}
		q.CohortHash = record.CohortDigest(q.Pseudonyms)
	})
	if err := w.answer(t.Context(), w.task()); !errors.Is(err, errNotAsked) {
		t.Errorf("answer = %v, want %v", err, errNotAsked)
	}
	if w.registered() != nil || w.mem.count("SaveAnswer") != 0 {
		t.Error("something was stored or registered")
	}
}

func TestTicketDecides(t *testing.T) {
	w := newWorld(t)
	other := w.ledger.l.Ask(w.ledger.l.QueryRecord())
	tests := []struct {
		name string
		task Task
	}{
		{"none", Task{QueryID: w.id}},
		{"forged", Task{QueryID: w.id, Ticket: make([]byte, 32)}},
		{"of another question", Task{QueryID: w.id, Ticket: other[:]}},
		{"of a question that is not registered", Task{QueryID: [32]byte{1}, Ticket: w.id[:]}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := w.answer(t.Context(), tt.task); err == nil {
				t.Error("answer = nil, want a refusal")
			}
			if w.mem.count("Window")+w.mem.count("SaveAnswer")+w.keys.count() != 0 {
				t.Error("something was computed for a task without a valid ticket")
			}
		})
	}
}

func TestKeyMustBeTheLedgers(t *testing.T) {
	w := newWorld(t)
	q := w.ledger.l.Query(w.id)
	rec := *q.Record
	rec.KeyLeaf++
	q.Record = &rec
	if _, err := w.cipher(t.Context(), q); err == nil {
		t.Error("cipher for another key leaf = nil error, want a refusal")
	}
	q.KeyEpoch = 9
	if _, err := w.cipher(t.Context(), q); err == nil {
		t.Error("cipher for an epoch that does not exist = nil error, want a refusal")
	}
	running, _ := w.ledger.l.State.NextKeyEpoch()
	first := w.ledger.l.KeygenRound(running, record.RoundCommit)[0]
	w.ledger.l.Must(first.Path, first.Record)
	q.KeyEpoch, rec.KeyLeaf = running, 0
	if _, err := w.cipher(t.Context(), q); err == nil {
		t.Error("cipher for a key that is being generated = nil error, want a refusal")
	}
}

// TestManyPatientsTakeSeveralParts: each patient is in one part, and only the
// first part counts the gateway.
func TestManyPatientsTakeSeveralParts(t *testing.T) {
	w := newWorldOf(t, fsmtest.Options{Patients: 20})
	if err := w.answer(t.Context(), w.task()); err != nil {
		t.Fatalf("answer: %v", err)
	}
	a := w.registered()
	if a == nil || len(a.Parts) != 2 || a.Patients() != 20 {
		t.Fatalf("registered = %+v, want 20 patients in 2 parts", a)
	}
	if got := w.keys.plain[0][0] + w.keys.plain[1][0]; got != 1 {
		t.Errorf("the gateway counts %d times, want once", got)
	}
	if want := len("ciphertext 1ciphertext 2"); len(w.link.uploads[0]) != want {
		t.Errorf("upload has %d bytes, want both parts, %d", len(w.link.uploads[0]), want)
	}
	for i, p := range a.Parts {
		if w.holders(p.Ciphertext) < w.Config.Cluster.Q() {
			t.Errorf("part %d is on %d verifiers", i, w.holders(p.Ciphertext))
		}
	}
}

func TestTooLateAnswersNothing(t *testing.T) {
	w := newWorld(t)
	w.ledger.l.Cut(120_000)
	if err := w.answer(t.Context(), w.task()); err == nil {
		t.Error("answer after the phase = nil, want an error")
	}
	if w.keys.count() != 0 {
		t.Error("encrypted after the phase")
	}
}
