package provision

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/goccy/go-yaml"

	"statnet/config"
)

// The files are written by templates and not by a YAML encoder, because their
// readers are administrators: one line per node, and a comment where a value
// will be changed. readBack and checkNode hold them to what they mean.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"list": quoteAll,
	"at":   func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
	"text": quote,
}).Parse(`
{{- define "cluster" -}}
# cluster.yaml of {{.C.Name}}, written by statnet init on {{.Day}}.
# The same bytes on every node: their SHA-256 is in the ledger's first record, so
# after that a change here is a change of the cluster. "statnet help config"
# explains every key.
version: 1
name: {{text .C.Name}}
params: {{.C.Params}}
roots:
{{- range .C.Roots}}
  - {{.}}
{{- end}}

# {{.Promise}}
ledger: {fault_model: {{.C.Ledger.FaultModel}}, faulty: {{.C.Ledger.Faulty}}, quorum: {{.C.Ledger.Quorum}}}

# {{.C.Opening.Threshold}} of {{len .C.Servers}} servers together open a result; fewer learn nothing.
opening: {threshold: {{.C.Opening.Threshold}}}

verifiers:
{{- range .C.Verifiers}}
  - id: {{text .ID}}
    address: {{text .Address}}
    raft: {{text .Raft}}
    record_key: {{.RecordKey}}
    cosign_key: {{.CosignKey}}
    instance: {{.Instance}}
{{- end}}

servers: # the first one coordinates
{{- range .C.Servers}}
  - {id: {{text .ID}}, address: {{text .Address}}, record_key: {{.RecordKey}}}
{{- end}}

gateways:
{{- range .C.Gateways}}
  - {id: {{text .ID}}, server: {{text .Server}}, record_key: {{.RecordKey}}, patients: {{list .Patients}}}
{{- end}}

queriers:
{{- range .C.Queriers}}
  - {id: {{text .ID}}, record_key: {{.RecordKey}}}
{{- end}}

operators:
{{- range .C.Operators}}
  - {id: {{text .ID}}, record_key: {{.RecordKey}}}
{{- end}}
{{if .C.Cohorts}}
cohorts:
{{- range .C.Cohorts}}
  - {id: {{text .ID}}, patients: {{list .Patients}}}
{{- end}}
{{end}}
{{- if .C.Policy}}
# Who may ask what about whom. What is not listed is refused.
policy:
{{- range .C.Policy}}
  - querier: {{text .Querier}}
    statistics: {{list .Statistics}}
    signals: {{list .Signals}}
    {{- if .Cohorts}}
    cohorts: {{list .Cohorts}}
    {{- end}}
    {{- if .Patients}}
    patients: {{list .Patients}}
    {{- end}}
    min_cohort: {{.MinCohort}}
    purpose: {{.Purpose}}
{{- end}}
{{end}}
{{- end}}

{{- define "node" -}}
# NODE.yaml of {{.Role}}/{{.ID}}. Paths are relative to this file's directory. A flag
# wins over an environment variable (STATNET_DATA_DIR for data_dir), which wins
# over this file. "statnet help config" explains every key.
version: 1
role: {{.Role}}
id: {{text .ID}}
cluster: {{text .Cluster}}
genesis: {{text .Genesis}}
data_dir: {{text .DataDir}}
{{- if .Listen}}
listen: {{text .Listen}}
{{- end}}
{{- if .RaftListen}}
raft_listen: {{text .RaftListen}} # for the other verifiers only
{{- end}}
log: {level: {{.Log.Level}}, format: {{.Log.Format}}}
keys:
  root: {{text .Keys.Root}}
  certificate: {{text .Keys.Certificate}}
  tls_key_file: {{text .Keys.TLSKeyFile}}
  record_key_file: {{text .Keys.RecordKeyFile}}
{{- if .Keys.CosignKeyFile}}
  cosign_key_file: {{text .Keys.CosignKeyFile}}
{{- end}}
{{- if eq .Role "gateway"}}
flush_interval: {{.FlushInterval}} # a power cut loses at most this much
{{- end}}
{{- if .Patches}}
patches: # where each patient's heartbeats come from
{{- range .Patches}}
  - id: {{text .ID}}
    patient: {{text .Patient}}
    source: {{template "source" .Source}}
{{- end}}
{{- end}}
{{end}}

{{- define "source" -}}
{kind: {{.Kind}}
{{- if .File}}, file: {{text .File}}{{end}}
{{- if .Signal}}, signal: {{.Signal}}{{end}}
{{- if not .Start.IsZero}}, start: {{at .Start}}{{end}}
{{- if .RateHz}}, rate_hz: {{.RateHz}}{{end}}
{{- if .Rhythm}}, rhythm: {{text .Rhythm}}{{end}}
{{- if .Seed}}, seed: {{.Seed}}{{end}}
{{- if .History}}, history: {{.History}}{{end}}
{{- if .Live}}, live: {{.Live}}{{end}}}
{{- end}}`))

func clusterYAML(c *config.Cluster, now time.Time) []byte {
	promise := "Up to " + fmt.Sprint(c.F()) + " of " + fmt.Sprint(c.N()) + " verifiers may lie; " + fmt.Sprint(c.Q()) + " signatures make a checkpoint."
	switch c.Mode() {
	case config.ModeNotLive:
		promise += " One silent verifier stops queries."
	case config.ModeCrashOnly:
		promise = config.CrashOnlyWarning
	}
	return render("cluster", map[string]any{"C": c, "Day": now.Format(time.DateOnly), "Promise": promise})
}

func nodeYAML(n *config.Node) []byte { return render("node", n) }

func render(name string, data any) []byte {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // our own template over our own struct; every test runs it
	}
	return b.Bytes()
}

// word is text that needs no quotes even inside braces, if YAML does not read it
// as something else.
var word = regexp.MustCompile(`^[A-Za-z0-9./][A-Za-z0-9./_-]*$`)

// quote writes text so that YAML reads it as exactly that text: true and 123
// are good names of patients, but not good YAML.
func quote(s string) string {
	plain, err := yaml.Marshal(s)
	if err == nil && word.MatchString(s) && strings.TrimSpace(string(plain)) == s {
		return s
	}
	return strconv.Quote(s)
}

func quoteAll(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quote(w)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
