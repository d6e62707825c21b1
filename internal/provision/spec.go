package provision

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"statnet/config"
)

// Defaults of a Spec.
const (
	DefaultName     = "ward.example"
	DefaultBasePort = 7000
	DefaultQuerier  = "dr-a"
	OperatorID      = "op-1"
	CohortAll       = "all" // the cohort of every patient
)

// DefaultPolicy lets the first querier ask everything about the cohort of all
// patients and about each of them. It is a start for a demonstration, not a
// policy for a hospital.
func DefaultPolicy(c *config.Cluster) []config.Rule {
	if len(c.Queriers) == 0 || len(c.Cohorts) == 0 {
		return nil
	}
	all := c.Cohorts[0]
	return []config.Rule{{
		Querier: c.Queriers[0].ID, Statistics: config.Statistics(), Signals: []string{"rr", "hr"},
		Cohorts: []string{all.ID}, Patients: all.Patients, MinCohort: min(3, len(all.Patients)), Purpose: "clinical",
	}}
}

// Synthetic gives each patient one synthetic patch with that much history, live
// from then on.
func Synthetic(history config.Duration) func(int, string) []config.Source {
	return func(gateway int, patient string) []config.Source {
		seed := uint64(1)
		for _, c := range []byte(patient) { // equal patients, equal hearts, on every machine
			seed = seed*131 + uint64(c)
		}
		return []config.Source{{Kind: config.SourceSynth, RateHz: 250, Rhythm: "sinus", Seed: seed % 1_000_000, History: history, Live: true}}
	}
}

func (s Spec) withDefaults() Spec {
	s.Name = orText(s.Name, DefaultName)
	s.Gateways = orNumber(s.Gateways, 3)
	s.Servers = orNumber(s.Servers, 3)
	s.Verifiers = orNumber(s.Verifiers, 4)
	s.Patients = orNumber(s.Patients, 3*s.Gateways)
	if s.PatientsOf == nil && s.Gateways > 0 && s.Patients > 0 {
		s.PatientsOf = deal(s.Gateways, s.Patients)
	}
	s.Host = orText(s.Host, "127.0.0.1")
	s.BasePort = orNumber(s.BasePort, DefaultBasePort)
	if s.Addresses == nil && s.Servers > 0 && s.Verifiers > 0 {
		s.Addresses = s.portAddresses()
	}
	if s.Ledger == (config.Ledger{}) {
		s.Ledger = config.DefaultQuorum(s.Verifiers)
	}
	s.Threshold = orNumber(s.Threshold, config.DefaultThreshold(s.Servers))
	if s.Queriers == nil {
		s.Queriers = []string{DefaultQuerier}
	}
	if s.Policy == nil {
		s.Policy = DefaultPolicy
	}
	if s.Sources == nil {
		s.Sources = Synthetic(config.Duration(time.Hour))
	}
	s.LogLevel, s.LogFormat = orText(s.LogLevel, "info"), orText(s.LogFormat, "text")
	if s.FlushInterval == 0 {
		s.FlushInterval = config.Duration(time.Minute)
	}
	if s.Validity == 0 {
		s.Validity = 365 * 24 * time.Hour
	}
	if s.Now.IsZero() {
		s.Now = time.Now()
	}
	s.Now = s.Now.UTC()
	return s
}

// deal gives each gateway its block of patients p-0001, p-0002, …
func deal(gateways, patients int) [][]string {
	out := make([][]string, gateways)
	next := 1
	for g := range out {
		share := patients / gateways
		if g < patients%gateways {
			share++
		}
		for range share {
			out[g] = append(out[g], fmt.Sprintf("p-%04d", next))
			next++
		}
	}
	return out
}

func (s Spec) portAddresses() *Addresses {
	at := func(offset int) string { return net.JoinHostPort(s.Host, strconv.Itoa(s.BasePort+offset)) }
	var a Addresses
	for i := range s.Servers {
		a.Servers = append(a.Servers, at(1+i))
	}
	for i := range s.Verifiers {
		a.Verifiers = append(a.Verifiers, at(101+i))
		a.Raft = append(a.Raft, at(201+i))
	}
	return &a
}

// validate catches what the caller got wrong before any key is made. The rest
// is checked by reading cluster.yaml back.
func (s Spec) validate() error {
	for _, c := range []struct {
		name        string
		got, lo, hi int
	}{
		{"gateways", len(s.PatientsOf), 1, 1000},
		{"servers", s.Servers, 1, config.MaxServers},
		{"verifiers", s.Verifiers, 1, config.MaxVerifiers},
		{"base port", s.BasePort, 1, 65000},
	} {
		if c.got < c.lo || c.got > c.hi {
			return fmt.Errorf("%s: %d is not between %d and %d", c.name, c.got, c.lo, c.hi)
		}
	}
	if s.Patients < len(s.PatientsOf) && s.PatientsOf[len(s.PatientsOf)-1] == nil {
		return fmt.Errorf("patients: %d is fewer than one for each of %d gateways", s.Patients, len(s.PatientsOf))
	}
	if a := s.Addresses; len(a.Servers) != s.Servers || len(a.Verifiers) != s.Verifiers || len(a.Raft) != s.Verifiers {
		return fmt.Errorf("addresses: %d servers, %d verifiers, %d raft given, want %d, %d, %d",
			len(a.Servers), len(a.Verifiers), len(a.Raft), s.Servers, s.Verifiers, s.Verifiers)
	}
	return nil
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orNumber(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
