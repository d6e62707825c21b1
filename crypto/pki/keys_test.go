package pki

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func pemKey(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestRecordKeyKnownAnswer(t *testing.T) {
	seed := sha256.Sum256([]byte("statnet test key verifier/v1"))
	k, err := RecordKeyFromSeed("verifier/v1", seed[:])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.PublicHex(), "70e042973f32aeb398359c5420753cc2e0014a98c13556b3d552fd0ad6c4dc93"; got != want {
		t.Errorf("public key = %s, want %s", got, want)
	}
	id := k.KeyID()
	if got, want := hex.EncodeToString(id[:]), "1ec07bd3ca8f386e"; got != want {
		t.Errorf("KeyID = %s, want %s", got, want)
	}
	sig, err := k.Sign([]byte("message"))
	if err != nil || !ed25519.Verify(k.Public(), []byte("message"), sig) {
		t.Errorf("signature does not verify, err %v", err)
	}
}

func TestKeyFileRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "record.key")
	k, err := GenerateKey("gateway/gw-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	got, err := LoadRecordKey(file, "gateway/gw-1")
	if err != nil || !got.Public().Equal(k.Public()) || got.Path() != k.Path() {
		t.Errorf("LoadRecordKey = %v, %v, want the key that was written", got, err)
	}
	if err := k.WriteFile(file); !errors.Is(err, os.ErrExist) {
		t.Errorf("second WriteFile: %v, want %v: a key is never overwritten", err, os.ErrExist)
	}
	for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if info, err := os.Stat(path); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != want) {
			t.Errorf("mode of %s = %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

func TestKeyFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits on Windows")
	}
	tests := []struct {
		name      string
		file, dir os.FileMode
		want      string // part of the error that says what to run; "" is accepted
	}{
		{"only the owner", 0o600, 0o700, ""},
		{"the owner may not even write", 0o400, 0o700, ""},
		{"others may list the directory", 0o600, 0o755, ""},
		{"the group may read", 0o640, 0o700, "chmod 0600 "},
		{"others may read", 0o604, 0o700, "chmod 0600 "},
		{"others may write", 0o602, 0o700, "chmod 0600 "},
		{"the group may replace the file", 0o600, 0o770, "chmod 0700 "},
		{"others may replace the file", 0o600, 0o707, "chmod 0700 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "d", "k.key")
			k, err := GenerateKey("server/s1")
			if err == nil {
				err = k.WriteFile(file)
			}
			if err := errors.Join(err, os.Chmod(file, tt.file), os.Chmod(filepath.Dir(file), tt.dir)); err != nil {
				t.Fatal(err)
			}
			_, err = LoadKey(file)
			if tt.want == "" {
				if err != nil {
					t.Errorf("LoadKey: %v, want none", err)
				}
				return
			}
			var mode *ModeError
			if !errors.As(err, &mode) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("LoadKey: %v, want a ModeError with %q", err, tt.want)
			}
		})
	}
}

func TestKeyFromSystemd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits on Windows")
	}
	dir := filepath.Join(t.TempDir(), "credentials")
	file := filepath.Join(dir, "record.key")
	k, err := GenerateKey("server/s1")
	if err == nil {
		err = k.WriteFile(file)
	}
	if err := errors.Join(err, os.Chmod(file, 0o440)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(file); err == nil {
		t.Error("a key that its group may read is accepted outside systemd's directory")
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if _, err := LoadKey(file); err != nil {
		t.Errorf("a key of mode 0440 in systemd's directory: %v, want none", err)
	}
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(file); err == nil {
		t.Error("a key that everyone may read is accepted in systemd's directory")
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	k, err := NewTLSKey()
	if err != nil {
		t.Fatal(err)
	}
	whole := pemKey(t, k)
	der, _ := x509.MarshalPKCS8PrivateKey(k)
	tests := []struct {
		name string
		data []byte
	}{
		{"an empty file", nil},
		{"no PEM", []byte("secret")},
		{"two keys", append(bytes.Clone(whole), whole...)},
		{"text after the key", append(bytes.Clone(whole), "x"...)},
		{"another kind of block", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})},
		{"damaged bytes", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der[:40]})},
		{"a file that never ends", bytes.Repeat([]byte("\n"), maxFile+1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "k")
			if err := os.WriteFile(file, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadKey(file); err == nil {
				t.Error("LoadKey accepts it")
			}
		})
	}
	file := filepath.Join(t.TempDir(), "tls.key")
	if err := WriteKey(file, k); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRecordKey(file, "server/s1"); err == nil {
		t.Error("LoadRecordKey accepts an ECDSA key")
	}
}

// Whatever a careless line prints, it is not the key.
func TestSecretsDoNotPrint(t *testing.T) {
	seed := bytes.Repeat([]byte{0xab}, 32)
	k, err := RecordKeyFromSeed("server/s1", seed)
	if err != nil {
		t.Fatal(err)
	}
	ca := newTestCA(t, cluster)
	creds := good(t, ca, s1)
	type node struct { // fmt cannot call methods of unexported fields
		key   *RecordKey
		value RecordKey
		creds Credentials
		ca    *CA
	}
	var log bytes.Buffer
	for _, v := range []any{k, *k, ca, creds, &creds, struct{ K *RecordKey }{k}, node{k, *k, creds, ca}, &node{k, *k, creds, ca}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
		if b, err := json.Marshal(v); err == nil {
			log.Write(b)
		}
	}
	d, err := x509.MarshalPKCS8PrivateKey(creds.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{seed, d[36:68]} { // the scalar sits at 36 in PKCS#8 of P-256
		for _, form := range []string{string(secret), new(big.Int).SetBytes(secret).String(), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), fmt.Sprint(secret), strings.Trim(fmt.Sprint(secret), "[]"), fmt.Sprintf("%#v", secret)} {
			if strings.Contains(log.String(), form) {
				t.Errorf("a secret was printed as %.40q", form)
			}
		}
	}
	if got := fmt.Sprintf("%d", k); got != redacted {
		t.Errorf("%%d of a RecordKey = %q, want %q", got, redacted)
	}
}

// provision writes a node's three files as `init` does.
func provision(t *testing.T, ca *CA, id Identity, at time.Time) (cert, key, root string) {
	t.Helper()
	dir := t.TempDir()
	cert, key, root = filepath.Join(dir, "node.pem"), filepath.Join(dir, "node.key"), filepath.Join(dir, "root.pem")
	k, err := NewTLSKey()
	if err != nil {
		t.Fatal(err)
	}
	iss, err := ca.issuer(id.Role)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := iss.issue(leafTemplate(id, at, 24*time.Hour), k.Public())
	if err := errors.Join(err, WriteKey(key, k), WriteCertificates(cert, chain), WriteCertificates(root, ca.RootPEM())); err != nil {
		t.Fatal(err)
	}
	return cert, key, root
}

func TestLoadCredentials(t *testing.T) {
	ca, err := NewCA(cluster, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, root := provision(t, ca, s1, time.Now())
	c, err := LoadCredentials(cert, key, root)
	if err != nil || c.Identity != s1 {
		t.Fatalf("LoadCredentials = %v, %v, want %v", c.Identity, err, s1)
	}
	if err := c.CheckRoots([]string{ca.RootDigest()}); err != nil {
		t.Errorf("CheckRoots: %v, want none", err)
	}
	if err := c.CheckRoots([]string{strings.Repeat("0", 64)}); err == nil {
		t.Error("CheckRoots accepts a root that the cluster does not list")
	}
	if left := time.Until(c.Expires()); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("expires in %v, want a day", left)
	}
	_, otherKey, _ := provision(t, ca, s1, time.Now())
	if _, err := LoadCredentials(cert, otherKey, root); err == nil {
		t.Error("LoadCredentials accepts a key of another certificate")
	}
	_, _, otherRoot := provision(t, newTestCA(t, cluster), s1, time.Now())
	if _, err := LoadCredentials(cert, key, otherRoot); !errors.Is(err, ErrUntrusted) {
		t.Errorf("LoadCredentials under another root: %v, want %v", err, ErrUntrusted)
	}
	if _, err := LoadCredentials(provision(t, ca, s1, time.Now().Add(-48*time.Hour))); !errors.Is(err, ErrExpired) {
		t.Errorf("LoadCredentials of an old certificate: %v, want %v", err, ErrExpired)
	}
}

func TestAuthorityComesBackFromItsFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "root.pem"), filepath.Join(dir, "root.key")
	first := newTestCA(t, cluster)
	if err := first.WriteRoot(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	again, err := LoadCA(cluster, certFile, keyFile, now)
	if err != nil {
		t.Fatal(err)
	}
	server := ServerConfig(good(t, first, s1), ProtocolGRPC, Roles, func(string) bool { return true })
	client := ClientConfig(mint{ca: again}.credentials(t, gw1, first), ProtocolGRPC, s1)
	if got, _ := shake(t, server, client); got != nil {
		t.Errorf("handshake with a certificate issued later: %v, want none", got)
	}
}

func TestIssueRefuses(t *testing.T) {
	ca := newTestCA(t, cluster)
	k, err := NewTLSKey()
	if err != nil {
		t.Fatal(err)
	}
	record, _ := GenerateKey("server/s1")
	tests := []struct {
		name string
		id   Identity
		pub  crypto.PublicKey
		days int
	}{
		{"another cluster", Identity{"other.example", RoleServer, "s1"}, k.Public(), 1},
		{"a role nobody has", Identity{cluster, "admin", "s1"}, k.Public(), 1},
		{"an empty name", Identity{}, k.Public(), 1},
		{"no validity", s1, k.Public(), 0},
		{"an Ed25519 key", s1, record.Public(), 1},
	}
	for _, tt := range tests {
		if _, err := ca.Issue(tt.id, tt.pub, time.Duration(tt.days)*24*time.Hour); err == nil {
			t.Errorf("Issue accepts %s", tt.name)
		}
	}
	if _, err := ca.Issue(s1, k.Public(), time.Hour); err != nil {
		t.Errorf("Issue: %v, want none", err)
	}
}
