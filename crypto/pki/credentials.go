package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Credentials is what a node needs to connect: its name, certificate chain,
// key and the roots it believes. Read-only after loading; prints as
// "pki: secret".
type Credentials struct {
	secret
	Identity    Identity
	Certificate tls.Certificate
	Roots       *x509.CertPool

	// Now is the clock that validity is checked against; nil means time.Now.
	// A node without a trusted clock gives one that never runs backwards.
	Now func() time.Time

	rootDigests []string
}

// LoadCredentials reads a node's certificate chain, its key and the root, and
// checks that they belong together and are valid now: a node that everyone
// will refuse should say so at its start.
//
// It does not check that the root is the one cluster.yaml names; CheckRoots does.
func LoadCredentials(certFile, keyFile, rootFile string) (Credentials, error) {
	key, err := LoadKey(keyFile)
	if err != nil {
		return Credentials{}, err
	}
	chain, err := readCertificates(certFile)
	if err != nil {
		return Credentials{}, err
	}
	roots, err := readCertificates(rootFile)
	if err != nil {
		return Credentials{}, err
	}
	if !sameKey(chain[0].PublicKey, key.Public()) {
		return Credentials{}, fmt.Errorf("load credentials: key %s does not belong to certificate %s", keyFile, certFile)
	}
	c := Credentials{Certificate: tls.Certificate{PrivateKey: key, Leaf: chain[0]}, Roots: x509.NewCertPool()}
	for _, cert := range chain {
		c.Certificate.Certificate = append(c.Certificate.Certificate, cert.Raw)
	}
	for _, root := range roots {
		c.Roots.AddCert(root)
		c.rootDigests = append(c.rootDigests, digest(root))
	}
	if c.Identity, err = c.verifyChain(chain, "", x509.ExtKeyUsageAny); err != nil {
		return Credentials{}, fmt.Errorf("load credentials: certificate %s: %w", certFile, err)
	}
	return c, nil
}

// CheckRoots refuses credentials whose root is not among the hexadecimal
// SHA-256 digests that cluster.yaml lists.
func (c Credentials) CheckRoots(digests []string) error {
	for _, d := range c.rootDigests {
		if !slices.Contains(digests, d) {
			return fmt.Errorf("check root of %s: certificate with SHA-256 %s is not among the cluster's roots", c.Identity, d)
		}
	}
	return nil
}

// Expires is when the node's certificate stops being valid.
func (c Credentials) Expires() time.Time { return c.Certificate.Leaf.NotAfter }

func (c Credentials) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
