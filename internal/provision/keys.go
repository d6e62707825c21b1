package provision

import (
	"crypto/rand"
	"fmt"

	"statnet/config"
	"statnet/crypto/pki"
)

// keys holds every secret of a new cluster until it is on disk. It prints as
// nothing: its parts refuse to.
type keys struct {
	ca       *pki.CA
	record   map[string]*pki.RecordKey // by path
	cosign   map[string]*pki.RecordKey // by path; verifiers
	instance map[string][16]byte       // by path; verifiers; not secret
}

func newKeys(s Spec) (*keys, error) {
	ca, err := pki.NewCA(s.Name, s.Now)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	k := &keys{ca: ca, record: map[string]*pki.RecordKey{}, cosign: map[string]*pki.RecordKey{}, instance: map[string][16]byte{}}
	for _, path := range s.paths() {
		if k.record[path], err = pki.GenerateKey(path); err != nil {
			return nil, fmt.Errorf("make record key: %w", err)
		}
	}
	for i := range s.Verifiers {
		path := config.RoleVerifier + "/" + verifierID(i)
		if k.cosign[path], err = pki.GenerateKey(path); err != nil {
			return nil, fmt.Errorf("make cosigning key: %w", err)
		}
		var id [16]byte
		rand.Read(id[:])
		k.instance[path] = id
	}
	return k, nil
}

// operator signs the first record.
func (k *keys) operator() *pki.RecordKey { return k.record[config.RoleOperator+"/"+OperatorID] }

func (k *keys) public(path string) config.Hex { return config.Hex(k.record[path].Public()) }

func verifierID(i int) string { return fmt.Sprintf("v%d", i+1) }
func serverID(i int) string   { return fmt.Sprintf("s%d", i+1) }
func gatewayID(i int) string  { return fmt.Sprintf("gw-%d", i+1) }

// paths lists every node to be made.
func (s Spec) paths() []string {
	var out []string
	for i := range s.Verifiers {
		out = append(out, config.RoleVerifier+"/"+verifierID(i))
	}
	for i := range s.Servers {
		out = append(out, config.RoleServer+"/"+serverID(i))
	}
	for i := range s.PatientsOf {
		out = append(out, config.RoleGateway+"/"+gatewayID(i))
	}
	for _, q := range s.Queriers {
		out = append(out, config.RoleQuerier+"/"+q)
	}
	return append(out, config.RoleOperator+"/"+OperatorID)
}
