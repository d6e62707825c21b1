package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"statnet/ecg"
	"statnet/store"
)

// history makes n beats of about 75 a minute.
func history(from int64, n int) []ecg.Beat {
	out := make([]ecg.Beat, n)
	at := from
	for i := range out {
		rr := int32(780 + i*7%41)
		at += int64(rr) * 1000
		out[i] = ecg.Beat{At: at, RR: rr}
	}
	return out
}

// TestBulkImport stores three days of beats at once, the size of the headline
// experiment.
func TestBulkImport(t *testing.T) {
	s := open(t)
	beats := history(start, 302_400)
	if rep := add(t, s, store.PatientBatch{Beats: beats}); rep.Stored != len(beats) {
		t.Errorf("stored = %d, want %d", rep.Stored, len(beats))
	}
	end := beats[len(beats)-1].At/epochUs + 1
	closeTo(t, s, end)
	w := window(t, s, epoch0, end)
	var sum uint64
	for _, b := range beats {
		sum += uint64(b.RR)
	}
	if w.N != 302_400 || w.S1 != sum || w.M != 302_399 {
		t.Errorf("N, S1, M = %d, %d, %d, want 302400, %d, 302399", w.N, w.S1, w.M, sum)
	}
}

func BenchmarkImport(b *testing.B) {
	beats := history(start, 302_400)
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		s := openAt(b, filepath.Join(dir, fmt.Sprint(i)))
		add(b, s, store.PatientBatch{Beats: beats})
		closeTo(b, s, beats[len(beats)-1].At/epochUs+1)
		s.Close()
	}
}

// BenchmarkAppend is a minute's flush of nine patches, synced.
func BenchmarkAppend(b *testing.B) {
	s := open(b)
	at := start
	for b.Loop() {
		batch := store.Batch{}
		for p := range 9 {
			batch[fmt.Sprintf("p-%04d", p)] = store.PatientBatch{Beats: history(at, 75), Segments: []store.Segment{{start, at + 60*second}}}
		}
		if _, err := s.Append(batch); err != nil {
			b.Fatal(err)
		}
		at += 60 * second
	}
}

// BenchmarkClose closes an epoch of 375 beats, synced.
func BenchmarkClose(b *testing.B) {
	s := open(b)
	beats := history(start, 1_000_000)
	add(b, s, store.PatientBatch{Beats: beats})
	k := epoch0
	for b.Loop() {
		k++
		closeTo(b, s, k)
	}
}

// BenchmarkWindow must not depend on the number of rows.
func BenchmarkWindow(b *testing.B) {
	for _, n := range []int{3_000, 300_000, 3_000_000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			s := open(b)
			beats := history(start, n)
			for at := 0; at < n; at += 300_000 {
				add(b, s, store.PatientBatch{Beats: beats[at:min(at+300_000, n)]})
			}
			end := beats[n-1].At/epochUs + 1
			closeTo(b, s, end)
			b.ResetTimer()
			for b.Loop() {
				window(b, s, epoch0+1, end)
			}
		})
	}
}
