package demo

import (
	"fmt"
	"path/filepath"
	"time"

	"statnet/chain/record"
	"statnet/config"
	"statnet/ecg"
	"statnet/ecg/wfdb"
	"statnet/internal/cli"
	"statnet/internal/provision"
	"statnet/stat"
)

// The customer's figure: nine patches on three gateways.
const (
	figureGateways  = 3
	figurePatients  = 9
	figureServers   = 3
	figureVerifiers = 3
)

// settle is how far in the past the end of a window must lie.
const settle = 180 * time.Second

// Plan is a demonstration: who has which heartbeats, and which window they
// fill.
type Plan struct {
	Spec     provision.Spec
	From, To time.Time
	Says     string // what the patches are, in words
}

// Synthetic is the figure with a synthetic heart on every patch, which have
// been sending for as long as history before now.
func Synthetic(history time.Duration, now time.Time) Plan {
	spec := figure()
	spec.Patients, spec.Gateways = figurePatients, figureGateways
	spec.Sources = provision.Synthetic(config.Duration(history))
	to := floor(now.Add(-settle))
	return Plan{Spec: spec, From: floor(now).Add(-history), To: to,
		Says: fmt.Sprintf("%d synthetic patches on %d gateways", figurePatients, figureGateways)}
}

// Replay gives every file a patient. Files are dealt to up to three gateways in
// turn; a single RR list goes to three gateways, so that there is a sum.
func Replay(kind string, files []string, signal int, now time.Time) (Plan, error) {
	spec := figure()
	gateways := min(figureGateways, len(files))
	if kind == config.SourceRR && len(files) == 1 {
		gateways, files = figureGateways, []string{files[0], files[0], files[0]}
	}
	longest := time.Duration(0)
	sources := map[string]config.Source{}
	spec.PatientsOf = make([][]string, gateways)
	for i, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			return Plan{}, err
		}
		d, err := duration(kind, path)
		if err != nil {
			return Plan{}, cli.Usagef("statnet demo --help", "--%s %s: %v", flagOf[kind], file, err)
		}
		if d <= 0 {
			return Plan{}, cli.Usagef("statnet demo --help", "--%s %s: holds no heartbeats, e.g. a file with the lines time_ms,rr_ms and 800,800", flagOf[kind], file)
		}
		longest = max(longest, d)
		patient := fmt.Sprintf("p-%04d", i+1)
		sources[patient] = config.Source{Kind: kind, File: path, Signal: signal}
		spec.PatientsOf[i%gateways] = append(spec.PatientsOf[i%gateways], patient)
	}
	to := floor(now.Add(-settle))
	from := floor(to.Add(-longest - grain + 1))
	if n := int64(to.Sub(from) / grain); n > stat.MaxEpochs {
		return Plan{}, cli.Usagef("statnet demo --help", "--%s: %v of heartbeats are more than one question may cover", flagOf[kind], longest)
	}
	spec.Sources = func(_ int, patient string) []config.Source {
		s := sources[patient]
		s.Start = from
		return []config.Source{s}
	}
	return Plan{Spec: spec, From: from, To: to, Says: fmt.Sprintf("%d recordings on %d gateways", len(files), gateways)}, nil
}

var flagOf = map[string]string{config.SourceWFDB: "record", config.SourceRR: "rr"}

func figure() provision.Spec {
	return provision.Spec{Name: "demo.example", Servers: figureServers, Verifiers: figureVerifiers}
}

// grain is the length of an epoch.
const grain = record.WindowGrain * time.Second

func floor(t time.Time) time.Time { return t.UTC().Truncate(grain) }

// duration is how much time a file's heartbeats cover.
func duration(kind, path string) (time.Duration, error) {
	if kind == config.SourceRR {
		beats, last := 0, int64(0)
		err := wfdb.RRBeats(path, 0, func(b ecg.Beat) error { beats++; last = b.At; return nil })
		if beats == 0 {
			return 0, err
		}
		return time.Duration(last)*time.Microsecond + time.Millisecond, err
	}
	r, err := wfdb.Open(path)
	if err != nil {
		return 0, err
	}
	return time.Duration(r.Samples) * time.Second * 1000 / time.Duration(r.RateMilliHz), nil
}
