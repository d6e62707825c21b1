package he

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// secrets returns one value of every secret type, by value and by pointer.
func secrets(t *testing.T) map[string]any {
	t.Helper()
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	k, err := c.Contribute(net.crs, net.sets[0])
	if err != nil {
		t.Fatal(err)
	}
	q, err := c.NewQuerierKey(1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.NewEncryptor(net.pk, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, w, err := e.Encrypt([]uint16{1234})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.drawMask(4)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"*Seed": k.Seed(), "Seed": *k.Seed(), "*KeyWitness": k.Witness(), "KeyWitness": *k.Witness(),
		"*Contribution": k, "Contribution": *k, "*ServerKey": net.keys[0], "ServerKey": *net.keys[0],
		"*QuerierKey": q, "QuerierKey": *q, "*Witness": w, "Witness": *w, "*mask": m,
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	for name, v := range secrets(t) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
			if verb == "%p" && name[0] != '*' {
				continue // fmt asks no method for it; vet refuses %p of a struct
			}
			got := fmt.Sprintf(verb, v)
			if verb == "%p" && strings.HasPrefix(got, "0x") && len(got) <= 18 {
				continue // an address, not a value
			}
			if got != secretText {
				t.Errorf("%s with %s prints %q, want %q", name, verb, got, secretText)
			}
		}
		if got := fmt.Sprintf("%v", []any{v}); got != "["+secretText+"]" {
			t.Errorf("%s in a slice prints %q", name, got)
		}
		j, err := json.Marshal(map[string]any{"k": v})
		if err != nil || string(j) != `{"k":"`+secretText+`"}` {
			t.Errorf("%s as JSON: %s, %v", name, j, err)
		}
		for _, h := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(h(&b)).Info("key", "k", v)
			if !strings.Contains(b.String(), secretText) || strings.Contains(b.String(), "[") {
				t.Errorf("%s logged as %s", name, b.String())
			}
		}
	}
}

func TestSecretsDoNotMarshal(t *testing.T) {
	for name, v := range secrets(t) {
		if m, ok := v.(interface{ MarshalBinary() ([]byte, error) }); !ok {
			t.Errorf("%s has no MarshalBinary that refuses", name)
		} else if _, err := m.MarshalBinary(); !errors.Is(err, errSecret) {
			t.Errorf("%s: MarshalBinary error %v, want %v", name, err, errSecret)
		}
		if m, ok := v.(interface{ MarshalCBOR() ([]byte, error) }); !ok {
			t.Errorf("%s has no MarshalCBOR that refuses", name)
		} else if _, err := m.MarshalCBOR(); !errors.Is(err, errSecret) {
			t.Errorf("%s: MarshalCBOR error %v, want %v", name, err, errSecret)
		}
		if err := gob.NewEncoder(new(bytes.Buffer)).Encode(v); err == nil {
			t.Errorf("%s was gob-encoded", name)
		}
		text, err := v.(interface{ MarshalText() ([]byte, error) }).MarshalText()
		if err != nil || string(text) != secretText {
			t.Errorf("%s as text: %q, %v", name, text, err)
		}
		if y, err := v.(interface{ MarshalYAML() (any, error) }).MarshalYAML(); err != nil || y != secretText {
			t.Errorf("%s as YAML: %v, %v", name, y, err)
		}
		if got := v.(fmt.GoStringer).GoString() + v.(fmt.Stringer).String(); got != secretText+secretText {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestDestroyClears(t *testing.T) {
	c := tiny(t, 16)
	net := newNetwork(t, c, 1, 3, 2)
	k, err := c.Contribute(net.crs, net.sets[0])
	if err != nil {
		t.Fatal(err)
	}
	w, seed := k.Witness(), k.Seed().value
	k.Destroy()
	k.Destroy()
	if !zero8(w.S) || !zero8(w.E) || *seed != [32]byte{} {
		t.Error("Contribution.Destroy leaves secrets")
	}
	if _, err := k.Export(); !errors.Is(err, ErrClosed) {
		t.Errorf("Export after Destroy: error %v, want %v", err, ErrClosed)
	}
	if _, err := c.ExportSeed(k.Seed()); !errors.Is(err, ErrClosed) {
		t.Errorf("ExportSeed after Destroy: error %v, want %v", err, ErrClosed)
	}
	if err := c.CheckSeed(net.crs, k.Seed(), net.reveals[0]); !errors.Is(err, ErrClosed) {
		t.Errorf("CheckSeed after Destroy: error %v, want %v", err, ErrClosed)
	}

	q, err := c.NewQuerierKey(1)
	if err != nil {
		t.Fatal(err)
	}
	s, secret := q.s, q.secret
	q.Destroy()
	q.Destroy()
	if !s.equal(c.newPoly()) || *secret != [32]byte{} {
		t.Error("QuerierKey.Destroy leaves secrets")
	}
	if _, err := q.Export(); !errors.Is(err, ErrClosed) {
		t.Errorf("Export after Destroy: error %v, want %v", err, ErrClosed)
	}

	sub := net.keys[0].subs[net.sets[0]]
	net.keys[0].Destroy()
	net.keys[0].Destroy()
	if !sub.equal(c.newPoly()) {
		t.Error("ServerKey.Destroy leaves sub-keys")
	}

	e, err := c.NewEncryptor(net.pk, 0)
	if err != nil {
		t.Fatal(err)
	}
	ct, ew, err := e.Encrypt([]uint16{7})
	if err != nil {
		t.Fatal(err)
	}
	ew.Destroy()
	ct.Destroy()
	if !zero8(ew.U) || !zero8(ew.E0) || !zero8(ew.E1) || ew.M[0] != 0 || !ct.c0.equal(c.newPoly()) || !ct.c1.equal(c.newPoly()) {
		t.Error("Witness.Destroy or Ciphertext.Destroy leaves values")
	}
}

func zero8(v []int8) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
