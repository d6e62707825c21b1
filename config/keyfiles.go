package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// credentialsDirectory is where systemd puts what LoadCredential= names.
const credentialsDirectory = "CREDENTIALS_DIRECTORY"

// Resolve makes every path absolute against dir, the directory of NODE.yaml.
// A relative secret that $CREDENTIALS_DIRECTORY holds is taken from there.
func (n *Node) Resolve(dir string) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	n.Dir = dir
	for _, p := range []*string{&n.Cluster, &n.Genesis, &n.DataDir, &n.Keys.Root, &n.Keys.Certificate} {
		*p = resolve(dir, *p)
	}
	for _, s := range n.Keys.secrets() {
		*s.path = resolveSecret(dir, *s.path)
	}
	patches := append([]Patch(nil), n.Patches...)
	for i := range patches {
		patches[i].Source.File = resolve(dir, patches[i].Source.File)
	}
	n.Patches = patches
}

func resolve(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func resolveSecret(dir, path string) string {
	if creds := os.Getenv(credentialsDirectory); creds != "" && path != "" && !filepath.IsAbs(path) {
		candidate := filepath.Join(creds, filepath.Base(path))
		if _, err := os.Stat(candidate); err == nil {
			return candidate
		}
	}
	return resolve(dir, path)
}

// secret is one path of a secret key and its YAML key.
type secret struct {
	key  string
	path *string
}

func (k *Keys) secrets() []secret {
	return []secret{
		{"keys.tls_key_file", &k.TLSKeyFile},
		{"keys.record_key_file", &k.RecordKeyFile},
		{"keys.cosign_key_file", &k.CosignKeyFile},
	}
}

// CheckKeyFiles reports as Problems every secret key file that is missing, is
// not a plain file, or can be read by anyone but its owner. Call it after
// Resolve. It opens none of them.
func (n *Node) CheckKeyFiles() error {
	var ps Problems
	for _, s := range n.Keys.secrets() {
		if *s.path == "" {
			continue
		}
		if message := keyFileProblem(*s.path); message != "" {
			ps = append(ps, Problem{File: n.File, Key: s.key, Message: message})
		}
	}
	return ps.err()
}

// keyFileProblem says what is wrong with a key file, "" if nothing is.
func keyFileProblem(path string) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s: no such file", path)
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular():
		return fmt.Sprintf("%s: not a file", path)
	case runtime.GOOS == "windows": // no mode bits there
		return ""
	}
	forbidden := fs.FileMode(0o077)
	if creds := os.Getenv(credentialsDirectory); creds != "" && filepath.Dir(path) == filepath.Clean(creds) {
		// systemd grants the service's user by an access list, whose mask
		// shows up as the group's bits; the directory itself is closed.
		forbidden = 0o007
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Sprintf("%s: mode %04o lets others than its owner in; run: chmod 0600 %s", path, mode, path)
	}
	return ""
}
