package config

import (
	"fmt"
	"path/filepath"
	"time"
)

// Node is NODE.yaml: what one process needs beside cluster.yaml. Paths are
// relative to the file's directory until Resolve makes them absolute.
type Node struct {
	Version       int      `yaml:"version" required:"true" enum:"1" example:"1" doc:"version of this file's format"`
	Role          string   `yaml:"role" required:"true" enum:"gateway|server|verifier|querier|operator" example:"gateway" doc:"what this process is"`
	ID            string   `yaml:"id" required:"true" example:"gw-1" doc:"its name in cluster.yaml"`
	Cluster       string   `yaml:"cluster" default:"cluster.yaml" example:"cluster.yaml" doc:"path of cluster.yaml"`
	Genesis       string   `yaml:"genesis" default:"genesis.cbor" example:"genesis.cbor" doc:"path of the ledger's first record"`
	DataDir       string   `yaml:"data_dir" default:"data" example:"/var/lib/statnet" doc:"directory that the process owns and writes"`
	Listen        string   `yaml:"listen" example:"0.0.0.0:7000" doc:"host:port that a server or verifier serves its API on"`
	RaftListen    string   `yaml:"raft_listen" example:"0.0.0.0:7200" doc:"host:port that a verifier serves the other verifiers on"`
	Log           Log      `yaml:"log" example:"{level: info, format: text}" doc:"what is logged, to standard error"`
	Keys          Keys     `yaml:"keys" example:"{record_key_file: record.key}" doc:"paths of certificates and secret keys; the keys themselves are never in this file"`
	FlushInterval Duration `yaml:"flush_interval" default:"1m" example:"1m" doc:"gateway: how often beats are written to disk, one transaction each, 1s to 5m; a power cut loses at most this much"`
	Patches       []Patch  `yaml:"patches" example:"[{id: patch-1, patient: p-0001, source: {kind: synth, history: 1h, live: true}}]" doc:"gateway: where its patients' heartbeats come from"`

	File string `yaml:"-"` // the file as named by the user; "" if there was none
	Dir  string `yaml:"-"` // its directory, to which paths were relative
}

// Log says what a process tells its operator.
type Log struct {
	Level  string `yaml:"level" default:"info" enum:"debug|info|warn|error" example:"info" doc:"least important message that is written"`
	Format string `yaml:"format" default:"text" enum:"text|json" example:"text" doc:"text for people, json for collectors"`
}

// Keys are paths. Secret ones end in _file and must not be readable by anyone
// but the owner. A relative path is looked up in $CREDENTIALS_DIRECTORY first
// (systemd's LoadCredential=), by its last element.
type Keys struct {
	Root          string `yaml:"root" default:"root.pem" example:"root.pem" doc:"certificate of the cluster's root, PEM"`
	Certificate   string `yaml:"certificate" default:"node.pem" example:"node.pem" doc:"certificate of this node, PEM"`
	TLSKeyFile    string `yaml:"tls_key_file" default:"node.key" example:"node.key" doc:"secret key of the certificate, PEM, mode 0600"`
	RecordKeyFile string `yaml:"record_key_file" default:"record.key" example:"record.key" doc:"secret Ed25519 key that signs this node's records, mode 0600"`
	CosignKeyFile string `yaml:"cosign_key_file" example:"cosign.key" doc:"verifier: secret Ed25519 key that signs checkpoints, mode 0600. Default for a verifier: cosign.key"`
}

// Patch is one source of heartbeats of one patient.
type Patch struct {
	ID      string `yaml:"id" required:"true" example:"patch-1" doc:"name of the patch"`
	Patient string `yaml:"patient" required:"true" example:"p-0001" doc:"pseudonym of the patient who wears it"`
	Source  Source `yaml:"source" required:"true" example:"{kind: synth, history: 1h, live: true}" doc:"where its signal comes from"`
}

// Kinds of sources.
const (
	SourceSynth = "synth"
	SourceWFDB  = "wfdb"
	SourceRR    = "rr"
)

// Source is where a patch's signal comes from. Each key belongs to the kinds
// that its description names and is refused with any other.
type Source struct {
	Kind    string    `yaml:"kind" required:"true" enum:"synth|wfdb|rr" example:"synth" doc:"synth: synthetic ECG; wfdb: a PhysioNet record, replayed at once; rr: a CSV of RR intervals, replayed at once"`
	RateHz  int       `yaml:"rate_hz" example:"250" doc:"synth: samples a second, 100 to 1000. Default: 250"`
	Rhythm  string    `yaml:"rhythm" example:"sinus" doc:"synth: name of the rhythm. Default: sinus"`
	Seed    uint64    `yaml:"seed" example:"1" doc:"synth: seed of the generator; equal seeds give equal hearts. Default: 0"`
	History Duration  `yaml:"history" example:"1h" doc:"synth: how much signal before the start of the process is made up, at once. Default: none"`
	Live    bool      `yaml:"live" example:"true" doc:"synth: whether the patch goes on sending, in real time. Default: false"`
	File    string    `yaml:"file" example:"ecg/100" doc:"wfdb: record without extension; rr: CSV with the header time_ms,rr_ms"`
	Signal  int       `yaml:"signal" example:"0" doc:"wfdb: index of the signal in the record. Default: 0"`
	Start   time.Time `yaml:"start" example:"2026-11-20T00:00:00Z" doc:"wfdb, rr: time of the first sample, or of time_ms = 0. rr without it: time_ms is absolute Unix milliseconds"`
}

// Path is "role/id", the name of the node in records and certificates.
func (n *Node) Path() string { return n.Role + "/" + n.ID }

// ReadNode reads, decodes and validates NODE.yaml, makes its paths absolute and
// checks the modes of its key files. It knows neither flags nor environment:
// a running process uses internal/nodeconfig, which adds both.
func ReadNode(path string) (*Node, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read node file: %w", err)
	}
	n, err := ParseNode(path, data)
	if err != nil {
		return nil, err
	}
	n.Resolve(filepath.Dir(path))
	if err := n.CheckKeyFiles(); err != nil {
		return nil, err
	}
	return n, nil
}

// ParseNode decodes and validates bytes; file is used in messages only. Paths
// stay relative, and no file is touched.
func ParseNode(file string, data []byte) (*Node, error) {
	n := new(Node)
	doc, problems := decode(file, data, n)
	if doc == nil {
		return nil, problems
	}
	*n = n.WithDefaults()
	if err := doc.with(problems, n.problems()); err != nil {
		return nil, err
	}
	n.File = file
	return n, nil
}

// WithDefaults returns a copy in which absent keys have their defaults.
func (n Node) WithDefaults() Node {
	fillDefaults(&n)
	if n.Role == RoleVerifier && n.Keys.CosignKeyFile == "" {
		n.Keys.CosignKeyFile = "cosign.key"
	}
	patches := make([]Patch, len(n.Patches))
	copy(patches, n.Patches)
	for i := range patches {
		patches[i].Source = patches[i].Source.withDefaults()
	}
	if n.Patches != nil {
		n.Patches = patches
	}
	return n
}

func (s Source) withDefaults() Source {
	if s.Kind == SourceSynth {
		if s.RateHz == 0 {
			s.RateHz = 250
		}
		if s.Rhythm == "" {
			s.Rhythm = "sinus"
		}
	}
	return s
}

// Validate reports every problem of the values as Problems, nil if there is
// none. Positions are absent: only the decoder knows the file.
func (n *Node) Validate() error { return n.problems().err() }
