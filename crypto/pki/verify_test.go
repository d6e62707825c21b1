package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const cluster = "ward.example"

// mint is how the tests make certificates, also those that Issue refuses.
type mint struct {
	ca     *CA
	issuer string // role whose issuer signs; "" is the peer's own
	uris   []string
	at     time.Time
	key    crypto.Signer
	byRoot bool
	change func(*x509.Certificate)
}

func newTestCA(t *testing.T, cluster string) *CA {
	t.Helper()
	ca, err := NewCA(cluster, now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// credentials gives id the certificate that m describes; it trusts trust.
func (m mint) credentials(t *testing.T, id Identity, trust *CA) Credentials {
	t.Helper()
	if m.uris == nil {
		m.uris = []string{id.URI()}
	}
	if m.issuer == "" {
		m.issuer = id.Role
	}
	if m.at.IsZero() {
		m.at = now
	}
	iss, err := m.ca.issuer(m.issuer)
	if err != nil {
		t.Fatal(err)
	}
	if m.byRoot {
		iss = &issuer{m.ca.root, m.ca.key}
	}
	key := m.key
	if key == nil {
		if key, err = NewTLSKey(); err != nil {
			t.Fatal(err)
		}
	}
	template := leafTemplate(id, m.at, 24*time.Hour)
	template.URIs = nil
	for _, s := range m.uris {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, u)
	}
	if m.change != nil {
		m.change(template)
	}
	chain, err := iss.issue(template, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(chain, pemKey(t, key))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(trust.root)
	return Credentials{Identity: id, Certificate: cert, Roots: roots, Now: func() time.Time { return now }}
}

// shake runs one handshake over loopback and returns what each side said.
func shake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	errs := make(chan error, 1)
	go func() {
		conn, err := lis.Accept()
		if err != nil {
			errs <- err
			return
		}
		defer conn.Close()
		errs <- tls.Server(conn, server).Handshake()
	}()
	conn, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	clientErr = tls.Client(conn, client).Handshake()
	if clientErr != nil {
		conn.Close()
	}
	return <-errs, clientErr
}

var (
	gw1 = Identity{cluster, RoleGateway, "gw-1"}
	s1  = Identity{cluster, RoleServer, "s1"}
)

// refusals is the table of what a peer can be refused for. Each row is tried
// with the bad peer dialling, and again with the bad peer listening.
var refusals = []struct {
	name   string
	peer   func(t *testing.T, ca *CA, id Identity) Credentials
	change func(*tls.Config) // of the bad peer's side
	want   error             // nil: welcome
	server string            // text when Go's TLS refuses by itself, peer dialling
	client string            // the same, peer listening
}{
	{name: "a good peer is welcome", peer: good},
	{name: "another authority of the same name", want: ErrUntrusted,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: newTestCA(t, cluster)}.credentials(t, id, ca)
		}},
	{name: "signed by itself", want: ErrUntrusted,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			c := good(t, ca, id)
			c.Certificate.Certificate = c.Certificate.Certificate[:1] // without its issuer
			return c
		}},
	{name: "expired a second ago", want: ErrExpired,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, at: now.Add(-24*time.Hour - time.Second)}.credentials(t, id, ca)
		}},
	{name: "valid for one more second",
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, at: now.Add(-24*time.Hour + time.Second)}.credentials(t, id, ca)
		}},
	{name: "valid from a second on", want: ErrNotYetValid,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, at: now.Add(clockSlack + time.Second)}.credentials(t, id, ca)
		}},
	{name: "wrong cluster", want: ErrCluster,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			other := Identity{"other.example", id.Role, id.ID}
			return mint{ca: ca, uris: []string{other.URI()}}.credentials(t, id, ca)
		}},
	{name: "no URI name", want: ErrName,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, uris: []string{}}.credentials(t, id, ca)
		}},
	{name: "two URI names", want: ErrName,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, uris: []string{id.URI(), "spiffe://ward.example/verifier/v1"}}.credentials(t, id, ca)
		}},
	{name: "a URI name of another form", want: ErrName,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, uris: []string{"https://ward.example/x"}}.credentials(t, id, ca)
		}},
	{name: "issued by the issuer of another role", want: ErrIssuer,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, issuer: RoleQuerier}.credentials(t, id, ca)
		}},
	{name: "issued by the root itself", want: ErrUntrusted,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			return mint{ca: ca, byRoot: true}.credentials(t, id, ca)
		}},
	{name: "a DNS name beside the URI", want: ErrName, peer: altered(func(c *x509.Certificate) { c.DNSNames = []string{"s1.ward.example"} })},
	{name: "an authority as a node", want: ErrUntrusted, peer: altered(func(c *x509.Certificate) { c.IsCA = true })},
	{name: "a certificate for mail", want: ErrUntrusted, peer: altered(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })},
	{name: "an Ed25519 key", want: ErrUntrusted,
		peer: func(t *testing.T, ca *CA, id Identity) Credentials {
			k, err := GenerateKey(id.Path())
			if err != nil {
				t.Fatal(err)
			}
			return mint{ca: ca, key: k.PrivateKey()}.credentials(t, id, ca)
		}},
	{name: "TLS 1.2", peer: good, change: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
		server: "unsupported versions", client: "protocol version"},
	{name: "no protocol", peer: good, change: func(c *tls.Config) { c.NextProtos = nil }, want: ErrProtocol},
	{name: "wrong protocol", peer: good, change: func(c *tls.Config) { c.NextProtos = []string{ProtocolRaft} },
		server: "unsupported application protocols", client: "no application protocol"},
}

func altered(change func(*x509.Certificate)) func(*testing.T, *CA, Identity) Credentials {
	return func(t *testing.T, ca *CA, id Identity) Credentials {
		return mint{ca: ca, change: change}.credentials(t, id, ca)
	}
}

func good(t *testing.T, ca *CA, id Identity) Credentials {
	return mint{ca: ca}.credentials(t, id, ca)
}

func TestPeersThatAreRefused(t *testing.T) {
	ca := newTestCA(t, cluster)
	everyone := func(string) bool { return true }
	for _, tt := range refusals {
		t.Run(tt.name+", dialling", func(t *testing.T) {
			t.Parallel()
			client := ClientConfig(tt.peer(t, ca, gw1), ProtocolGRPC, s1)
			client.VerifyConnection = nil // a bad peer checks nobody
			if tt.change != nil {
				tt.change(client)
			}
			got, _ := shake(t, ServerConfig(good(t, ca, s1), ProtocolGRPC, []string{RoleGateway}, everyone), client)
			wantRefusal(t, got, tt.want, tt.server)
		})
		t.Run(tt.name+", listening", func(t *testing.T) {
			t.Parallel()
			server := ServerConfig(tt.peer(t, ca, s1), ProtocolGRPC, []string{RoleGateway}, everyone)
			server.VerifyConnection = nil
			if tt.change != nil {
				tt.change(server)
			}
			_, got := shake(t, server, ClientConfig(good(t, ca, gw1), ProtocolGRPC, s1))
			wantRefusal(t, got, tt.want, tt.client)
		})
	}
}

func wantRefusal(t *testing.T, got, want error, text string) {
	t.Helper()
	switch {
	case text != "":
		if got == nil || !strings.Contains(got.Error(), text) {
			t.Errorf("handshake: %v, want an error with %q", got, text)
		}
	case want == nil && got != nil, want != nil && !errors.Is(got, want):
		t.Errorf("handshake: %v, want %v", got, want)
	}
}

func TestListenerRefuses(t *testing.T) {
	ca := newTestCA(t, cluster)
	only := func(path string) func(string) bool { return func(p string) bool { return p == path } }
	tests := []struct {
		name  string
		roles []string
		known func(string) bool
		want  error
	}{
		{"nobody who is listed", []string{RoleGateway}, only("gateway/gw-1"), nil},
		{"a role not allowed here", []string{RoleServer, RoleVerifier}, only("gateway/gw-1"), ErrRole},
		{"an id not in the roster", []string{RoleGateway}, only("gateway/gw-2"), ErrUnknown},
		{"everyone when there is no roster", []string{RoleGateway}, nil, ErrUnknown},
		{"everyone when no role is allowed", nil, only("gateway/gw-1"), ErrRole},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := shake(t, ServerConfig(good(t, ca, s1), ProtocolGRPC, tt.roles, tt.known), ClientConfig(good(t, ca, gw1), ProtocolGRPC, s1))
			wantRefusal(t, got, tt.want, "")
		})
	}
}

func TestListenerRefusesClientWithoutCertificate(t *testing.T) {
	ca := newTestCA(t, cluster)
	client := ClientConfig(good(t, ca, gw1), ProtocolGRPC, s1)
	client.Certificates = nil
	got, _ := shake(t, ServerConfig(good(t, ca, s1), ProtocolGRPC, Roles, func(string) bool { return true }), client)
	wantRefusal(t, got, nil, "didn't provide a certificate")
}

func TestDialerRefusesAnotherNode(t *testing.T) {
	ca := newTestCA(t, cluster)
	for _, want := range []Identity{{cluster, RoleServer, "s2"}, {cluster, RoleVerifier, "s1"}} {
		_, got := shake(t, ServerConfig(good(t, ca, s1), ProtocolGRPC, Roles, func(string) bool { return true }), ClientConfig(good(t, ca, gw1), ProtocolGRPC, want))
		wantRefusal(t, got, ErrOther, "")
	}
}

// A removed node must not slip in by resuming a session of before.
func TestNoSessionIsResumed(t *testing.T) {
	ca := newTestCA(t, cluster)
	asked := 0
	server := ServerConfig(good(t, ca, s1), ProtocolGRPC, Roles, func(string) bool { asked++; return asked == 1 })
	client := ClientConfig(good(t, ca, gw1), ProtocolGRPC, s1)
	client.ClientSessionCache, client.SessionTicketsDisabled = tls.NewLRUClientSessionCache(4), false
	if got, _ := shake(t, server, client); got != nil {
		t.Fatalf("first handshake: %v, want none", got)
	}
	got, _ := shake(t, server, client)
	wantRefusal(t, got, ErrUnknown, "")
	if !server.SessionTicketsDisabled {
		t.Error("session tickets are on")
	}
}

func TestClaimedNameIsBounded(t *testing.T) {
	ca := newTestCA(t, cluster)
	c := mint{ca: ca, uris: []string{"x:" + strings.Repeat("y", 5000)}}.credentials(t, gw1, ca)
	got, _ := shake(t, ServerConfig(good(t, ca, s1), ProtocolGRPC, Roles, func(string) bool { return true }), ClientConfig(c, ProtocolGRPC, s1))
	var refused *RefusedError
	if !errors.As(got, &refused) || len(refused.Peer) > maxClaimed+8 {
		t.Errorf("refusal of a name of 5,000 letters: %.300v", got)
	}
}

// Go's TLS stops these before our check; it must not depend on that.
func TestCheckStandsAlone(t *testing.T) {
	ca := newTestCA(t, cluster)
	c, peer := good(t, ca, s1), good(t, ca, gw1)
	state := tls.ConnectionState{Version: tls.VersionTLS13, NegotiatedProtocol: ProtocolGRPC}
	for _, der := range peer.Certificate.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		state.PeerCertificates = append(state.PeerCertificates, cert)
	}
	check := func(cs tls.ConnectionState) error {
		return c.verifyPeer(cs, ProtocolGRPC, x509.ExtKeyUsageClientAuth, func(Identity) error { return nil })
	}
	if got := check(state); got != nil {
		t.Errorf("a good peer: %v, want none", got)
	}
	old, anonymous := state, state
	old.Version = tls.VersionTLS12
	anonymous.PeerCertificates = nil
	if got := check(old); !errors.Is(got, ErrVersion) {
		t.Errorf("TLS 1.2: %v, want %v", got, ErrVersion)
	}
	if got := check(anonymous); !errors.Is(got, ErrNoCertificate) {
		t.Errorf("no certificate: %v, want %v", got, ErrNoCertificate)
	}
}
