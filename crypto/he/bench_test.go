package he

import (
	"testing"
)

// 64 statistics of 48 bits: K = 256. Run with
// go test -run '^$' -bench . -benchmem ./crypto/he

func benchNetwork(b *testing.B) (*Context, *network) {
	c := std(b)
	return c, newNetwork(b, c, 1, 3, 2)
}

func benchMessage(k int) []uint16 {
	m := make([]uint16, k)
	for i := range m {
		m[i] = uint16(i * 37 % 4096)
	}
	return m
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Std4096()); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEncrypt(b *testing.B, k int, serialize bool) {
	c, net := benchNetwork(b)
	e, err := c.NewEncryptor(net.pk, 0)
	if err != nil {
		b.Fatal(err)
	}
	m := benchMessage(k)
	size := 0
	for b.Loop() {
		ct, _, err := e.Encrypt(m)
		if err != nil {
			b.Fatal(err)
		}
		if serialize {
			size = len(ct.Bytes()) - headerSize
		}
	}
	b.ReportMetric(float64(size), "bytes/op")
}

func BenchmarkEncrypt256(b *testing.B)            { benchEncrypt(b, 256, false) }
func BenchmarkEncrypt256Serialized(b *testing.B)  { benchEncrypt(b, 256, true) }
func BenchmarkEncrypt4096(b *testing.B)           { benchEncrypt(b, 4096, false) }
func BenchmarkEncrypt4096Serialized(b *testing.B) { benchEncrypt(b, 4096, true) }

// benchOnline measures what is left at the moment of the question when the pool
// is full: taking an encryption of zero out and adding the message.
func benchOnline(b *testing.B, k int, serialize bool) {
	c, net := benchNetwork(b)
	e := &Encryptor{ctx: c, pk: net.pk, pool: make(chan *zero, 1), done: make(chan struct{})}
	z, err := e.encryptZero()
	if err != nil {
		b.Fatal(err)
	}
	m := benchMessage(k)
	for b.Loop() {
		e.pool <- z // the same again: nothing of it is published here
		ct, _, err := e.Encrypt(m)
		if err != nil {
			b.Fatal(err)
		}
		if serialize {
			ct.Bytes()
		}
	}
}

func BenchmarkEncryptOnline256(b *testing.B)            { benchOnline(b, 256, false) }
func BenchmarkEncryptOnline256Serialized(b *testing.B)  { benchOnline(b, 256, true) }
func BenchmarkEncryptOnline4096(b *testing.B)           { benchOnline(b, 4096, false) }
func BenchmarkEncryptOnline4096Serialized(b *testing.B) { benchOnline(b, 4096, true) }

func BenchmarkAdd(b *testing.B) {
	c, net := benchNetwork(b)
	ct, err := c.ParseCiphertext(1, net.encrypt(b, benchMessage(256)...))
	if err != nil {
		b.Fatal(err)
	}
	sum, err := c.NewSum(1, 256)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sum.n = 0
		if err := sum.Add(ct); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCiphertext(b *testing.B) {
	c, net := benchNetwork(b)
	ct := net.encrypt(b, benchMessage(256)...)
	for b.Loop() {
		if _, err := c.ParseCiphertext(1, ct); err != nil {
			b.Fatal(err)
		}
	}
}

// benchDecrypt measures decryption with one whole key, for comparison with other
// schemes; nobody has that key here.
func benchDecrypt(b *testing.B, k int) {
	c, net := benchNetwork(b)
	s := net.secret(b)
	ct, err := c.ParseCiphertext(1, net.encrypt(b, benchMessage(k)...))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c.decode(c.phase(ct.c0, ct.c1, s), k)
	}
}

func BenchmarkDecrypt256(b *testing.B)  { benchDecrypt(b, 256) }
func BenchmarkDecrypt4096(b *testing.B) { benchDecrypt(b, 4096) }

func BenchmarkMakeShare(b *testing.B) {
	c, net := benchNetwork(b)
	q := net.ask(b, "q", 256, []int{1, 2}, net.encrypt(b, benchMessage(256)...))
	ct, err := c.ParseCiphertext(1, q.cts[0])
	if err != nil {
		b.Fatal(err)
	}
	sum, err := c.NewSum(1, 256)
	if err != nil {
		b.Fatal(err)
	}
	if err := sum.Add(ct); err != nil {
		b.Fatal(err)
	}
	to := q.public(b)
	for b.Loop() {
		if _, err := net.keys[0].makeShare(q.o, sum, to); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	_, net := benchNetwork(b)
	q := net.ask(b, "q", 256, []int{1, 2}, net.encrypt(b, benchMessage(256)...))
	shares := q.shares(b)
	for b.Loop() {
		if _, err := q.key.Open(net.crs.Committee, q.o, q.prefix, shares); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenAdd leaves the digests out: parse, add, decrypt.
func BenchmarkOpenAdd(b *testing.B) {
	c, net := benchNetwork(b)
	q := net.ask(b, "q", 256, []int{1, 2}, net.encrypt(b, benchMessage(256)...))
	shares := q.shares(b)
	for b.Loop() {
		x, err := c.parseC0(256, q.o.C0, q.prefix)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := q.key.addShares(q.o, x, shares); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkContribute(b *testing.B) {
	c := std(b)
	crs := newCRS(b, c, 1, 3, 2)
	for b.Loop() {
		k, err := c.Contribute(crs, 3)
		if err != nil {
			b.Fatal(err)
		}
		k.Commit()
	}
}

func BenchmarkNewPublicKey(b *testing.B) {
	c, net := benchNetwork(b)
	for b.Loop() {
		if _, err := c.NewPublicKey(net.crs, net.commits, net.reveals); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewServerKey(b *testing.B) {
	c, net := benchNetwork(b)
	seeds := net.seedsOf(b, 1)
	for b.Loop() {
		if _, err := c.NewServerKey(1, net.crs, seeds, net.reveals); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewQuerierKey(b *testing.B) {
	c := std(b)
	for b.Loop() {
		if _, err := c.NewQuerierKey(1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNTT(b *testing.B) {
	c := std(b)
	p := c.expandUniform("test", []byte("ntt"))
	for b.Loop() {
		c.f.ntt(p)
	}
}

func BenchmarkSampling(b *testing.B) {
	c := std(b)
	v := make([]int8, 4096)
	b.Run("ternary", func(b *testing.B) {
		for b.Loop() {
			if err := ternary(c.rand, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("centred", func(b *testing.B) {
		for b.Loop() {
			if err := centred(c.rand, v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
