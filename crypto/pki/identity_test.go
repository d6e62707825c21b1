package pki_test

import (
	"strings"
	"testing"

	"statnet/crypto/pki"
)

func TestParseURI(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct {
		name, uri string
		want      string // path; "" is refused
	}{
		{"a gateway", "spiffe://ward.example/gateway/gw-1", "gateway/gw-1"},
		{"the longest id", "spiffe://ward.example/server/" + long, "server/" + long},
		{"one letter too many", "spiffe://ward.example/server/" + long + "a", ""},
		{"an empty id", "spiffe://ward.example/server/", ""},
		{"an id that starts with a hyphen", "spiffe://ward.example/server/-s1", ""},
		{"a capital letter", "spiffe://ward.example/server/S1", ""},
		{"a role nobody has", "spiffe://ward.example/admin/a", ""},
		{"an issuer", "spiffe://ward.example/issuer/gateway", ""},
		{"another scheme", "https://ward.example/server/s1", ""},
		{"a scheme in capitals", "SPIFFE://ward.example/server/s1", ""},
		{"a port", "spiffe://ward.example:1/server/s1", ""},
		{"a user", "spiffe://root@ward.example/server/s1", ""},
		{"a query", "spiffe://ward.example/server/s1?x", ""},
		{"an escape", "spiffe://ward.example/server/%73", ""},
		{"a fourth part", "spiffe://ward.example/server/s1/x", ""},
		{"no cluster", "spiffe:///server/s1", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pki.ParseURI(tt.uri)
			if (err == nil) != (tt.want != "") || got.Path() != tt.want {
				t.Errorf("ParseURI(%q) = %q, %v, want %q", tt.uri, got.Path(), err, tt.want)
			}
		})
	}
}

func TestZeroIdentityNamesNobody(t *testing.T) {
	if got := (pki.Identity{}).Path(); got != "" {
		t.Errorf("Path of the zero Identity = %q, want none", got)
	}
	if err := (pki.Identity{}).Validate(); err == nil {
		t.Error("zero Identity is accepted")
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add("spiffe://ward.example/gateway/gw-1")
	f.Add("spiffe://a/issuer/x")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := pki.ParseURI(s)
		if err != nil {
			return
		}
		if id.URI() != s {
			t.Errorf("ParseURI(%q) writes %q", s, id.URI())
		}
		if again, err := pki.ParsePath(id.Cluster, id.Path()); err != nil || again != id {
			t.Errorf("ParsePath(%q) = %v, %v", id.Path(), again, err)
		}
	})
}
