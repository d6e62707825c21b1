package status

import (
	"strings"
	"testing"
)

// TestAilingNamesWhatToStart: the message names every node that is not ok, and
// what to start first.
func TestAilingNamesWhatToStart(t *testing.T) {
	c := &Cluster{Nodes: []Node{
		{Path: "verifier/v1", Health: "ok"},
		{Path: "server/s2", Health: "unreachable"},
		{Path: "gateway/gw-2", Health: "unknown: s2 is unreachable"},
	}}
	if c.Healthy() {
		t.Error("Healthy with a server away")
	}
	if got, want := c.ailing(), "server/s2 unreachable, gateway/gw-2 unknown: s2 is unreachable"; got != want {
		t.Errorf("ailing = %q, want %q", got, want)
	}
	if got, want := c.remedy(), "statnet server --config s2/node.yaml"; !strings.Contains(got, want) {
		t.Errorf("remedy = %q, want %q in it", got, want)
	}
	all := &Cluster{Nodes: c.Nodes[:1]}
	if !all.Healthy() || all.ailing() != "" || all.remedy() != "" {
		t.Errorf("a whole cluster: %t, %q, %q", all.Healthy(), all.ailing(), all.remedy())
	}
}
