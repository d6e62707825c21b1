package store_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"statnet/ecg"
	"statnet/stat"
	"statnet/store"
)

const (
	second  = int64(1_000_000)
	epochUs = 300 * second
	epoch0  = int64(5_984_434) // an epoch in November 2026
	start   = epoch0 * epochUs
	patient = "p-0001"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "beats.db"))
}

func openAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.Options{Cluster: "ward.example/00", LockTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func add(t testing.TB, s *store.Store, d store.PatientBatch) store.Report {
	t.Helper()
	rep, err := s.Append(store.Batch{patient: d})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func closeTo(t testing.TB, s *store.Store, upTo int64) {
	t.Helper()
	if err := s.CloseEpochs(patient, upTo); err != nil {
		t.Fatal(err)
	}
}

func window(t testing.TB, s *store.Store, from, to int64) stat.Totals {
	t.Helper()
	w, err := s.Window(patient, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// train makes beats from intervals: each ends rr after the one before. A
// negative interval begins a new segment with a gap of that length.
func train(at int64, rrs ...int32) (out []ecg.Beat) {
	out = append(out, ecg.Beat{At: at, Flags: ecg.First})
	for _, rr := range rrs {
		if rr < 0 {
			at -= int64(rr) * 1000
			out = append(out, ecg.Beat{At: at, Flags: ecg.First})
			continue
		}
		at += int64(rr) * 1000
		out = append(out, ecg.Beat{At: at, RR: rr})
	}
	return out
}

// TestPairsBelongToTheLaterBeat: the previous beat may lie in the epoch before.
func TestPairsBelongToTheLaterBeat(t *testing.T) {
	s := open(t)
	beats := train(start+epochUs-2*second, 900, 800, 700, 600) // at −1.1, −0.3, +0.4, +1.0 s around the boundary
	add(t, s, store.PatientBatch{Beats: beats})
	closeTo(t, s, epoch0+2)
	first, later := window(t, s, epoch0, epoch0+1), window(t, s, epoch0+1, epoch0+2)
	if first.N != 2 || first.M != 1 || first.D2 != 100*100 {
		t.Errorf("first epoch: N, M, D2 = %d, %d, %d, want 2, 1, 10000", first.N, first.M, first.D2)
	}
	if later.N != 2 || later.M != 2 || later.D2 != 2*100*100 {
		t.Errorf("second epoch: N, M, D2 = %d, %d, %d, want 2, 2, 20000", later.N, later.M, later.D2)
	}
}

func TestWhatBreaksAPair(t *testing.T) {
	base := train(start+second, 800, 800, 800) // 3 accepted beats, 2 pairs
	for _, tt := range []struct {
		name   string
		change func([]ecg.Beat) []ecg.Beat
		n, m   uint64
		rej    uint64
	}{
		{"nothing", func(b []ecg.Beat) []ecg.Beat { return b }, 3, 2, 0},
		{"a rejected neighbour", func(b []ecg.Beat) []ecg.Beat { b[2].Flags |= ecg.Jump; return b }, 2, 0, 1},
		{"bad quality", func(b []ecg.Beat) []ecg.Beat { b[3].Flags |= ecg.Quality; return b }, 2, 1, 1},
		{"information only", func(b []ecg.Beat) []ecg.Beat { b[2].Flags |= ecg.SearchBack | ecg.Learned; return b }, 3, 2, 0},
		{"a new segment", func(b []ecg.Beat) []ecg.Beat { b[2].Flags, b[2].RR = ecg.First, 0; return b }, 2, 0, 0},
		{"a beat that was lost", func(b []ecg.Beat) []ecg.Beat { return slices.Delete(b, 2, 3) }, 2, 0, 0},
		{"a label within tolerance", func(b []ecg.Beat) []ecg.Beat { b[3].At += 99_000; return b }, 3, 2, 0},
		{"a label beyond tolerance", func(b []ecg.Beat) []ecg.Beat { b[3].At += 101_000; return b }, 3, 1, 0},
		{"a label before its time", func(b []ecg.Beat) []ecg.Beat { b[3].At -= 101_000; return b }, 3, 1, 0},
		{"a spurious beat between", func(b []ecg.Beat) []ecg.Beat {
			return append(b, ecg.Beat{At: b[2].At + 1000, RR: 1, Flags: ecg.Range})
		}, 3, 1, 1},
	} {
		s := open(t)
		add(t, s, store.PatientBatch{Beats: tt.change(slices.Clone(base))})
		closeTo(t, s, epoch0+1)
		if w := window(t, s, epoch0, epoch0+1); w.N != tt.n || w.M != tt.m || w.REJ != tt.rej {
			t.Errorf("%s: N, M, REJ = %d, %d, %d, want %d, %d, %d", tt.name, w.N, w.M, w.REJ, tt.n, tt.m, tt.rej)
		}
	}
}

// TestEpochLimits: what an epoch admits is what CheckFit counts on.
func TestEpochLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rr     int32
		step   int64 // us between labels
		count  int
		n, rej uint64
	}{
		{"1280 beats", 200, 200_000, 1280, 1280, 0},
		{"1281 beats", 200, 200_000, 1281, 1280, 1},
		{"intervals that overlap", 3000, 200_000, 102, 101, 1}, // 101·3000 <= 304,031 ms
		{"rejected to the limit", 100, 100_000, 2047, 0, 2047},
		{"rejected beyond the limit", 100, 100_000, 2048, 0, 2047},
	} {
		s := open(t)
		var beats []ecg.Beat
		for i := range tt.count {
			beats = append(beats, ecg.Beat{At: start + int64(i)*tt.step, RR: tt.rr})
		}
		next := ecg.Beat{At: start + epochUs + 10, RR: 500}
		add(t, s, store.PatientBatch{Beats: append(beats, next)})
		closeTo(t, s, epoch0+2)
		if w := window(t, s, epoch0, epoch0+1); w.N != tt.n || w.REJ != tt.rej {
			t.Errorf("%s: N, REJ = %d, %d, want %d, %d", tt.name, w.N, w.REJ, tt.n, tt.rej)
		}
		if w := window(t, s, epoch0+1, epoch0+2); w.N != 1 || w.M != 0 {
			t.Errorf("%s: next epoch N, M = %d, %d, want 1, 0", tt.name, w.N, w.M)
		}
	}
}

func TestRepeatedAndLateBeats(t *testing.T) {
	s := open(t)
	beats := train(start+second, 800, 800, 800)
	if got, want := add(t, s, store.PatientBatch{Beats: beats}), (store.Report{Stored: 4}); got != want {
		t.Errorf("first append = %+v, want %+v", got, want)
	}
	changed := slices.Clone(beats)
	changed[1].RR = 700
	if got, want := add(t, s, store.PatientBatch{Beats: changed}), (store.Report{Duplicate: 4}); got != want {
		t.Errorf("same times again = %+v, want %+v", got, want)
	}
	closeTo(t, s, epoch0+1)
	before := window(t, s, epoch0, epoch0+1)
	late := append(slices.Clone(beats), ecg.Beat{At: start + 10*second, RR: 800})
	if got, want := add(t, s, store.PatientBatch{Beats: late}), (store.Report{Duplicate: 4, Late: 1}); got != want {
		t.Errorf("append to a closed epoch = %+v, want %+v", got, want)
	}
	closeTo(t, s, epoch0+1)
	if got := window(t, s, epoch0, epoch0+1); got != before || got.S1 != 2400 {
		t.Errorf("closed epoch changed: %+v, was %+v", got, before)
	}
	c, err := s.Coverage(patient, epoch0, epoch0+1)
	if err != nil || c.Late != 1 {
		t.Errorf("coverage = %+v, %v, want 1 late beat", c, err)
	}
}

func TestObservedSeconds(t *testing.T) {
	for _, tt := range []struct {
		name     string
		segments []store.Segment
		want     []uint64 // by epoch
	}{
		{"a whole epoch", []store.Segment{{start, start + epochUs}}, []uint64{300, 0, 0}},
		{"a second that is not whole", []store.Segment{{start, start + 2*second - 1}}, []uint64{1, 0, 0}},
		{"a second over the boundary belongs where it begins", []store.Segment{{start + epochUs - second/2, start + epochUs + second}}, []uint64{1, 0, 0}},
		{"three epochs", []store.Segment{{start + second/2, start + 3*epochUs}}, []uint64{300, 300, 299}},
		{"reported again while it grows", []store.Segment{{start, start + 10*second}, {start, start + 20*second}, {start, start + 5*second}}, []uint64{20, 0, 0}},
		{"grown by parts of seconds", []store.Segment{{start, start + second*3/2}, {start, start + 3*second}}, []uint64{3, 0, 0}},
		{"overlap counted once", []store.Segment{{start, start + 10*second}, {start + 5*second, start + 15*second}}, []uint64{15, 0, 0}},
		{"second by second", []store.Segment{{start, start + second}, {start + second, start + 2*second}}, []uint64{2, 0, 0}},
		{"covered by a later report", []store.Segment{{start + 10*second, start + 20*second}, {start + 40*second, start + 50*second}, {start, start + 60*second}}, []uint64{60, 0, 0}},
		{"apart", []store.Segment{{start, start + second*3/2}, {start + 2*second, start + second*7/2}}, []uint64{2, 0, 0}},
	} {
		s := open(t)
		add(t, s, store.PatientBatch{Segments: tt.segments})
		closeTo(t, s, epoch0+3)
		for i, want := range tt.want {
			k := epoch0 + int64(i)
			if got := window(t, s, k, k+1).OBS; got != want {
				t.Errorf("%s: seconds of epoch %d = %d, want %d", tt.name, i, got, want)
			}
		}
	}
}

// TestGrowingSegmentAcrossClosing: a segment reported minute by minute while
// epochs close loses nothing.
func TestGrowingSegmentAcrossClosing(t *testing.T) {
	s := open(t)
	for m := range int64(10) {
		to := start + (m+1)*60*second + second/2
		add(t, s, store.PatientBatch{Segments: []store.Segment{{start + second/4, to}}, Until: to})
	}
	if got := window(t, s, epoch0, epoch0+1).OBS; got != 300 {
		t.Errorf("seconds of the first epoch = %d, want 300", got)
	}
	if got, err := s.ClosedThrough(patient); err != nil || got != epoch0+1 {
		t.Errorf("closed through %d, %v, want %d: the second epoch's last second has only just ended", got, err, epoch0+1)
	}
	add(t, s, store.PatientBatch{Segments: []store.Segment{{start + second/4, start + 2*epochUs + second}}, Until: start + 2*epochUs + second})
	if got := window(t, s, epoch0+1, epoch0+2).OBS; got != 300 {
		t.Errorf("seconds of the second epoch = %d, want 300", got)
	}
	add(t, s, store.PatientBatch{Segments: []store.Segment{{start - 60*second, start + second/4}}})
	closeTo(t, s, epoch0+3)
	if got := window(t, s, 0, epoch0+2).OBS; got != 600 {
		t.Errorf("seconds after a report about a closed epoch = %d, want 600", got)
	}
}

// TestAnyOrderOfBatchesGivesTheSameTotals: splitting, repeating and closing at
// any time between changes nothing.
func TestAnyOrderOfBatchesGivesTheSameTotals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var rrs []int32
	for range 4000 {
		rr := int32(250 + r.IntN(1500))
		if r.IntN(40) == 0 {
			rr = -int32(100 + r.IntN(20_000))
		}
		rrs = append(rrs, rr)
	}
	beats := train(start+second, rrs...)
	for i := range beats {
		if r.IntN(15) == 0 {
			beats[i].Flags |= ecg.Jump
		}
	}
	end := beats[len(beats)-1].At/epochUs + 1
	whole := open(t)
	add(t, whole, store.PatientBatch{Beats: beats})
	closeTo(t, whole, end)

	split := open(t)
	for at := 0; at < len(beats); {
		n := min(1+r.IntN(300), len(beats)-at)
		part := slices.Clone(beats[max(0, at-20) : at+n]) // repeats some
		r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		d := store.PatientBatch{Beats: part}
		if r.IntN(2) == 0 {
			d.Until = beats[at+n-1].At // everything before is there
		}
		add(t, split, d)
		at += n
	}
	closeTo(t, split, end)
	for k := epoch0; k < end; k++ {
		if got, want := window(t, split, k, k+1), window(t, whole, k, k+1); got != want {
			t.Fatalf("epoch %d = %+v, want %+v", k, got, want)
		}
	}
	var sum stat.Totals
	for k := epoch0; k < end; k++ {
		sum.Add(window(t, whole, k, k+1))
	}
	if got := window(t, whole, 0, end); got != sum {
		t.Errorf("whole window = %+v, want the sum of its epochs %+v", got, sum)
	}
	if err := split.Check(); err != nil {
		t.Error(err)
	}
}

func TestWindowConditions(t *testing.T) {
	s := open(t)
	add(t, s, store.PatientBatch{Beats: train(start+second, 800, 800), Segments: []store.Segment{{start, start + 9*second}},
		Gaps: []store.Gap{{start + 9*second, start + 20*second, "radio"}}})
	closeTo(t, s, epoch0+100_000) // a year of nothing takes no rows
	for _, tt := range []struct {
		name     string
		patient  string
		from, to int64
		n        uint64
		want     error
	}{
		{"its epoch", patient, epoch0, epoch0 + 1, 2, nil},
		{"before enrolment", patient, 0, epoch0, 0, nil},
		{"everything", patient, 0, epoch0 + 100_000, 2, nil},
		{"after the last change", patient, epoch0 + 1, epoch0 + 100_000, 0, nil},
		{"beyond what is closed", patient, epoch0, epoch0 + 100_001, 0, store.ErrNotClosed},
		{"unknown patient", "p-0002", epoch0, epoch0 + 1, 0, store.ErrPatient},
	} {
		w, err := s.Window(tt.patient, tt.from, tt.to)
		if !errors.Is(err, tt.want) || w.N != tt.n {
			t.Errorf("%s: N = %d, %v, want %d, %v", tt.name, w.N, err, tt.n, tt.want)
		}
	}
	for _, bad := range [][2]int64{{-1, 1}, {5, 5}, {6, 5}, {0, 1<<24 + 1}} {
		if _, err := s.Window(patient, bad[0], bad[1]); err == nil {
			t.Errorf("window [%d, %d): accepted", bad[0], bad[1])
		}
	}
	c, err := s.Coverage(patient, epoch0, epoch0+2)
	if err != nil || c.ExpectedSeconds != 600 || c.ObservedSeconds != 9 || len(c.Gaps) != 1 || c.Gaps[0].Cause != "radio" {
		t.Errorf("coverage = %+v, %v, want 600 s expected, 9 observed, one gap", c, err)
	}
	if b, ok, err := s.LastBeat(patient); err != nil || !ok || b.At != start+second+1_600_000 || b.RR != 800 {
		t.Errorf("last beat = %+v, %v, %v", b, ok, err)
	}
	if ids, err := s.Patients(); err != nil || !slices.Equal(ids, []string{patient}) {
		t.Errorf("patients = %v, %v", ids, err)
	}
}

func TestAppendRefuses(t *testing.T) {
	s := open(t)
	for name, d := range map[string]store.PatientBatch{
		"time zero":         {Beats: []ecg.Beat{{At: 0}}},
		"time after 2129":   {Beats: []ecg.Beat{{At: 1 << 24 * epochUs}}},
		"negative interval": {Beats: []ecg.Beat{{At: start, RR: -1}}},
		"segment backwards": {Segments: []store.Segment{{start, start - 1}}},
		"gap backwards":     {Gaps: []store.Gap{{start, start - 1, ""}}},
		"long cause":        {Gaps: []store.Gap{{start, start, strings.Repeat("x", 65)}}},
		"large state":       {State: make([]byte, 1<<20+1)},
		"late watermark":    {Until: 1 << 24 * epochUs},
	} {
		if _, err := s.Append(store.Batch{patient: d}); !errors.Is(err, store.ErrBatch) {
			t.Errorf("%s: Append = %v, want ErrBatch", name, err)
		}
	}
	for _, id := range []string{"", strings.Repeat("p", 65)} {
		if _, err := s.Append(store.Batch{id: {}}); !errors.Is(err, store.ErrBatch) {
			t.Errorf("patient id of %d bytes: Append = %v, want ErrBatch", len(id), err)
		}
	}
	if ids, err := s.Patients(); err != nil || len(ids) != 0 {
		t.Errorf("patients after refused batches = %v, %v, want none", ids, err)
	}
}

func TestStateIsCommittedWithItsBeats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "beats.db")
	s := openAt(t, path)
	add(t, s, store.PatientBatch{Beats: train(start, 800), State: []byte("detector 1")})
	add(t, s, store.PatientBatch{Beats: train(start+10*second, 800)}) // nil keeps it
	bad := store.PatientBatch{Beats: []ecg.Beat{{At: start + 20*second}, {At: -1}}, State: []byte("detector 2")}
	if _, err := s.Append(store.Batch{patient: bad}); err == nil {
		t.Fatal("a bad batch was stored")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if got, err := s.State(patient); err != nil || string(got) != "detector 1" {
		t.Errorf("state = %q, %v, want that of the last stored batch", got, err)
	}
	n := 0
	if err := s.Beats(patient, 0, start+20*second, func(ecg.Beat) error { n++; return nil }); err != nil || n != 4 {
		t.Errorf("beats = %d, %v, want 4", n, err)
	}
	if got, err := s.State("p-9999"); err != nil || got != nil {
		t.Errorf("state of an unknown patient = %q, %v, want none", got, err)
	}
}

func TestOpenExplainsItself(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "beats.db")
	s := openAt(t, path)
	opt := store.Options{Cluster: "ward.example/00", LockTimeout: 50 * time.Millisecond}
	if _, err := store.Open(path, opt); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a store that is open = %v, want ErrLocked with its path", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of a new store = %v, %v, want 0600", info.Mode(), err)
	}
	opt.Cluster = "other.example/00"
	if _, err := store.Open(path, opt); !errors.Is(err, store.ErrCluster) {
		t.Errorf("Open of another cluster's store = %v, want ErrCluster", err)
	}
	if _, err := store.Open(filepath.Join(dir, "absent.db"), store.Options{ReadOnly: true}); err == nil {
		t.Error("Open of an absent file for reading: no error")
	}
	ro, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ro.Append(store.Batch{patient: {}}); err == nil {
		t.Error("Append to a store opened for reading: no error")
	}
	ro.Close()
	edit(t, path, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint32(nil, 2))
	})
	if _, err := store.Open(path, store.Options{}); !errors.Is(err, store.ErrFormat) {
		t.Errorf("Open of a later format = %v, want ErrFormat", err)
	}
}
