package store_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"statnet/ecg"
	"statnet/store"
)

const (
	childEnv   = "STATNET_STORE_CHILD" // path of the store that the child process writes
	crashBatch = 75                    // beats in a batch of the child
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := writeForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForEver flushes batches of consecutive beats, closes epochs on the way,
// and prints the number of beats after each flush that returned.
func writeForEver(path string) error {
	s, err := store.Open(path, store.Options{Cluster: "ward.example/00"})
	if err != nil {
		return err
	}
	n := int64(0)
	if b, ok, err := s.LastBeat(patient); err == nil && ok {
		n = (b.At-start)/second + 1
	}
	b := store.NewBuffer(s, time.Hour)
	for {
		d := store.PatientBatch{State: []byte(strconv.FormatInt(n+crashBatch, 10)), Until: start + (n+crashBatch)*second}
		for range crashBatch {
			d.Beats = append(d.Beats, ecg.Beat{At: start + n*second, RR: 1000})
			n++
		}
		if err := b.Add(store.Batch{patient: d}); err != nil {
			return err
		}
		if _, err := b.Flush(); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKilledWhileFlushing kills a writing process at random moments: what was
// acknowledged is there, a flush is there whole or not at all, nothing is
// damaged, and the prefix sums equal the beats.
func TestKilledWhileFlushing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "beats.db")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for round := range 6 {
		acknowledged := runAndKill(t, path, time.Duration(r.IntN(60_000))*time.Microsecond)
		s := openAt(t, path)
		if err := s.Check(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		beats := int64(0)
		err := s.Beats(patient, 0, start+1<<40, func(b ecg.Beat) error {
			if b.At != start+beats*second {
				return fmt.Errorf("beat %d is missing", beats)
			}
			beats++
			return nil
		})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if beats < acknowledged || beats > acknowledged+crashBatch || beats%crashBatch != 0 {
			t.Fatalf("round %d: %d beats stored, %d acknowledged, batches of %d", round, beats, acknowledged, crashBatch)
		}
		if state, err := s.State(patient); err != nil || string(state) != strconv.FormatInt(beats, 10) {
			t.Errorf("round %d: state = %q, %v, want %d", round, state, err, beats)
		}
		checkSums(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runAndKill starts the writer, waits for its first flush and then for pause,
// kills it with SIGKILL and returns the last acknowledged number of beats.
func runAndKill(t *testing.T, path string, pause time.Duration) (acknowledged int64) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if timer == nil {
			timer = time.AfterFunc(pause, func() { cmd.Process.Kill() })
		}
		if acknowledged, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			break // a line cut short by the kill: the one before counts
		}
	}
	if timer == nil {
		t.Fatal("the writer stored nothing")
	}
	cmd.Wait() // killed: the error says so
	return acknowledged
}

func checkSums(t *testing.T, s *store.Store) {
	t.Helper()
	closed, err := s.ClosedThrough(patient)
	if err != nil {
		t.Fatal(err)
	}
	if closed <= epoch0 {
		return
	}
	w := window(t, s, 0, closed)
	if want := uint64((closed - epoch0) * 300); w.N != want || w.S1 != 1000*want || w.M != want-1 {
		t.Errorf("prefix sums: N, S1, M = %d, %d, %d, want %d, %d, %d", w.N, w.S1, w.M, want, 1000*want, want-1)
	}
}
