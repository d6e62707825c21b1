package config

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// problems is Validate without the error interface.
func (n *Node) problems() Problems {
	var ps Problems
	checkTags(reflect.ValueOf(*n), "", &ps)
	checkID(&ps, "id", n.ID, "id: gw-1")
	n.checkListeners(&ps)
	n.checkPatches(&ps)
	if n.FlushInterval < Duration(time.Second) || n.FlushInterval > Duration(5*time.Minute) {
		ps.add("flush_interval", "flush_interval: 1m", "%s is not between 1s and 5m", n.FlushInterval)
	}
	if n.Role != RoleVerifier && n.Keys.CosignKeyFile != "" {
		ps.addCross("keys.cosign_key_file", "", "only a verifier has a cosigning key; role is %s", n.Role)
	}
	return ps
}

// checkListeners: servers and verifiers listen, everyone else only dials.
func (n *Node) checkListeners(ps *Problems) {
	const api, raft = "listen: 0.0.0.0:7000", "raft_listen: 0.0.0.0:7200"
	checkAddress(ps, "listen", n.Listen, api, true)
	checkAddress(ps, "raft_listen", n.RaftListen, raft, true)
	serves, votes := n.Role == RoleServer || n.Role == RoleVerifier, n.Role == RoleVerifier
	switch {
	case serves && n.Listen == "":
		ps.addCross("listen", api, "required for role %s", n.Role)
	case !serves && n.Listen != "":
		ps.addCross("listen", "", "a %s only dials out; it has no listener", n.Role)
	}
	switch {
	case votes && n.RaftListen == "":
		ps.addCross("raft_listen", raft, "required for role verifier")
	case !votes && n.RaftListen != "":
		ps.addCross("raft_listen", "", "only a verifier takes part in raft; role is %s", n.Role)
	case votes && n.RaftListen == n.Listen:
		ps.addCross("raft_listen", raft, "%s is the address of listen", n.RaftListen)
	}
}

func (n *Node) checkPatches(ps *Problems) {
	if n.Role != RoleGateway && len(n.Patches) > 0 {
		ps.addCross("patches", "", "only a gateway has patches; role is %s", n.Role)
	}
	ids := unique{}
	for i, p := range n.Patches {
		at := fmt.Sprintf("patches[%d]", i)
		checkID(ps, at+".id", p.ID, "id: patch-1")
		ids.claim(ps, at+".id", p.ID, "id")
		checkID(ps, at+".patient", p.Patient, "patient: p-0001")
		p.Source.check(ps, at+".source")
	}
}

// check holds each key to the kinds of source that it belongs to.
func (s Source) check(ps *Problems, at string) {
	used := []struct {
		key   string
		set   bool
		kinds []string
	}{
		{"rate_hz", s.RateHz != 0, []string{SourceSynth}},
		{"rhythm", s.Rhythm != "", []string{SourceSynth}},
		{"seed", s.Seed != 0, []string{SourceSynth}},
		{"history", s.History != 0, []string{SourceSynth}},
		{"live", s.Live, []string{SourceSynth}},
		{"file", s.File != "", []string{SourceWFDB, SourceRR}},
		{"signal", s.Signal != 0, []string{SourceWFDB}},
		{"start", !s.Start.IsZero(), []string{SourceWFDB, SourceRR}},
	}
	for _, u := range used {
		if u.set && s.Kind != "" && !slices.Contains(u.kinds, s.Kind) {
			ps.addCross(at+"."+u.key, "", "has no meaning for kind %s", s.Kind)
		}
	}
	switch s.Kind {
	case SourceSynth:
		s.checkSynth(ps, at)
	case SourceWFDB:
		s.checkFile(ps, at, "file: ecg/100")
		if s.Start.IsZero() {
			ps.addCross(at+".start", "start: 2026-11-20T00:00:00Z", "required for kind wfdb")
		}
		if s.Signal < 0 || s.Signal > 63 {
			ps.add(at+".signal", "signal: 0", "%d is not between 0 and 63", s.Signal)
		}
	case SourceRR:
		s.checkFile(ps, at, "file: beats.csv")
	}
}

func (s Source) checkSynth(ps *Problems, at string) {
	if s.RateHz < 100 || s.RateHz > 1000 {
		ps.add(at+".rate_hz", "rate_hz: 250", "%d is not between 100 and 1000", s.RateHz)
	}
	if s.History < 0 || s.History > Duration(366*24*time.Hour) {
		ps.add(at+".history", "history: 1h", "%s is not between 0s and 366d", s.History)
	}
	if s.History == 0 && !s.Live {
		ps.addCross(at, "source: {kind: synth, history: 1h, live: true}", "sends nothing: neither history nor live is set")
	}
}

func (s Source) checkFile(ps *Problems, at, example string) {
	if s.File == "" {
		ps.addCross(at+".file", example, "required for kind %s", s.Kind)
	}
}

// CheckMember reports as Problems whether the node is what cluster.yaml says:
// it must be in the roster under its role, and a gateway may hold only beats of
// its own patients.
func (n *Node) CheckMember(c *Cluster) error {
	var ps Problems
	if _, ok := c.RecordKey(n.Path()); !ok {
		ps = append(ps, Problem{File: n.File, Key: "id", Message: fmt.Sprintf("cluster %s has no %s %q", c.Name, n.Role, n.ID)})
		return ps.err()
	}
	if g, ok := c.Gateway(n.ID); ok && n.Role == RoleGateway {
		for i, p := range n.Patches {
			if !slices.Contains(g.Patients, p.Patient) {
				ps = append(ps, Problem{
					File: n.File, Key: fmt.Sprintf("patches[%d].patient", i),
					Message: fmt.Sprintf("cluster %s does not list patient %q with gateway %s", c.Name, p.Patient, n.ID),
				})
			}
		}
	}
	return ps.err()
}
