package note

import (
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxCosigners bounds a policy; ten is the largest roster foreseen.
const maxCosigners = 64

// Policy says whose signatures count for one ledger, and how many are needed.
type Policy struct {
	Origin    string
	Quorum    int // q, at least 1
	Cosigners []Cosigner
}

// Signed is a note whose lines have been checked.
type Signed struct {
	Checkpoint
	Lines   []Line   // valid ones only, in the order of the policy, one a cosigner
	Signers []string // ids of the cosigners of Lines, for example "v1"
	Note    []byte   // the note with exactly these lines
}

// MedianTime is the median of the cosignature times, Unix seconds. With q valid
// lines and at most f < q/2 liars it lies between two honest clocks.
func (s Signed) MedianTime() uint64 {
	t := make([]uint64, 0, len(s.Lines))
	for _, l := range s.Lines {
		t = append(t, l.Time)
	}
	slices.Sort(t)
	if len(t) == 0 {
		return 0
	}
	return t[len(t)/2]
}

// Open checks a note's origin and every line that names a cosigner of the
// policy. Lines of unknown names are dropped; a known name with a wrong
// signature makes the whole note refused, because someone made it up.
//
// It accepts any number of valid lines, even none: see Verify.
func (p Policy) Open(note []byte) (Signed, error) {
	cp, lines, err := split(note)
	if err != nil {
		return Signed{}, err
	}
	if cp.Origin != p.Origin {
		return Signed{}, fmt.Errorf("note of %q, want %q: %w", cp.Origin, p.Origin, ErrOrigin)
	}
	text := cp.Text()
	byID := make(map[string]Line, len(p.Cosigners))
	for _, l := range lines {
		c, ok := p.find(l)
		if !ok {
			continue
		}
		if !l.verify(c, text) {
			return Signed{}, fmt.Errorf("note of size %d: line of %s: %w", cp.Size, c.ID, ErrSignature)
		}
		if _, twice := byID[c.ID]; !twice {
			byID[c.ID] = l
		}
	}
	return p.Join(cp, byID), nil
}

// Verify is Open and a quorum: q different cosigners of the policy signed.
//
// It does not check that the checkpoint extends one seen before: callers must,
// or they can be shown a second ledger.
func (p Policy) Verify(note []byte) (Signed, error) {
	s, err := p.Open(note)
	if err != nil {
		return Signed{}, err
	}
	if p.Quorum < 1 || len(s.Lines) < p.Quorum {
		return Signed{}, fmt.Errorf("note of size %d: %d of %d signatures: %w", s.Size, len(s.Lines), p.Quorum, ErrQuorum)
	}
	return s, nil
}

// Merge joins the lines of two notes over the same checkpoint; where both have
// a line of one cosigner, a's stays.
func (p Policy) Merge(a, b Signed) (Signed, error) {
	if a.Checkpoint != b.Checkpoint {
		return Signed{}, fmt.Errorf("merge notes of size %d and %d: different checkpoints", a.Size, b.Size)
	}
	byID := make(map[string]Line)
	for _, s := range []Signed{b, a} {
		for i, id := range s.Signers {
			byID[id] = s.Lines[i]
		}
	}
	return p.Join(a.Checkpoint, byID), nil
}

// find matches name and key id, so that a rotated key is not mistaken for a
// forged line.
func (p Policy) find(l Line) (Cosigner, bool) {
	for _, c := range p.Cosigners {
		if c.Name == l.Name && c.KeyID() == l.KeyID {
			return c, true
		}
	}
	return Cosigner{}, false
}

// Join puts lines that were verified before, by cosigner id, under one
// checkpoint. It checks nothing: Open and Merge do.
func (p Policy) Join(cp Checkpoint, byID map[string]Line) Signed {
	s := Signed{Checkpoint: cp}
	for _, c := range p.Cosigners {
		if l, ok := byID[c.ID]; ok {
			s.Lines = append(s.Lines, l)
			s.Signers = append(s.Signers, c.ID)
		}
	}
	s.Note = Format(cp, s.Lines)
	return s
}

// Text is the policy in the C2SP tlog-policy format.
func (p Policy) Text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# statnet-origin %s\n", p.Origin)
	ids := make([]string, 0, len(p.Cosigners))
	for _, c := range p.Cosigners {
		fmt.Fprintf(&b, "witness %s %s\n", c.ID, c.VerifierKey())
		ids = append(ids, c.ID)
	}
	fmt.Fprintf(&b, "group vns %d %s\nquorum vns\n", p.Quorum, strings.Join(ids, " "))
	return []byte(b.String())
}

// ParsePolicy reads exactly what Text writes.
func ParsePolicy(text []byte) (Policy, error) {
	if len(text) > MaxNote {
		return Policy{}, fmt.Errorf("policy of %d bytes: %w", len(text), ErrMalformed)
	}
	var p Policy
	for line := range strings.SplitSeq(string(text), "\n") {
		if err := p.parseLine(strings.Split(line, " ")); err != nil {
			return Policy{}, err
		}
	}
	if err := p.validate(); err != nil {
		return Policy{}, err
	}
	if string(p.Text()) != string(text) {
		return Policy{}, fmt.Errorf("policy: other form: %w", ErrMalformed)
	}
	return p, nil
}

func (p *Policy) parseLine(f []string) error {
	switch {
	case f[0] == "#" && len(f) == 3 && f[1] == "statnet-origin":
		p.Origin = f[2]
	case f[0] == "witness" && len(f) == 3:
		c, err := parseVerifierKey(f[1], f[2])
		if err != nil {
			return err
		}
		p.Cosigners = append(p.Cosigners, c)
	case f[0] == "group" && len(f) >= 3:
		q, err := strconv.Atoi(f[2])
		if err != nil {
			return fmt.Errorf("policy: quorum %q: %w", f[2], ErrMalformed)
		}
		p.Quorum = q
	}
	return nil // whatever else stands there, the comparison with Text refuses
}

func parseVerifierKey(id, vkey string) (Cosigner, error) {
	f := strings.SplitN(vkey, "+", 3) // base64 may contain a plus sign
	if len(f) != 3 {
		return Cosigner{}, fmt.Errorf("policy: key of %q: %w", id, ErrMalformed)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(f[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosign {
		return Cosigner{}, fmt.Errorf("policy: key of %q: %w", id, ErrMalformed)
	}
	return Cosigner{ID: id, Name: f[0], Key: raw[1:]}, nil
}

func (p *Policy) validate() error {
	n := len(p.Cosigners)
	if !validName(p.Origin) || n == 0 || n > maxCosigners || p.Quorum < 1 || p.Quorum > n {
		return fmt.Errorf("policy of %q: %d of %d: %w", p.Origin, p.Quorum, n, ErrMalformed)
	}
	ids := slices.Clone(p.Cosigners)
	slices.SortFunc(ids, func(a, b Cosigner) int { return cmp.Compare(a.ID, b.ID) })
	for i, c := range ids {
		if c.ID == "" || c.Name != p.Origin+"/vn/"+c.ID || i > 0 && ids[i-1].ID == c.ID {
			return fmt.Errorf("policy: witness %q: %w", c.ID, ErrMalformed)
		}
	}
	return nil
}
