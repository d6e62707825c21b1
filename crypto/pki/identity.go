package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Roles a certificate may name.
const (
	RoleGateway  = "gateway"
	RoleServer   = "server"
	RoleVerifier = "verifier"
	RoleQuerier  = "querier"
	RoleOperator = "operator"
)

// Roles lists every role, in the order of the data's way.
var Roles = []string{RoleGateway, RoleServer, RoleVerifier, RoleQuerier, RoleOperator}

// roleIssuer is the middle part of an issuer's name: it issues, and never
// connects, so it is not one of Roles.
const roleIssuer = "issuer"

var (
	idPattern      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	clusterPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,252}$`)
)

// Identity is the name of one node of one cluster. The zero value names nobody
// and is refused everywhere.
type Identity struct {
	Cluster string // e.g. "ward.example"
	Role    string // one of Roles
	ID      string // [a-z0-9][a-z0-9-]{0,62}, unique within its role
}

// Path is the name within the cluster, "gateway/gw-1", as records and rosters
// write it; "" for the zero value.
func (i Identity) Path() string {
	if i == (Identity{}) {
		return ""
	}
	return i.Role + "/" + i.ID
}

// URI is the name as the certificate carries it.
func (i Identity) URI() string { return "spiffe://" + i.Cluster + "/" + i.Path() }

// String is the path; the cluster is the same for everyone who talks.
func (i Identity) String() string { return i.Path() }

// Validate checks the form of every part. It does not check that the node exists.
func (i Identity) Validate() error {
	if !isRole(i.Role) {
		return fmt.Errorf("role %q: must be one of %s", i.Role, strings.Join(Roles, ", "))
	}
	return i.validateNames()
}

func (i Identity) validateNames() error {
	if !clusterPattern.MatchString(i.Cluster) {
		return fmt.Errorf("cluster name %q: lower-case letters, digits, dots and hyphens, e.g. ward.example", i.Cluster)
	}
	if !idPattern.MatchString(i.ID) {
		return fmt.Errorf("id %q: 1 to 63 lower-case letters, digits and hyphens, e.g. gw-1", i.ID)
	}
	return nil
}

func isRole(role string) bool {
	for _, r := range Roles {
		if r == role {
			return true
		}
	}
	return false
}

// ParsePath reads "role/id" as an identity of cluster.
func ParsePath(cluster, path string) (Identity, error) {
	role, id, _ := strings.Cut(path, "/")
	i := Identity{Cluster: cluster, Role: role, ID: id}
	if err := i.Validate(); err != nil {
		return Identity{}, fmt.Errorf("parse node path %q: %w", path, err)
	}
	return i, nil
}

// ParseURI reads the form that URI writes, and no other spelling of it: no
// port, user, query, fragment, escape or capital letter.
func ParseURI(uri string) (Identity, error) {
	i, err := parseName(uri)
	if err == nil {
		err = i.Validate()
	}
	if err != nil {
		return Identity{}, fmt.Errorf("parse name %q: %w", uri, err)
	}
	return i, nil
}

func parseName(uri string) (Identity, error) {
	rest, ok := strings.CutPrefix(uri, "spiffe://")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return Identity{}, errors.New("want spiffe://<cluster>/<role>/<id>")
	}
	i := Identity{Cluster: parts[0], Role: parts[1], ID: parts[2]}
	return i, i.validateNames()
}

// IdentityOf reads the name in a certificate, which must carry exactly one URI
// and no other kind of name.
//
// It does not check who signed the certificate: only the certificate of a
// connection that passed ServerConfig or ClientConfig, or a chain built by the
// caller, names anyone.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	u, err := soleURI(cert)
	if err != nil {
		return Identity{}, err
	}
	return ParseURI(u.String())
}

func soleURI(cert *x509.Certificate) (*url.URL, error) {
	if len(cert.URIs) != 1 {
		return nil, fmt.Errorf("certificate has %d URI names, want exactly 1", len(cert.URIs))
	}
	if n := len(cert.DNSNames) + len(cert.EmailAddresses) + len(cert.IPAddresses); n != 0 {
		return nil, fmt.Errorf("certificate has %d names besides its URI, want none", n)
	}
	return cert.URIs[0], nil
}
