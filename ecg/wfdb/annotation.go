package wfdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Annotation is one label of an .atr file.
type Annotation struct {
	Sample int64 // time in ticks, for most files samples of the record
	Code   uint8
	Sub    int16 // -512 to 511
	Chan   uint8
	Num    uint8
	Aux    string
}

// Pseudo-annotations that carry fields of the one before, and the time step.
const (
	codeSkip = 59
	codeNum  = 60
	codeSub  = 61
	codeChn  = 62
	codeAux  = 63
	maxCode  = 58
)

// maxTime bounds annotation times; maxAnn a file's size.
const (
	maxTime = 1 << 40
	maxAnn  = 1 << 28
)

var symbols = map[uint8]string{
	1: "N", 2: "L", 3: "R", 4: "a", 5: "V", 6: "F", 7: "J", 8: "A", 9: "S", 10: "E", 11: "j", 12: "/", 13: "Q",
	14: "~", 16: "|", 18: "s", 19: "T", 20: "*", 21: "D", 22: `"`, 23: "=", 24: "p", 25: "B", 26: "^", 27: "t",
	28: "+", 29: "u", 30: "?", 31: "!", 32: "[", 33: "]", 34: "e", 35: "n", 36: "@", 37: "x", 38: "f", 39: "(",
	40: ")", 41: "r",
}

// Codes that this package's users ask for.
const (
	CodeNormal    = 1
	CodePVC       = 5
	CodeNote      = 22
	CodeVFOn      = 32
	CodeVFOff     = 33
	resolutionAux = "## time resolution: "
)

// Symbol is the letter that PhysioNet's tools print, "#N" for an unknown code.
func (a Annotation) Symbol() string {
	if s, ok := symbols[a.Code]; ok {
		return s
	}
	return fmt.Sprintf("#%d", a.Code)
}

// IsBeat reports a QRS annotation. Flutter waves ("!") are none.
func (a Annotation) IsBeat() bool {
	c := a.Code
	return c >= 1 && c <= 13 || c == 25 || c == 30 || c == 34 || c == 35 || c == 38 || c == 41
}

// IsNormal reports a beat that starts in or above the AV node's normal path: N
// L R e j, the beats of normal-to-normal intervals.
func (a Annotation) IsNormal() bool {
	switch a.Code {
	case 1, 2, 3, 11, 34:
		return true
	}
	return false
}

// ReadAnnotations reads an annotation file.
func ReadAnnotations(path string) ([]Annotation, error) {
	b, err := readBounded(path, maxAnn)
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	ann, err := ParseAnnotations(b)
	if err != nil {
		return nil, fmt.Errorf("read annotations %s: %w", path, err)
	}
	return ann, nil
}

// ParseAnnotations reads the MIT format. Every refusal names the byte.
func ParseAnnotations(b []byte) ([]Annotation, error) {
	var out []Annotation
	var t int64
	for i := 0; ; {
		if len(b)-i < 2 {
			return nil, fmt.Errorf("byte %d: no end mark", i)
		}
		w := binary.LittleEndian.Uint16(b[i:])
		code, n := uint8(w>>10), int64(w&1023)
		if w == 0 {
			return out, nil
		}
		at := i
		i += 2
		switch {
		case code == codeSkip:
			if len(b)-i < 4 {
				return nil, fmt.Errorf("byte %d: SKIP past the end", at)
			}
			hi, lo := binary.LittleEndian.Uint16(b[i:]), binary.LittleEndian.Uint16(b[i+2:])
			t += int64(int32(uint32(hi)<<16 | uint32(lo)))
			i += 4
		case code > maxCode:
			used, err := field(out, code, n, b[i:])
			if err != nil {
				return nil, fmt.Errorf("byte %d: %w", at, err)
			}
			i += used
		default:
			t += n
			if t < 0 || t > maxTime {
				return nil, fmt.Errorf("byte %d: time %d is outside [0, 2^40]", at, t)
			}
			out = append(out, Annotation{Sample: t, Code: code})
		}
		if t < -maxTime || t > 2*maxTime {
			return nil, fmt.Errorf("byte %d: time %d is outside [0, 2^40]", at, t)
		}
	}
}

// field applies NUM, SUB, CHN or AUX to the last annotation and returns the
// bytes it used.
func field(out []Annotation, code uint8, n int64, rest []byte) (int, error) {
	if len(out) == 0 {
		return 0, fmt.Errorf("code %d before the first annotation", code)
	}
	a := &out[len(out)-1]
	switch code {
	case codeNum:
		a.Num = uint8(n)
	case codeSub:
		a.Sub = int16(n<<6) >> 6 // sign of 10 bits
	case codeChn:
		a.Chan = uint8(n)
	case codeAux:
		size := int(n + n&1)
		if size > len(rest) {
			return 0, fmt.Errorf("AUX of %d bytes past the end", n)
		}
		a.Aux = string(rest[:n])
		return size, nil
	}
	return 0, nil
}

// Ticks returns the tick rate that a first note may declare, in Hz, as text; ""
// if it does not, which means the record's sampling rate.
func Ticks(ann []Annotation) string {
	if len(ann) > 0 && ann[0].Code == CodeNote {
		if rest, ok := strings.CutPrefix(ann[0].Aux, resolutionAux); ok {
			return strings.TrimRight(rest, "\x00 ")
		}
	}
	return ""
}

// ErrAnnotation reports an annotation that the format cannot hold.
var ErrAnnotation = errors.New("annotation does not fit the format")

// AppendAnnotations writes the MIT format behind b. Times must not fall.
func AppendAnnotations(b []byte, ann []Annotation) ([]byte, error) {
	put := func(code uint8, n int64) { b = binary.LittleEndian.AppendUint16(b, uint16(code)<<10|uint16(n&1023)) }
	var t int64
	for i, a := range ann {
		step := a.Sample - t
		if a.Sample < 0 || a.Sample > maxTime || a.Code > maxCode || a.Sub < -512 || a.Sub > 511 || len(a.Aux) > 1023 {
			return nil, fmt.Errorf("write annotation %d at %d: %w", i, a.Sample, ErrAnnotation)
		}
		for step < 0 || step > 1023 || a.Code == 0 && step == 0 {
			if a.Code == 0 && step == 0 {
				return nil, fmt.Errorf("write annotation %d at %d: code 0 without a step is the end mark: %w", i, a.Sample, ErrAnnotation)
			}
			skip := min(max(step, -1<<31), 1<<31-1)
			put(codeSkip, 0)
			b = binary.LittleEndian.AppendUint16(b, uint16(uint32(int32(skip))>>16))
			b = binary.LittleEndian.AppendUint16(b, uint16(uint32(int32(skip))))
			step -= skip
		}
		put(a.Code, step)
		t = a.Sample
		for _, f := range [...]struct {
			code uint8
			n    int64
		}{{codeNum, int64(a.Num)}, {codeSub, int64(a.Sub)}, {codeChn, int64(a.Chan)}} {
			if f.n != 0 {
				put(f.code, f.n)
			}
		}
		if a.Aux != "" {
			put(codeAux, int64(len(a.Aux)))
			b = append(b, a.Aux...)
			b = append(b, make([]byte, len(a.Aux)&1)...)
		}
	}
	return append(b, 0, 0), nil
}
