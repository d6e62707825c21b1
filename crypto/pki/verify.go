package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Reasons for which a peer is refused. A RefusedError wraps exactly one.
var (
	ErrNoCertificate = errors.New("no certificate")
	ErrVersion       = errors.New("TLS version is not 1.3")
	ErrProtocol      = errors.New("protocol not agreed (ALPN)")
	ErrUntrusted     = errors.New("certificate not signed by this cluster's root")
	ErrExpired       = errors.New("certificate expired")
	ErrNotYetValid   = errors.New("certificate not yet valid")
	ErrName          = errors.New("certificate does not carry exactly one well-formed URI name")
	ErrCluster       = errors.New("certificate of another cluster")
	ErrIssuer        = errors.New("certificate issued by the issuer of another role")
	ErrRole          = errors.New("role not allowed on this connection")
	ErrUnknown       = errors.New("id not in the roster")
	ErrOther         = errors.New("another node answered")
)

// RefusedError says who was refused and why. Peer is what the certificate
// claims and may be false when Reason is about the chain.
type RefusedError struct {
	Peer   string // URI name as claimed; "" if there is none
	Reason error  // one of the Err values of this package
	Detail string // the number or name that was wrong
}

func (e *RefusedError) Error() string {
	peer := e.Peer
	if peer == "" {
		peer = "unnamed peer"
	}
	return fmt.Sprintf("refuse %s: %v: %s", peer, e.Reason, e.Detail)
}

// Unwrap gives the reason.
func (e *RefusedError) Unwrap() error { return e.Reason }

// ServerConfig is the TLS configuration of a listener that speaks alpn and
// lets in peers whose role is allowed and whose path known accepts. known is
// asked at every handshake, so a removed node cannot return; nil lets nobody in.
//
// It does not cut a connection that is already open, nor check what the peer
// may call: wire does both.
func ServerConfig(c Credentials, alpn string, allowed []string, known func(path string) bool) *tls.Config {
	accept := func(id Identity) error {
		if !slices.Contains(allowed, id.Role) {
			return &RefusedError{id.URI(), ErrRole, fmt.Sprintf("%q, allowed %q", id.Role, allowed)}
		}
		if known == nil || !known(id.Path()) {
			return &RefusedError{id.URI(), ErrUnknown, fmt.Sprintf("%q", id.Path())}
		}
		return nil
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{c.Certificate},
		NextProtos:   []string{alpn},
		ClientAuth:   tls.RequireAnyClientCert,
		Time:         c.now,
		// A resumed session would skip the check of a removed node's certificate.
		SessionTicketsDisabled: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			return c.verifyPeer(cs, alpn, x509.ExtKeyUsageClientAuth, accept)
		},
	}
}

// ClientConfig is the TLS configuration for dialling exactly the node want.
func ClientConfig(c Credentials, alpn string, want Identity) *tls.Config {
	accept := func(id Identity) error {
		if id != want {
			return &RefusedError{id.URI(), ErrOther, fmt.Sprintf("want %s", want.URI())}
		}
		return nil
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{c.Certificate},
		NextProtos:   []string{alpn},
		Time:         c.now,
		// Node names are not DNS names. VerifyConnection below does all that
		// this switches off, and more.
		InsecureSkipVerify:     true,
		SessionTicketsDisabled: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			return c.verifyPeer(cs, alpn, x509.ExtKeyUsageServerAuth, accept)
		},
	}
}

// verifyPeer is the whole check of a peer, the same on both sides.
func (c Credentials) verifyPeer(cs tls.ConnectionState, alpn string, usage x509.ExtKeyUsage, accept func(Identity) error) error {
	if len(cs.PeerCertificates) == 0 {
		return &RefusedError{"", ErrNoCertificate, "peer sent none"}
	}
	peer := claimedName(cs.PeerCertificates[0])
	if cs.Version < tls.VersionTLS13 {
		return &RefusedError{peer, ErrVersion, tls.VersionName(cs.Version)}
	}
	if cs.NegotiatedProtocol != alpn {
		return &RefusedError{peer, ErrProtocol, fmt.Sprintf("%q, want %q", cs.NegotiatedProtocol, alpn)}
	}
	id, err := c.verifyChain(cs.PeerCertificates, c.Identity.Cluster, usage)
	if err != nil {
		return err
	}
	return accept(id)
}

// verifyChain checks signatures, validity and names of leaf, issuer and root,
// and returns the leaf's name. An empty cluster accepts any.
func (c Credentials) verifyChain(certs []*x509.Certificate, cluster string, usage x509.ExtKeyUsage) (Identity, error) {
	leaf := certs[0]
	refuse := func(reason error, format string, args ...any) (Identity, error) {
		return Identity{}, &RefusedError{claimedName(leaf), reason, fmt.Sprintf(format, args...)}
	}
	// The clock first: x509 calls both an early and a late certificate expired.
	now := c.now()
	if now.Before(leaf.NotBefore) {
		return refuse(ErrNotYetValid, "valid from %s, now %s", leaf.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if now.After(leaf.NotAfter) {
		return refuse(ErrExpired, "valid until %s, now %s", leaf.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	issuer, err := c.findIssuer(certs, usage)
	if err != nil {
		return refuse(ErrUntrusted, "%v", err)
	}
	id, err := IdentityOf(leaf)
	if err != nil {
		return refuse(ErrName, "%v", err)
	}
	if cluster != "" && id.Cluster != cluster {
		return refuse(ErrCluster, "%q, want %q", id.Cluster, cluster)
	}
	u, err := soleURI(issuer)
	if err != nil {
		return refuse(ErrIssuer, "issuer's %v", err)
	}
	if want := (Identity{id.Cluster, roleIssuer, id.Role}).URI(); u.String() != want {
		return refuse(ErrIssuer, "%s, want %s", u, want)
	}
	return id, nil
}

// findIssuer checks the signatures from leaf to root and returns the issuer
// between them. The root signs issuers only, so a chain has exactly 3 links.
func (c Credentials) findIssuer(certs []*x509.Certificate, usage x509.ExtKeyUsage) (*x509.Certificate, error) {
	leaf := certs[0]
	if leaf.IsCA || !isP256(leaf.PublicKey) {
		return nil, errors.New("leaf must be an end entity with an ECDSA P-256 key")
	}
	between := x509.NewCertPool()
	for _, cert := range certs[1:] {
		between.AddCert(cert)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         c.Roots,
		Intermediates: between,
		CurrentTime:   c.now(),
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return nil, err
	}
	for _, chain := range chains {
		if len(chain) == 3 {
			return chain[1], nil
		}
	}
	return nil, fmt.Errorf("chain of %d certificates, want node, issuer, root", len(chains[0]))
}

// maxClaimed bounds what a stranger can write into our log, in bytes.
const maxClaimed = 200

// claimedName is the URI a certificate carries, believed or not, for logs.
func claimedName(cert *x509.Certificate) string {
	if len(cert.URIs) == 0 {
		return ""
	}
	name := cert.URIs[0].String() // escapes control characters
	if len(name) > maxClaimed {
		name = name[:maxClaimed] + "…"
	}
	return name
}
