package testnet

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"

	"statnet/config"
)

var (
	patientID = regexp.MustCompile(`p-\d{4}`)
	number    = regexp.MustCompile(`\d+`)
)

// secrets are what no log may hold.
type secrets struct {
	rows    map[[3]string]bool // three intervals in a row
	numbers map[string]string  // times of beats and sums, to what they are
	texts   map[string]string  // keys, encoded, to what they are
}

// searchLogs reads every node's log for secrets of every node.
func (n *Net) searchLogs() {
	s := n.secrets()
	if len(s.rows) < 100 || len(s.numbers) < 100 || len(s.texts) < 20 {
		n.t.Errorf("only %d intervals, %d numbers and %d keys to look for", len(s.rows), len(s.numbers), len(s.texts))
	}
	for id, m := range n.members {
		for _, leak := range s.leaks(m.log.text()) {
			n.t.Errorf("the log of %s has %s", id, leak)
		}
	}
}

// leaks names what of the secrets stands in a log.
func (s secrets) leaks(log string) (found []string) {
	if id := patientID.FindString(log); id != "" {
		found = append(found, "patient "+id)
	}
	numbers := number.FindAllString(log, -1)
	for i, d := range numbers {
		if what, ok := s.numbers[d]; ok {
			found = append(found, what+" "+d)
		}
		if i >= 2 && s.rows[[3]string(numbers[i-2:i+1])] {
			found = append(found, "intervals "+strings.Join(numbers[i-2:i+1], " "))
		}
	}
	for text, what := range s.texts {
		if strings.Contains(log, text) {
			found = append(found, what)
		}
	}
	return found
}

// secrets collects them from the patients' lists and the nodes' files.
func (n *Net) secrets() secrets {
	s := secrets{rows: map[[3]string]bool{}, numbers: map[string]string{}, texts: map[string]string{}}
	for _, h := range n.hearts {
		s.addHeart(h)
	}
	n.addSums(&s)
	for _, m := range n.members {
		n.addKeys(&s, m)
	}
	return s
}

// addHeart adds one patient's intervals and the times of the beats.
func (s secrets) addHeart(h heart) {
	for i := 2; i < len(h.rr); i++ {
		s.rows[[3]string{strconv.Itoa(h.rr[i-2]), strconv.Itoa(h.rr[i-1]), strconv.Itoa(h.rr[i])}] = true
	}
	for _, b := range h.beats {
		s.numbers[strconv.FormatInt(b.At, 10)] = "the time of a beat"
		s.numbers[strconv.FormatInt(b.At/1000, 10)] = "the time of a beat"
	}
}

// addSums adds the sums of each patient, of each gateway, and of all.
func (n *Net) addSums(s *secrets) {
	add := func(what string, values ...uint64) {
		for _, v := range values {
			if v >= 100_000 { // shorter numbers stand in a log by chance
				s.numbers[strconv.FormatUint(v, 10)] = what
			}
		}
	}
	var all [5]uint64
	for _, g := range n.Cluster.Gateways {
		var own [5]uint64
		for _, p := range g.Patients {
			t := n.hearts[p].totals(n.From.Unix()/epochSeconds, n.To.Unix()/epochSeconds)
			one := [5]uint64{t.S1, t.S2, t.D2, t.H1, t.H2}
			add("a sum of one patient", one[:]...)
			for i := range own {
				own[i] += one[i]
				all[i] += one[i]
			}
		}
		add("a sum of gateway "+g.ID, own[:]...)
	}
	add("a sum of the cohort", all[:]...)
}

// addKeys adds the secret keys in a node's directory.
func (n *Net) addKeys(s *secrets, m *member) {
	files, _ := filepath.Glob(filepath.Join(m.Dir, "*.key"))
	more, _ := filepath.Glob(filepath.Join(m.Dir, "data", "queries", "*", "querier.key"))
	for _, f := range append(files, more...) {
		data, err := os.ReadFile(f)
		if err != nil {
			n.t.Errorf("read key: %v", err)
			continue
		}
		if data, err = secretPart(data); err != nil {
			n.t.Errorf("read %s: %v", f, err)
			continue
		}
		s.secret(fmt.Sprintf("%s of %s", filepath.Base(f), m.ID), data)
	}
	if m.Role == config.RoleServer {
		if err := s.vault(m); err != nil {
			n.t.Errorf("read vault of %s: %v", m.ID, err)
		}
	}
}

// secretPart is the number that a key file keeps secret, or all of a file that
// is not PEM.
func secretPart(file []byte) ([]byte, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		return file, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return k.Seed(), nil
	case *ecdsa.PrivateKey:
		return k.Bytes()
	}
	return nil, fmt.Errorf("key of type %T", key)
}

// vault adds the seeds of a stopped server.
func (s secrets) vault(m *member) error {
	path := filepath.Join(m.Dir, "data", "server.db")
	if _, err := os.Stat(path); err != nil {
		return nil // it never ran
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("seed")).ForEach(func(_, v []byte) error {
			s.secret("a seed of "+m.ID, v)
			return nil
		})
	})
}

// secret adds one in every way that it could be printed: whole encodings begin
// at any of its bytes, so the last 24 are looked for as hexadecimal digits, in
// base64 at each of the three alignments, and as a list of numbers.
func (s secrets) secret(what string, data []byte) {
	tail := data[max(0, len(data)-24):]
	s.texts[hex.EncodeToString(tail)] = what
	s.texts[strings.ToUpper(hex.EncodeToString(tail))] = what
	s.texts[strings.Trim(fmt.Sprint(tail), "[]")] = what
	s.texts[strings.Trim(strconv.Quote(string(tail)), `"`)] = what // as slog quotes it
	for skip := range 3 {
		whole := (len(tail) - skip) / 3 * 3
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s.texts[e.EncodeToString(tail[skip:skip+whole])] = what
		}
	}
}
