package he

import (
	"errors"
	"fmt"
	"math/big"
	"testing"
)

func TestEndToEnd(t *testing.T) {
	c := std(t)
	for _, com := range []Committee{{1, 1}, {3, 3}, {4, 4}, {5, 5}, {16, 16}, {2, 2}, {3, 2}, {4, 3}, {5, 3}} {
		t.Run(fmt.Sprintf("%d of %d", com.T, com.N), func(t *testing.T) {
			net := newNetwork(t, c, 7, com.N, com.T)
			a, b := net.encrypt(t, 1, 4095, 0, 17), net.encrypt(t, 2, 4095, 9)
			for _, active := range subsets(com.N, com.T) {
				q := net.ask(t, "q", 256, active, a, b)
				q.wantOpen(t, q.shares(t), 3, 8190, 9, 17)
			}
		})
	}
}

func TestEndToEndAtOtherK(t *testing.T) {
	c := std(t)
	net := newNetwork(t, c, 1, 3, 2)
	m := make([]uint16, 4096)
	want := make([]uint32, 4096)
	for i := range m {
		m[i] = uint16(i)
		want[i] = uint32(i)
	}
	ct := net.encrypt(t, m...)
	for _, k := range []int{1, 3, 4096} {
		q := net.ask(t, "q", k, []int{1, 3}, ct)
		q.wantOpen(t, q.shares(t), want[:k]...)
	}
}

// TestLargestSum adds 65,535 ciphertexts of 4,095. It adds one ciphertext again
// and again, which makes the noise worse than independent ones would, and
// decrypts with the collective secret.
func TestLargestSum(t *testing.T) {
	if testing.Short() {
		t.Skip("65,535 additions")
	}
	c := tiny(t, 64)
	net := newNetwork(t, c, 1, 3, 2)
	m := make([]uint16, 64)
	for i := range m {
		m[i] = 4095
	}
	ct, err := c.ParseCiphertext(1, net.encrypt(t, m...))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := c.NewSum(1, 64)
	if err != nil {
		t.Fatal(err)
	}
	for range MaxSummands {
		if err := sum.Add(ct); err != nil {
			t.Fatal(err)
		}
	}
	for i, got := range c.decode(c.phase(sum.c0, sum.c1, net.secret(t)), 64) {
		if got != 268365825 {
			t.Fatalf("value %d = %d, want 268365825", i, got)
		}
	}
	if err := sum.Add(ct); !errors.Is(err, ErrTooMany) {
		t.Errorf("65,536th summand: error %v, want %v", err, ErrTooMany)
	}
	if got := sum.Count(); got != MaxSummands {
		t.Errorf("Count = %d, want %d", got, MaxSummands)
	}
}

// TestWorstNoiseStillDecodes opens a sum whose every summand has the largest
// noise that a proof allows, by scaling one: D·(2·N·n·21+21) of section 9.
func TestWorstNoiseStillDecodes(t *testing.T) {
	c := std(t)
	d, x := c.delta(), c.newPoly()
	worst := func(n int64) int64 { return MaxSummands*(2*4096*n*21+21) + n*(2*4096*21+21) + 2801971 }
	for _, sign := range []int64{1, -1} {
		for i, m := range []int64{0, 1, 4095, 268365825} {
			v := bigInt(sign * worst(16))
			v.Add(v, new(big.Int).Lsh(bigInt(sign*16), 72)) // 16 servers smudge to the limit
			v.Add(v, new(big.Int).Mul(bigInt(m), d))
			c.setValue(x, i, v)
			if got := c.decodeOne(x[0][i], x[1][i]); int64(got) != m {
				t.Errorf("m = %d with worst noise decodes to %d", m, got)
			}
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	net := newNetwork(t, tiny(t, 16), 1, 1, 1)
	e, err := net.c.NewEncryptor(net.pk, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		m    []uint16
		want error
	}{
		{"no values", nil, ErrCount},
		{"one more than N", make([]uint16, 17), ErrCount},
		{"exactly N", make([]uint16, 16), nil},
		{"largest value", []uint16{4095}, nil},
		{"one above the largest value", []uint16{0, 4096}, ErrValue},
	} {
		if _, _, err := e.Encrypt(tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
	e.Close()
	e.Close()
	if _, _, err := e.Encrypt([]uint16{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: error %v, want %v", err, ErrClosed)
	}
}

func TestSumRefuses(t *testing.T) {
	c := tiny(t, 16)
	one, two := newNetwork(t, c, 1, 1, 1), newNetwork(t, c, 2, 1, 1)
	sum, err := c.NewSum(1, 16)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{-1, 0, 17} {
		if _, err := c.NewSum(1, k); !errors.Is(err, ErrCount) {
			t.Errorf("NewSum with K = %d: error %v, want %v", k, err, ErrCount)
		}
	}
	ct, err := c.ParseCiphertext(2, two.encrypt(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := sum.Add(ct); !errors.Is(err, ErrEpoch) {
		t.Errorf("ciphertext of another epoch: error %v, want %v", err, ErrEpoch)
	}
	full := *sum
	full.n = MaxSummands
	ct, err = c.ParseCiphertext(1, one.encrypt(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := full.Add(ct); !errors.Is(err, ErrTooMany) {
		t.Errorf("65,536th summand: error %v, want %v", err, ErrTooMany)
	}
	full.n = MaxSummands - 1
	if err := full.Add(ct); err != nil {
		t.Errorf("65,535th summand: %v", err)
	}
	other := newNetwork(t, tiny(t, 32), 1, 1, 1)
	ct, err = other.c.ParseCiphertext(1, other.encrypt(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := sum.Add(ct); !errors.Is(err, ErrParams) {
		t.Errorf("ciphertext of other parameters: error %v, want %v", err, ErrParams)
	}
}
