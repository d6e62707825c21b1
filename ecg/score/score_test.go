package score

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"statnet/ecg"
	"statnet/ecg/ecgtest"
	"statnet/ecg/wfdb"
)

func annotations(codes map[int64]uint8, at ...int64) (out []wfdb.Annotation) {
	for _, t := range at {
		code := uint8(1)
		if c, ok := codes[t]; ok {
			code = c
		}
		out = append(out, wfdb.Annotation{Sample: t, Code: code})
	}
	return out
}

func TestMatching(t *testing.T) {
	flutter := map[int64]uint8{1000: wfdb.CodeVFOn, 1500: wfdb.CodeVFOff}
	for _, tt := range []struct {
		name       string
		ref        []wfdb.Annotation
		det        []float64
		tp, fn, fp int
	}{
		{"exactly 150 ms late", annotations(nil, 400), []float64{454}, 1, 0, 0},
		{"a sample later", annotations(nil, 400), []float64{455}, 0, 1, 1},
		{"exactly 150 ms early", annotations(nil, 400), []float64{346}, 1, 0, 0},
		{"the nearer of two wins", annotations(nil, 400), []float64{380, 405}, 1, 0, 1},
		{"one detection, two beats", annotations(nil, 400, 440), []float64{430}, 1, 1, 0},
		{"nothing found", annotations(nil, 400, 800), nil, 0, 2, 0},
		{"nothing there", nil, []float64{400}, 0, 0, 1},
		{"flutter is not scored", annotations(flutter, 400, 1000, 1200, 1500, 1900), []float64{400, 1100, 1300, 1900}, 2, 0, 0},
		{"a flutter wave is no beat", annotations(map[int64]uint8{400: 31}, 400), nil, 0, 0, 0},
	} {
		v := NewView(NewReference(tt.ref), tt.det, 360, 5000, 150, 0)
		if v.TP != tt.tp || v.FN != tt.fn || v.FP != tt.fp {
			t.Errorf("%s: TP %d FN %d FP %d, want %d %d %d", tt.name, v.TP, v.FN, v.FP, tt.tp, tt.fn, tt.fp)
		}
	}
}

func TestFiguresOfNothingAreNaN(t *testing.T) {
	s := View{}.Summary()
	for _, x := range []Number{s.Se, s.PPV, s.F1, s.DER, s.Off, s.Jit, s.RRe, s.RR95} {
		if !math.IsNaN(float64(x)) {
			t.Errorf("figure of an empty view = %v, want NaN", x)
		}
	}
	if b, _ := s.Se.MarshalJSON(); string(b) != "null" {
		t.Errorf("NaN in JSON = %s, want null", b)
	}
}

func TestAnnotationsAgainstThemselves(t *testing.T) {
	dir := filepath.Join(ecgtest.Dir(t), "mitdb")
	for _, name := range ecgtest.Names {
		ann, err := wfdb.ReadAnnotations(filepath.Join(dir, name+".atr"))
		if err != nil {
			t.Fatal(err)
		}
		r := Score(name, ann, NewReference(ann).times(), 360, 650_000, Default())
		for _, s := range []Summary{r.EC57.Summary(), r.Full.Summary()} {
			if s.FN+s.FP != 0 || s.Off != 0 || s.Jit != 0 || s.RRe != 0 {
				t.Errorf("%s against itself: %+v", name, s)
			}
		}
	}
}

// found is what the detector finds in the shared records, as text, once per run.
var found = sync.OnceValues(func() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, name := range ecgtest.Names {
		r, err := wfdb.Open(filepath.Join(recordDir, name))
		if err != nil {
			return nil, err
		}
		b := bytes.NewBufferString("# made by a test\n")
		err = r.Beats(0, 0, ecg.DefaultTuning(), ecg.Sink{Beat: func(p ecg.Peak, _ ecg.Beat) error {
			fmt.Fprintf(b, "%.2f trailing words\n", float64(p.Offset())/1024)
			return nil
		}})
		if err != nil {
			return nil, err
		}
		out[name] = b.Bytes()
	}
	return out, nil
})

var recordDir string // set by writeDetections before found is called

// writeDetections stores the detections of all records but without's.
func writeDetections(t *testing.T, refDir, without string) (detDir string) {
	t.Helper()
	recordDir, detDir = refDir, t.TempDir()
	texts, err := found()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if name == without {
			continue
		}
		if err := os.WriteFile(filepath.Join(detDir, name+".txt"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return detDir
}

// The reference script and this package print the same bytes. The script comes
// with the shared data, beside them; without it or python3 the test is skipped.
func TestEqualsReferenceScript(t *testing.T) {
	data := ecgtest.Dir(t)
	script := filepath.Join(data, "..", "..", "tools", "score.py")
	python, err := exec.LookPath("python3")
	if _, e := os.Stat(script); err != nil || e != nil {
		t.Skip("needs python3 and the reference script")
	}
	refDir := filepath.Join(data, "mitdb")
	detDir := writeDetections(t, refDir, "232")
	recs, missing, err := Dir(refDir, detDir, nil, Default())
	if err != nil || len(missing) != 1 || missing[0] != "232" {
		t.Fatalf("Dir = %v, missing %v, want 232 missing", err, missing)
	}
	for _, full := range []bool{false, true} {
		csv := filepath.Join(t.TempDir(), "out.csv")
		args := []string{script, refDir, detDir, "--allow-missing", "--csv", csv}
		if full {
			args = append(args, "--full")
		}
		want, err := exec.Command(python, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, want, _ = bytes.Cut(want, []byte("\n")) // the line with the directories
		var got bytes.Buffer
		if err := WriteTable(&got, recs, full, false); err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("full %v: table differs, got\n%swant\n%s", full, got.String(), want)
		}
		wantCSV, err := os.ReadFile(csv)
		if err != nil {
			t.Fatal(err)
		}
		got.Reset()
		if err := WriteCSV(&got, recs); err != nil || got.String() != string(wantCSV) {
			t.Errorf("CSV differs: %v, got\n%swant\n%s", err, got.String(), wantCSV)
		}
	}
}

// What the script printed for the default detector when this was written. It
// guards the figures where python3 is absent.
func TestScoreOfTheDefaultDetector(t *testing.T) {
	refDir := filepath.Join(ecgtest.Dir(t), "mitdb")
	detDir := writeDetections(t, refDir, "")
	recs, _, err := Dir(refDir, detDir, nil, Default())
	if err != nil {
		t.Fatal(err)
	}
	g := NewReport(recs).Gross
	for view, want := range map[string][3]int{"ec57": {22627, 75, 29}, "ec57-nop": {20770, 75, 28}, "full": {27035, 83, 39}} {
		if got := [3]int{g[view].TP, g[view].FN, g[view].FP}; got != want {
			t.Errorf("%s: TP FN FP = %v, want %v", view, got, want)
		}
	}
}

func TestRefusedDetections(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"x\n", "1\nNaN\n", "inf\n"} {
		path := filepath.Join(dir, "a.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadDetections(path); err == nil {
			t.Errorf("detections %q are accepted", text)
		}
	}
	if _, _, err := Dir(dir, dir, nil, Default()); err == nil {
		t.Error("a directory without annotations is scored")
	}
	if _, err := ReadDetections(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v, want ErrNotExist", err)
	}
}
