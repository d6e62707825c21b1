package config

import (
	"crypto/sha256"
	"fmt"
	"os"
	"reflect"
	"slices"
)

// ParamsID is the identifier of the one parameter set of the encryption,
// PN12-T28 (N = 4096, log2 Q = 106). `crypto/he` computes it; a test compares.
const ParamsID = "057929a0c0e338b2740b72688e0a571e7b1cdfc08d88b0fada9ac40f52b034e8"

// Limits of a cluster. Each is the border of something fixed elsewhere.
const (
	MaxClusterBytes      = 4 << 20 // of cluster.yaml and NODE.yaml
	MaxServers           = 16      // sub-key sets are 16-bit masks
	MaxSubKeys           = 16      // C(servers, threshold-1)
	MaxVerifiers         = 64
	MaxMembers           = 4096 // elements of one record's array
	MaxPatientsOfGateway = 200  // entries of one SAMPLE record
)

// Cluster is cluster.yaml: the roster, the quorum and the policy. Its bytes are
// the same on every node, and their SHA-256 is in the ledger's first record.
// The struct is read only after ReadCluster.
type Cluster struct {
	Version   int        `yaml:"version" required:"true" enum:"1" example:"1" doc:"version of this file's format"`
	Name      string     `yaml:"name" required:"true" example:"ward.example" doc:"name of the cluster, in every certificate and in the ledger's origin; lower-case DNS form, at most 100 characters"`
	Params    Hex        `yaml:"params" required:"true" example:"057929a0c0e338b2740b72688e0a571e7b1cdfc08d88b0fada9ac40f52b034e8" doc:"identifier of the encryption's parameter set, 32 bytes"`
	Roots     []Hex      `yaml:"roots" required:"true" example:"[<64 hexadecimal digits>]" doc:"SHA-256 of the DER bytes of each root certificate that this cluster trusts"`
	Ledger    Ledger     `yaml:"ledger" required:"true" example:"{fault_model: byzantine, faulty: 1, quorum: 3}" doc:"what the verifiers promise"`
	Opening   Opening    `yaml:"opening" example:"{threshold: 2}" doc:"how many servers open a result"`
	Verifiers []Verifier `yaml:"verifiers" required:"true" example:"[{id: v1, address: v1.example.org:7100, raft: v1.example.org:7200, record_key: <64 hex>, cosign_key: <64 hex>, instance: <32 hex>}]" doc:"nodes that check every step and keep the ledger"`
	Servers   []Server   `yaml:"servers" required:"true" example:"[{id: s1, address: s1.example.org:7000, record_key: <64 hex>}]" doc:"nodes that hold the collective key; the first one coordinates"`
	Gateways  []Gateway  `yaml:"gateways" required:"true" example:"[{id: gw-1, server: s1, record_key: <64 hex>, patients: [p-0001]}]" doc:"nodes that hold the patients' beats"`
	Queriers  []Querier  `yaml:"queriers" required:"true" example:"[{id: dr-a, record_key: <64 hex>}]" doc:"who may ask; what they may ask is in policy"`
	Operators []Operator `yaml:"operators" required:"true" example:"[{id: op-1, record_key: <64 hex>}]" doc:"who may change the roster; the first one signed the ledger's first record"`
	Cohorts   []Cohort   `yaml:"cohorts" example:"[{id: ward-a, patients: [p-0001, p-0002]}]" doc:"named groups of patients"`
	Policy    []Rule     `yaml:"policy" example:"[{querier: dr-a, statistics: [mean], signals: [rr], cohorts: [ward-a], min_cohort: 3, purpose: clinical}]" doc:"who may ask what about whom; what is not listed is refused"`

	Raw    []byte   `yaml:"-"` // the file as read
	Digest [32]byte `yaml:"-"` // SHA-256 of Raw
}

// Ledger is the trust that the verifiers need. See CheckQuorum for the rule.
type Ledger struct {
	FaultModel string `yaml:"fault_model" required:"true" enum:"byzantine|crash-only" example:"byzantine" doc:"byzantine: up to 'faulty' verifiers may lie; crash-only: none lies, some may stop"`
	Faulty     int    `yaml:"faulty" required:"true" example:"1" doc:"f, number of verifiers that may lie; 0 only with crash-only"`
	Quorum     int    `yaml:"quorum" required:"true" example:"3" doc:"q, number of signatures that make a checkpoint or a verdict"`
}

// Opening is the threshold of the collective key.
type Opening struct {
	Threshold int `yaml:"threshold" example:"2" doc:"t, number of servers that together open a result; fewer learn nothing. Default: floor(n/2)+1 of n servers, or n where that needs more than 16 sub-keys"`
}

// Verifier is one keeper of the ledger.
type Verifier struct {
	ID        string `yaml:"id" required:"true" example:"v1" doc:"name of the node"`
	Address   string `yaml:"address" required:"true" example:"v1.example.org:7100" doc:"host:port of its API"`
	Raft      string `yaml:"raft" required:"true" example:"v1.example.org:7200" doc:"host:port for the other verifiers"`
	RecordKey Hex    `yaml:"record_key" required:"true" example:"<64 hexadecimal digits>" doc:"Ed25519 public key that signs its records, 32 bytes"`
	CosignKey Hex    `yaml:"cosign_key" required:"true" example:"<64 hexadecimal digits>" doc:"Ed25519 public key that signs checkpoints and nothing else, 32 bytes"`
	Instance  Hex    `yaml:"instance" required:"true" example:"<32 hexadecimal digits>" doc:"random identity of its data directory, 16 bytes; a wiped node may not return under its old name"`
}

// Server is one holder of a part of the collective key.
type Server struct {
	ID        string `yaml:"id" required:"true" example:"s1" doc:"name of the node"`
	Address   string `yaml:"address" required:"true" example:"s1.example.org:7000" doc:"host:port of its API"`
	RecordKey Hex    `yaml:"record_key" required:"true" example:"<64 hexadecimal digits>" doc:"Ed25519 public key that signs its records, 32 bytes"`
}

// Gateway is one data provider.
type Gateway struct {
	ID        string   `yaml:"id" required:"true" example:"gw-1" doc:"name of the node"`
	Server    string   `yaml:"server" required:"true" example:"s1" doc:"server that it dials and that adds its answers"`
	RecordKey Hex      `yaml:"record_key" required:"true" example:"<64 hexadecimal digits>" doc:"Ed25519 public key that signs its records, 32 bytes"`
	Patients  []string `yaml:"patients" example:"[p-0001, p-0002]" doc:"pseudonyms of the patients whose beats it holds, at most 200; each patient has one gateway"`
}

// Querier is someone who may ask.
type Querier struct {
	ID        string `yaml:"id" required:"true" example:"dr-a" doc:"name of the querier"`
	RecordKey Hex    `yaml:"record_key" required:"true" example:"<64 hexadecimal digits>" doc:"Ed25519 public key that signs the questions, 32 bytes"`
}

// Operator is someone who may change the roster.
type Operator struct {
	ID        string `yaml:"id" required:"true" example:"op-1" doc:"name of the operator"`
	RecordKey Hex    `yaml:"record_key" required:"true" example:"<64 hexadecimal digits>" doc:"Ed25519 public key that signs roster changes, 32 bytes"`
}

// Cohort is a named group of patients.
type Cohort struct {
	ID       string   `yaml:"id" required:"true" example:"ward-a" doc:"name of the group"`
	Patients []string `yaml:"patients" required:"true" example:"[p-0001, p-0002]" doc:"pseudonyms of its members, each listed with a gateway"`
}

// Rule lets one querier ask some statistics about some cohorts. Everything
// within one rule may be combined; rules of one querier add up.
type Rule struct {
	Querier    string   `yaml:"querier" required:"true" example:"dr-a" doc:"who may ask"`
	Statistics []string `yaml:"statistics" required:"true" enum:"count|sum|mean|variance|stddev|rmssd|pnn50|cv|min|max|median|quantile|histogram|summary|arrhythmia|series" example:"[mean, variance]" doc:"which statistics"`
	Signals    []string `yaml:"signals" required:"true" enum:"rr|hr" example:"[rr, hr]" doc:"of which signal: rr in ms, hr in 1/min"`
	Cohorts    []string `yaml:"cohorts" example:"[ward-a]" doc:"about which cohorts; the first one is the default of a question that names none"`
	Patients   []string `yaml:"patients" example:"[p-0001]" doc:"named patients whom this querier treats and may ask about one by one; only with purpose clinical"`
	MinCohort  int      `yaml:"min_cohort" required:"true" example:"3" doc:"fewest patients that an answer about a cohort must rest on; research: at least 10"`
	Purpose    string   `yaml:"purpose" required:"true" enum:"clinical|research" example:"clinical" doc:"clinical: treatment; research: registered cohorts only"`
}

// Statistics lists every statistic that a rule can name. Package stat computes
// them; a test holds both lists together.
func Statistics() []string {
	fields := fieldsOf(reflect.TypeFor[Rule]())
	return slices.Clone(fields[indexOf(fields, "statistics")].enum)
}

// ReadCluster reads, decodes and validates cluster.yaml. Its errors of content
// are Problems, all at once.
func ReadCluster(path string) (*Cluster, error) {
	c, _, err := LocateCluster(path)
	return c, err
}

// LocateCluster is ReadCluster that also tells where a key stands:
// "cluster.yaml:7:11", or "" for a key that the file lacks.
func LocateCluster(path string) (c *Cluster, where func(key string) string, err error) {
	data, err := readFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read cluster file: %w", err)
	}
	c, doc, err := parseCluster(path, data)
	if err != nil {
		return nil, nil, err
	}
	return c, doc.where, nil
}

// ParseCluster is ReadCluster for bytes already read; file is used in messages
// only.
func ParseCluster(file string, data []byte) (*Cluster, error) {
	c, _, err := parseCluster(file, data)
	return c, err
}

func parseCluster(file string, data []byte) (*Cluster, *document, error) {
	c := new(Cluster)
	doc, problems := decode(file, data, c)
	if doc == nil {
		return nil, nil, problems
	}
	*c = c.WithDefaults()
	if err := doc.with(problems, c.problems()); err != nil {
		return nil, nil, err
	}
	c.Raw, c.Digest = data, sha256.Sum256(data)
	return c, doc, nil
}

// WithDefaults returns a copy in which absent keys have their defaults.
func (c Cluster) WithDefaults() Cluster {
	if c.Opening.Threshold == 0 {
		c.Opening.Threshold = DefaultThreshold(len(c.Servers))
	}
	return c
}

// Validate reports every problem of the values as Problems, nil if there is
// none. Positions are absent: only the decoder knows the file.
func (c *Cluster) Validate() error { return c.problems().err() }

// readFile refuses a file longer than MaxClusterBytes before it reads it.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxClusterBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), MaxClusterBytes)
	}
	return os.ReadFile(path)
}
