package gateway

import (
	"context"
	"sync"
	"time"

	"statnet/ecg"
	"statnet/stat"
	"statnet/store"
)

// memory is a Store and a Buffer in memory. Errors set in fail are returned by
// the method of that name.
type memory struct {
	mu      sync.Mutex
	calls   []string // names of methods, in order; guarded by mu, as are all fields
	pending []store.Batch
	beats   map[string][]ecg.Beat
	gaps    map[string][]store.Gap
	segs    map[string][]store.Segment
	state   map[string][]byte
	closed  map[string]int64
	sums    map[string]stat.Totals // what Window returns
	answers map[[32]byte]store.Answer
	fail    map[string]error
	order   *[]string // shared log of what happened, if set
}

func newMemory() *memory {
	return &memory{beats: map[string][]ecg.Beat{}, gaps: map[string][]store.Gap{}, segs: map[string][]store.Segment{},
		state: map[string][]byte{}, closed: map[string]int64{}, sums: map[string]stat.Totals{},
		answers: map[[32]byte]store.Answer{}, fail: map[string]error{}}
}

func (m *memory) call(name string) (unlock func(), err error) {
	m.mu.Lock()
	m.calls = append(m.calls, name)
	return m.mu.Unlock, m.fail[name]
}

func (m *memory) count(name string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.calls {
		if c == name {
			n++
		}
	}
	return n
}

func (m *memory) Add(b store.Batch) error {
	unlock, err := m.call("Add")
	defer unlock()
	m.pending = append(m.pending, b)
	return err
}

func (m *memory) Flush() (store.Report, error) {
	unlock, err := m.call("Flush")
	defer unlock()
	if err != nil {
		return store.Report{}, err
	}
	for _, batch := range m.pending {
		for patient, b := range batch {
			m.beats[patient] = append(m.beats[patient], b.Beats...)
			m.gaps[patient] = append(m.gaps[patient], b.Gaps...)
			m.segs[patient] = append(m.segs[patient], b.Segments...)
			if b.State != nil {
				m.state[patient] = b.State
			}
			m.closed[patient] = max(m.closed[patient], (b.Until-microsPerSecond)/microsPerEpoch)
		}
	}
	m.pending = nil
	return store.Report{}, nil
}

func (m *memory) Total() store.Report { return store.Report{Late: m.count("late")} }

func (m *memory) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if _, err := m.Flush(); err != nil {
				return err
			}
		}
	}
}

func (m *memory) State(patient string) ([]byte, error) {
	unlock, err := m.call("State")
	defer unlock()
	return m.state[patient], err
}

func (m *memory) ClosedThrough(patient string) (int64, error) {
	unlock, err := m.call("ClosedThrough")
	defer unlock()
	return m.closed[patient], err
}

func (m *memory) LastBeat(patient string) (ecg.Beat, bool, error) {
	unlock, err := m.call("LastBeat")
	defer unlock()
	if n := len(m.beats[patient]); n > 0 {
		return m.beats[patient][n-1], true, err
	}
	return ecg.Beat{}, false, err
}

func (m *memory) Window(patient string, from, to int64) (stat.Totals, error) {
	unlock, err := m.call("Window")
	defer unlock()
	return m.sums[patient], err
}

func (m *memory) SaveAnswer(id [32]byte, a store.Answer) error {
	unlock, err := m.call("SaveAnswer")
	defer unlock()
	if _, ok := m.answers[id]; ok && err == nil {
		err = store.ErrConflict
	}
	if err == nil {
		m.answers[id] = a
		m.note("saved")
	}
	return err
}

func (m *memory) note(s string) {
	if m.order != nil {
		*m.order = append(*m.order, s)
	}
}

func (m *memory) Answer(id [32]byte) (store.Answer, bool, error) {
	unlock, err := m.call("Answer")
	defer unlock()
	a, ok := m.answers[id]
	return a, ok, err
}
