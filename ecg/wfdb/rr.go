package wfdb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"statnet/ecg"
)

// rrHeader is the first line of an RR list.
const rrHeader = "time_ms,rr_ms"

// tolerance is how far a row's time may be from the previous row's time plus
// its interval, in ms. Beyond it, beats are missing in between: the shortest
// missing interval is 200 ms.
const tolerance = 100

// maxMS bounds times (the year 5138) and intervals in an RR list.
const (
	maxMS = 100_000_000_000_000
	maxRR = 1 << 30
)

// RRBeats reads a CSV of `time_ms,rr_ms`, one beat a line, and delivers its
// beats judged as the detector's are. Times are whole milliseconds, rise, and
// are added to startUs. The intervals are taken as they are, not computed from
// the times; a row whose time does not follow from the previous row and its own
// interval, or whose interval is 0, starts a new segment. A segment's first
// interval counts: the beat that began it is delivered, too, as the segment's
// first, so that a list of n intervals gives n of them.
func RRBeats(path string, startUs int64, sink func(ecg.Beat) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read RR list: %w", err)
	}
	defer f.Close()
	if err := ReadRR(f, startUs, sink); err != nil {
		return fmt.Errorf("read RR list %s: %w", path, err)
	}
	return nil
}

// ReadRR is RRBeats on an open list. Every refusal names the line.
func ReadRR(r io.Reader, startUs int64, sink func(ecg.Beat) error) error {
	var s strap
	return eachLine(r, func(n int, line []byte) error {
		if n == 1 {
			if string(line) != rrHeader {
				return fmt.Errorf("header %q: want %q", line, rrHeader)
			}
			return nil
		}
		at, rr, err := parseRow(line)
		if err != nil {
			return err
		}
		return s.put(at, rr, startUs, sink)
	})
}

// strap turns rows into beats: its device clock is the sum of the intervals.
type strap struct {
	clean   ecg.Cleaner
	started bool
	lastMS  int64
	clockNs int64
}

func (s *strap) put(at, rr, startUs int64, sink func(ecg.Beat) error) error {
	d := at - s.lastMS - rr
	segment := !s.started || rr == 0 || d > tolerance || d < -tolerance
	if begun := at - rr; segment && rr > 0 && begun >= 0 && (!s.started || begun > s.lastMS) {
		if err := s.beat(ecg.First, 0, startUs+1000*begun, sink); err != nil {
			return err
		}
		segment = false
	}
	s.started, s.lastMS = true, at
	if segment {
		return s.beat(ecg.First, 0, startUs+1000*at, sink)
	}
	return s.beat(0, rr, startUs+1000*at, sink)
}

// beat delivers one beat, rr ms after the one before on the device's clock.
func (s *strap) beat(f ecg.Flags, rr, wallUs int64, sink func(ecg.Beat) error) error {
	s.clockNs += rr * 1_000_000
	b, err := s.clean.Put(ecg.Peak{Flags: f}, s.clockNs, wallUs)
	if err != nil {
		return err
	}
	return sink(b)
}

// parseRow reads "123,800".
func parseRow(line []byte) (at, rr int64, err error) {
	left, right, ok := bytes.Cut(line, []byte(","))
	if !ok {
		return 0, 0, fmt.Errorf("%q: want TIME,RR in milliseconds, e.g. 12000,800", clip(line))
	}
	if at, err = whole(left, maxMS); err != nil {
		return 0, 0, fmt.Errorf("time %w", err)
	}
	if rr, err = whole(right, maxRR); err != nil {
		return 0, 0, fmt.Errorf("interval %w", err)
	}
	return at, rr, nil
}

// whole reads a number without sign, point or leading zeros.
func whole(b []byte, most int64) (int64, error) {
	var v int64
	ok := len(b) > 0 && len(b) <= 18 && (b[0] != '0' || len(b) == 1)
	for _, c := range b {
		ok = ok && c >= '0' && c <= '9'
		if ok {
			v = 10*v + int64(c-'0')
		}
	}
	if !ok || v > most {
		return 0, fmt.Errorf("%q: want a whole number of milliseconds up to %d", clip(b), most)
	}
	return v, nil
}

// ReadMicrovolts reads one number a line, in microvolts, rounded to whole ones;
// an empty line is a missing sample. A first line that is no number is a
// header.
func ReadMicrovolts(r io.Reader) ([]int32, error) {
	var out []int32
	err := eachLine(r, func(n int, line []byte) error {
		if len(line) == 0 {
			out = append(out, Missing)
			return nil
		}
		v, err := strconv.ParseFloat(string(line), 64)
		switch {
		case err != nil && n == 1:
			return nil
		case err != nil || math.IsNaN(v) || math.Abs(v) > 1e9:
			return fmt.Errorf("%q: want microvolts, e.g. -120", clip(line))
		}
		out = append(out, int32(math.Round(v)))
		return nil
	})
	return out, err
}

// Microvolts is a record of one signal in microvolts.
func Microvolts(name string, rateMilliHz int64, uv []int32) *Record {
	h := Header{Name: name, RateMilliHz: rateMilliHz, Samples: int64(len(uv)), Signals: []Signal{{Gain: 1, Units: "uV"}}}
	return &Record{Header: h, samples: [][]int32{uv}}
}

// eachLine calls f with every line, numbered from 1, without its end.
func eachLine(r io.Reader, f func(n int, line []byte) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("line %d: longer than %d bytes", n, 1<<16)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if len(line) == 0 {
			return nil // end of file
		}
		if e := f(n, bytes.TrimRight(line, "\r\n")); e != nil {
			return fmt.Errorf("line %d: %w", n, e)
		}
	}
}

// clip shortens what is quoted in an error.
func clip(b []byte) []byte { return b[:min(len(b), 40)] }
