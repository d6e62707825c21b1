package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"sync"
	"time"
)

const (
	rootYears = 10
	// clockSlack is how far back a certificate's validity starts, for nodes
	// whose clock is behind the one that issued it.
	clockSlack = 10 * time.Minute
)

// CA is the root of one cluster together with one issuer per role. Only `init`
// holds one; no running node does.
type CA struct {
	secret
	cluster string
	now     time.Time
	root    *x509.Certificate
	key     crypto.Signer

	mu      sync.Mutex
	issuers map[string]*issuer // by role, made on first use; guarded by mu
}

// issuer is an intermediate authority that may issue one role only. Its key is
// never written: a later LoadCA makes a new one.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewCA makes a root for cluster, valid for 10 years from now. Certificates it
// issues count from the same now.
func NewCA(cluster string, now time.Time) (*CA, error) {
	if !clusterPattern.MatchString(cluster) {
		return nil, fmt.Errorf("make authority: cluster name %q: lower-case letters, digits, dots and hyphens, e.g. ward.example", cluster)
	}
	key, err := NewTLSKey()
	if err != nil {
		return nil, err
	}
	t := caTemplate("statnet "+cluster+" root", now, now.AddDate(rootYears, 0, 0))
	t.MaxPathLen = 1
	cert, err := sign(t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make authority of %s: %w", cluster, err)
	}
	return newCA(cluster, now, cert, key), nil
}

func newCA(cluster string, now time.Time, root *x509.Certificate, key crypto.Signer) *CA {
	return &CA{cluster: cluster, now: now, root: root, key: key, issuers: map[string]*issuer{}}
}

// LoadCA reads a root written by WriteRoot, to issue more certificates as of now.
func LoadCA(cluster, certFile, keyFile string, now time.Time) (*CA, error) {
	key, err := LoadKey(keyFile)
	if err != nil {
		return nil, err
	}
	certs, err := readCertificates(certFile)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 || !certs[0].IsCA {
		return nil, fmt.Errorf("read authority %s: want exactly one root certificate", certFile)
	}
	if !sameKey(certs[0].PublicKey, key.Public()) {
		return nil, fmt.Errorf("read authority: %s does not belong to %s", keyFile, certFile)
	}
	return newCA(cluster, now, certs[0], key), nil
}

// WriteRoot writes the root's certificate and key to new files. The key
// belongs on a medium that is not connected to any node.
func (ca *CA) WriteRoot(certFile, keyFile string) error {
	if err := WriteKey(keyFile, ca.key); err != nil {
		return err
	}
	return WriteCertificates(certFile, ca.RootPEM())
}

// RootPEM is the root's certificate as every node keeps it.
func (ca *CA) RootPEM() []byte { return encodeCertificates(ca.root.Raw) }

// RootDigest is the hexadecimal SHA-256 of the root's DER bytes, as
// cluster.yaml lists it under `roots`.
func (ca *CA) RootDigest() string { return digest(ca.root) }

func digest(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// Issue signs a certificate for id over pub, valid for validity from the
// authority's now, and returns it followed by its issuer, in PEM.
//
// It does not check that the requester is id, nor that id was not issued
// before: whoever holds the CA decides that.
func (ca *CA) Issue(id Identity, pub crypto.PublicKey, validity time.Duration) ([]byte, error) {
	if err := id.Validate(); err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	if id.Cluster != ca.cluster {
		return nil, fmt.Errorf("issue certificate for %s: authority is of cluster %s", id.URI(), ca.cluster)
	}
	if validity <= 0 {
		return nil, fmt.Errorf("issue certificate for %s: validity %v must be positive, e.g. 720h", id.URI(), validity)
	}
	if !isP256(pub) {
		return nil, fmt.Errorf("issue certificate for %s: key is %T, want ECDSA P-256", id.URI(), pub)
	}
	iss, err := ca.issuer(id.Role)
	if err != nil {
		return nil, err
	}
	return iss.issue(leafTemplate(id, ca.now, validity), pub)
}

// issuer returns the intermediate of a role, made on first use.
func (ca *CA) issuer(role string) (*issuer, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if iss := ca.issuers[role]; iss != nil {
		return iss, nil
	}
	key, err := NewTLSKey()
	if err != nil {
		return nil, err
	}
	t := caTemplate("statnet "+ca.cluster+" issuer of "+role, ca.now, ca.root.NotAfter)
	t.MaxPathLenZero = true
	t.URIs = []*url.URL{{Scheme: "spiffe", Host: ca.cluster, Path: "/" + roleIssuer + "/" + role}}
	cert, err := sign(t, ca.root, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("make issuer of %s: %w", role, err)
	}
	iss := &issuer{cert: cert, key: key}
	ca.issuers[role] = iss
	return iss, nil
}

// leafTemplate is the certificate of a node, for its issuer to sign.
func leafTemplate(id Identity, now time.Time, validity time.Duration) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: id.Path()}, // for people; nothing reads it
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: id.Cluster, Path: "/" + id.Path()}},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
}

// issue signs t and returns it followed by the issuer's own certificate.
func (iss *issuer) issue(t *x509.Certificate, pub crypto.PublicKey) ([]byte, error) {
	cert, err := sign(t, iss.cert, pub, iss.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate for %s: %w", t.Subject.CommonName, err)
	}
	return encodeCertificates(cert.Raw, iss.cert.Raw), nil
}

func caTemplate(name string, now, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

func sign(t, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func encodeCertificates(ders ...[]byte) []byte {
	var b bytes.Buffer
	for _, der := range ders {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.Bytes()
}

// readCertificates reads a PEM file of 1 to 8 certificates and nothing else.
func readCertificates(file string) ([]*x509.Certificate, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	var certs []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil || block.Type != "CERTIFICATE" || len(certs) == 8 {
			return nil, fmt.Errorf("read certificate %s: want 1 to 8 PEM blocks CERTIFICATE and nothing else", file)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read certificate %s: %w", file, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("read certificate %s: file is empty", file)
	}
	return certs, nil
}

// WriteCertificates writes PEM certificates to a new file that everyone may
// read. An existing file is an error.
func WriteCertificates(file string, pemBytes []byte) error {
	if err := writeNew(file, pemBytes, 0o644); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	return nil
}

// writeNew creates file, which must not exist, and returns once its bytes are on disk.
func writeNew(file string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, werr := f.Write(data)
	return errors.Join(werr, f.Chmod(mode), f.Sync(), f.Close())
}
