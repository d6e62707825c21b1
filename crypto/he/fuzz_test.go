package he

import (
	"bytes"
	"testing"
)

// fuzzParser checks the border of one parser: arbitrary bytes never panic it,
// and what it accepts survives a round trip byte for byte. It runs at N = 16 for
// speed; the seeds include encodings of N = 4096.
func fuzzParser(f *testing.F, name string) {
	small := pick(f, parsers(f, tiny(f, 16), 3), name)
	full := pick(f, parsers(f, std(f), 256), name)
	for _, p := range []parser{small, full} {
		f.Add(p.good)
		f.Add(p.good[:len(p.good)-1])
		f.Add(append(bytes.Clone(p.good), 0))
		f.Add(flip(p.good, headerSize+7))
		f.Add(flip(p.good, len(p.good)-1))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, len(small.good)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []parser{small, full} {
			before := bytes.Clone(b)
			back, err := p.parse(1, b)
			if !bytes.Equal(b, before) {
				t.Fatalf("%s: the parser changed its input", p.name)
			}
			if err != nil {
				continue
			}
			if len(b) != len(p.good) {
				t.Fatalf("%s: accepted %d bytes, want %d only", p.name, len(b), len(p.good))
			}
			if !bytes.Equal(back, b) {
				t.Fatalf("%s: accepted bytes are encoded as others", p.name)
			}
		}
	})
}

func pick(t testing.TB, ps []parser, name string) parser {
	t.Helper()
	for _, p := range ps {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no parser %q", name)
	return parser{}
}

func FuzzParseContribution(f *testing.F) { fuzzParser(f, "contribution") }
func FuzzParseSeed(f *testing.F)         { fuzzParser(f, "seed") }
func FuzzParsePublicKey(f *testing.F)    { fuzzParser(f, "public key") }
func FuzzParseCiphertext(f *testing.F)   { fuzzParser(f, "ciphertext") }
func FuzzParseShare(f *testing.F)        { fuzzParser(f, "share") }
func FuzzParseQuerierKey(f *testing.F)   { fuzzParser(f, "querier key") }
func FuzzParseDealerFile(f *testing.F)   { fuzzParser(f, "dealer file") }
func FuzzParseQuerierFile(f *testing.F)  { fuzzParser(f, "querier file") }

// FuzzPoly checks the codec against the bit-by-bit definition for every length.
func FuzzPoly(f *testing.F) {
	c := tiny(f, 16)
	p := c.expandUniform("test", []byte("fuzz"))
	for k := 1; k <= 16; k++ {
		f.Add(appendPoly(nil, p, k), uint8(k))
	}
	f.Fuzz(func(t *testing.T, b []byte, k8 uint8) {
		k := int(k8)%16 + 1
		got := c.newPoly()
		if err := c.parsePoly(b, got, k); err != nil {
			return
		}
		if back := appendPoly(nil, got, k); !bytes.Equal(back, b) {
			t.Fatalf("k = %d: accepted bytes are encoded as others", k)
		}
		for l := range got {
			limb := b[l*limbSize(k):]
			for i, x := range got[l][:k] {
				var want uint64
				for j := range wordBits {
					bit := wordBits*i + j
					want |= uint64(limb[bit/8]>>(bit%8)&1) << j
				}
				if x != want || x >= c.params.Q[l] {
					t.Fatalf("k = %d: residue %d of limb %d = %d, want %d", k, i, l, x, want)
				}
			}
		}
	})
}

// FuzzDecode compares decoding with big integers for any X in [0, Q).
func FuzzDecode(f *testing.F) {
	c := tiny(f, 16)
	f.Add(uint64(0), uint64(0))
	f.Add(c.params.Q[0]-1, c.params.Q[1]-1)
	f.Add(c.half[1]%c.params.Q[0], uint64(0))
	p := c.newPoly()
	f.Fuzz(func(t *testing.T, x0, x1 uint64) {
		p[0][0], p[1][0] = x0%c.params.Q[0], x1%c.params.Q[1]
		if got, want := c.decodeOne(p[0][0], p[1][0]), bigDecode(c, c.value(p, 0)); got != want {
			t.Fatalf("Decode = %d, want %d", got, want)
		}
	})
}
