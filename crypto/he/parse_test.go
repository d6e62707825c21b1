package he

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// parser is one Parse function with a good encoding.
type parser struct {
	name  string
	good  []byte
	polys []int // length in coefficients of the polynomials at the end of the body
	parse func(epoch uint64, b []byte) ([]byte, error)
}

// parsers returns every parser of the package, each returning what it accepted,
// encoded again.
func parsers(t testing.TB, c *Context, k int) []parser {
	t.Helper()
	n := c.params.N
	net := newNetwork(t, c, 1, 3, 2)
	q := net.ask(t, "q", k, []int{1, 2}, net.encrypt(t, 1, 2, 3))
	share := q.shares(t)[0]
	crs := func(epoch uint64) CRS {
		x := net.crs
		x.Epoch = epoch
		return x
	}
	dealer, err := c.Contribute(net.crs, net.sets[0])
	if err != nil {
		t.Fatal(err)
	}
	exported, _ := dealer.Export()
	secret, _ := q.key.Export()
	return []parser{
		{"contribution", net.reveals[0].Bytes(), []int{n}, func(e uint64, b []byte) ([]byte, error) {
			r, err := c.ParseContribution(crs(e), net.sets[0], b)
			if err != nil {
				return nil, err
			}
			return r.Bytes(), nil
		}},
		{"seed", net.seeds[net.sets[0]], nil, func(e uint64, b []byte) ([]byte, error) {
			s, err := c.ParseSeed(crs(e), b)
			if err != nil {
				return nil, err
			}
			return c.ExportSeed(s)
		}},
		{"public key", net.pk.Bytes(), []int{n}, func(e uint64, b []byte) ([]byte, error) {
			// The id would refuse every altered key; the parser must do so before.
			id := Digest{}
			if body, err := c.body(KindPublicKey, e, noK, b); err == nil {
				id = hashFields("statnet/v1/pk", c.params.ID[:], be64(e), body[:32], body[32:])
			}
			k, err := c.ParsePublicKey(e, id, b)
			if err != nil {
				return nil, err
			}
			return k.Bytes(), nil
		}},
		{"ciphertext", q.cts[0], []int{n, n}, func(e uint64, b []byte) ([]byte, error) {
			ct, err := c.ParseCiphertext(e, b)
			if err != nil {
				return nil, err
			}
			return ct.Bytes(), nil
		}},
		{"share", share.Data, []int{k, n}, func(e uint64, b []byte) ([]byte, error) {
			if err := c.CheckShare(e, k, b); err != nil {
				return nil, err
			}
			h0, h1 := c.newPoly(), c.newPoly()
			if err := c.parseShare(e, k, b, h0, h1); err != nil {
				return nil, err
			}
			return appendPoly(appendPoly(c.newMessage(KindShare, e, 0), h0, k), h1, n), nil
		}},
		{"querier key", q.key.Public().Bytes(), []int{n}, func(e uint64, b []byte) ([]byte, error) {
			p, err := c.ParseQuerierKey(e, b)
			if err != nil {
				return nil, err
			}
			return p.Bytes(), nil
		}},
		{"dealer file", exported, nil, func(e uint64, b []byte) ([]byte, error) {
			k, err := c.RestoreContribution(crs(e), b)
			if err != nil {
				return nil, err
			}
			return k.Export()
		}},
		{"querier file", secret, nil, func(e uint64, b []byte) ([]byte, error) {
			k, err := c.RestoreQuerierKey(e, b)
			if err != nil {
				return nil, err
			}
			return k.Export()
		}},
	}
}

func TestParsersRefuse(t *testing.T) {
	c := tiny(t, 16)
	for _, p := range parsers(t, c, 3) {
		t.Run(p.name, func(t *testing.T) {
			back, err := p.parse(1, p.good)
			if err != nil || !bytes.Equal(back, p.good) {
				t.Fatalf("good encoding: error %v, round trip equal = %v", err, bytes.Equal(back, p.good))
			}
			refused := func(name string, b []byte, want error) {
				t.Helper()
				if _, err := p.parse(1, b); !errors.Is(err, want) {
					t.Errorf("%s: error %v, want %v", name, err, want)
				}
			}
			set := func(i int, v byte) []byte {
				b := bytes.Clone(p.good)
				b[i] = v
				return b
			}
			refused("empty", nil, ErrEncoding)
			refused("header only", p.good[:headerSize], ErrEncoding)
			refused("one byte short", p.good[:len(p.good)-1], ErrEncoding)
			refused("one byte long", append(bytes.Clone(p.good), 0), ErrEncoding)
			refused("wrong magic", set(0, 'X'), ErrEncoding)
			refused("version 2", set(4, 2), ErrEncoding)
			refused("wrong kind", set(5, p.good[5]^1), ErrEncoding)
			refused("reserved byte 6", set(6, 1), ErrEncoding)
			refused("reserved byte 7", set(7, 1), ErrEncoding)
			refused("other params id", set(16, p.good[16]^1), ErrParams)
			refused("other epoch", set(15, 2), ErrEpoch)
			bomb := bytes.Repeat([]byte{32}, 64) // 64 bytes that claim a ring of degree 2^32
			refused("64-byte bomb", bomb, ErrEncoding)
			refused("library encoding", append([]byte{32, 2}, bomb...), ErrEncoding)
			for name, b := range badPolys(c, p) {
				refused(name, b, ErrEncoding)
			}
			if _, err := p.parse(2, p.good); !errors.Is(err, ErrEpoch) {
				t.Errorf("epoch 1 where 2 is wanted: error %v, want %v", err, ErrEpoch)
			}
		})
	}
}

// badPolys returns encodings with one bad residue or padding bit, at the start
// and the end of every limb.
func badPolys(c *Context, p parser) map[string][]byte {
	out := map[string][]byte{}
	at := len(p.good)
	for i := len(p.polys) - 1; i >= 0; i-- {
		k := p.polys[i]
		at -= polySize(k)
		for l, q := range c.params.Q {
			limb := at + l*limbSize(k)
			for _, pos := range []int{0, 1, k - 1} {
				for name, v := range map[string]uint64{"residue q": q, "residue 2^53-1": wordMask} {
					b := bytes.Clone(p.good)
					putResidue(b[limb:limb+limbSize(k)], pos, v)
					out[name+" in limb "+string(rune('0'+l))+" at "+string(rune('0'+pos))] = b
				}
			}
			if used := wordBits * k % 8; used != 0 {
				b := bytes.Clone(p.good)
				b[limb+limbSize(k)-1] |= 0x80
				out["padding of limb "+string(rune('0'+l))] = b
			}
		}
	}
	return out
}

// putResidue overwrites residue i of an encoded limb, bit by bit.
func putResidue(b []byte, i int, v uint64) {
	for j := range wordBits {
		bit := wordBits*i + j
		b[bit/8] &^= 1 << (bit % 8)
		b[bit/8] |= byte(v>>j&1) << (bit % 8)
	}
}

func TestLargestResidueIsAccepted(t *testing.T) {
	c := tiny(t, 16)
	p := c.newPoly()
	for l, q := range c.params.Q {
		for i := range p[l] {
			p[l][i] = q - 1
		}
	}
	for k := 1; k <= 16; k++ {
		back := c.newPoly()
		if err := c.parsePoly(appendPoly(nil, p, k), back, k); err != nil || !back.head(k).equal(p.head(k)) {
			t.Errorf("k = %d: residues q-1: %v", k, err)
		}
	}
}

func TestBareC0IsRefused(t *testing.T) {
	c := tiny(t, 16)
	p := parser{good: appendPoly(nil, c.expandUniform("test", []byte("c0")), 3), polys: []int{3}}
	bad := badPolys(c, p)
	bad["one byte short"] = p.good[:len(p.good)-1]
	bad["one byte long"] = append(bytes.Clone(p.good), 0)
	bad["empty"] = nil
	for name, b := range bad {
		if _, err := c.parseC0(3, DigestOf(b), b); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: error %v, want %v", name, err, ErrEncoding)
		}
	}
	if _, err := c.parseC0(3, DigestOf(p.good), p.good); err != nil {
		t.Errorf("good c0: %v", err)
	}
	if _, err := c.parseC0(3, Digest{}, p.good); !errors.Is(err, ErrDigest) {
		t.Errorf("other hash: error %v, want %v", err, ErrDigest)
	}
}

func TestSeedOfUnknownSetIsRefused(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	for _, mask := range []uint16{0, 1, 7, 9, 0x8001, 0xffff} {
		b := bytes.Clone(net.seeds[net.sets[0]])
		binary.BigEndian.PutUint16(b[headerSize:], mask)
		if _, err := c.ParseSeed(net.crs, b); !errors.Is(err, ErrCommittee) {
			t.Errorf("set %v: error %v, want %v", Set(mask), err, ErrCommittee)
		}
		if _, err := c.ParseContribution(net.crs, Set(mask), net.reveals[0].Bytes()); !errors.Is(err, ErrCommittee) {
			t.Errorf("contribution for %v: error %v, want %v", Set(mask), err, ErrCommittee)
		}
	}
	b := bytes.Clone(net.seeds[net.sets[0]])
	b[headerSize+3] = 1
	if _, err := c.ParseSeed(net.crs, b); !errors.Is(err, ErrEncoding) {
		t.Errorf("reserved byte: error %v, want %v", err, ErrEncoding)
	}
}

func TestPublicKeyOfAnotherIDIsRefused(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	if _, err := c.ParsePublicKey(1, Digest{1}, net.pk.Bytes()); !errors.Is(err, ErrDigest) {
		t.Errorf("error %v, want %v", err, ErrDigest)
	}
	if other := newNetwork(t, c, 1, 3, 2); other.pk.ID() == net.pk.ID() {
		t.Error("two key generations gave one key")
	}
}

func TestSizes(t *testing.T) {
	c := std(t)
	for _, tt := range []struct {
		kind Kind
		k    int
		want int
	}{
		{KindContribution, 0, 54304}, {KindSeed, 0, 36}, {KindPublicKey, 0, 54304}, {KindCiphertext, 0, 108544},
		{KindPrefix, 256, 3392 - headerSize}, {KindShare, 256, 57664}, {KindQuerierKey, 0, 54304}, {KindPrefix, 4096, 54272 - headerSize},
	} {
		if got, err := c.Size(tt.kind, tt.k); err != nil || got != headerSize+tt.want {
			t.Errorf("Size(%d, %d) = %d, %v, want %d", tt.kind, tt.k, got, err, headerSize+tt.want)
		}
	}
	for _, k := range []int{-1, 0, 4097, 1 << 30} {
		if _, err := c.Size(KindShare, k); !errors.Is(err, ErrCount) {
			t.Errorf("Size of a share with K = %d: error %v, want %v", k, err, ErrCount)
		}
	}
	if _, err := c.Size(Kind(99), 1); !errors.Is(err, ErrEncoding) {
		t.Errorf("Size of kind 99: error %v, want %v", err, ErrEncoding)
	}
}

// endless counts what is read from it.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return len(p), nil
}

func TestReadMessageIsBounded(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 1, 1)
	good := net.encrypt(t, 1)
	got, err := c.ReadMessage(bytes.NewReader(good), KindCiphertext, 0)
	if err != nil || !slices.Equal(got, good) {
		t.Errorf("ReadMessage of a good ciphertext: %v", err)
	}
	for name, b := range map[string][]byte{"empty": nil, "short": good[:len(good)-1], "long": append(bytes.Clone(good), 1)} {
		if _, err := c.ReadMessage(bytes.NewReader(b), KindCiphertext, 0); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: error %v, want %v", name, err, ErrEncoding)
		}
	}
	e := new(endless)
	if _, err := c.ReadMessage(e, KindCiphertext, 0); !errors.Is(err, ErrEncoding) || e.n > len(good)+1 {
		t.Errorf("endless stream: error %v after %d bytes, want %v after %d", err, e.n, ErrEncoding, len(good)+1)
	}
}

func TestNewRefusesOtherParameters(t *testing.T) {
	for name, change := range map[string]func(*Params){
		"N":     func(p *Params) { p.N = 2048 },
		"prime": func(p *Params) { p.Q[1] = 9007199254740881 },
		"T":     func(p *Params) { p.T = 65537 },
		"Delta": func(p *Params) { p.Delta[1] += 2 },
		"id":    func(p *Params) { p.ID[0]++ },
	} {
		p := Std4096()
		change(&p)
		if _, err := New(p); !errors.Is(err, ErrParams) {
			t.Errorf("New with another %s: error %v, want %v", name, err, ErrParams)
		}
		if err := p.check(); !errors.Is(err, ErrParams) {
			t.Errorf("check with another %s: error %v, want %v", name, err, ErrParams)
		}
	}
	p := Std4096()
	p.N, p.Name = 16, "small" // consistent, but not compiled in
	p.ID = p.computeID()
	if _, err := New(p); !errors.Is(err, ErrParams) {
		t.Errorf("New with a small ring: error %v, want %v", err, ErrParams)
	}
}
