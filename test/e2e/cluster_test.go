//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClusterOutlivesItsNodes walks through the losses that an operator meets,
// on one cluster of four verifiers, three servers and three gateways.
func TestClusterOutlivesItsNodes(t *testing.T) {
	c := deploy(t, "--gateways", "3", "--servers", "3", "--verifiers", "4", "--patients", "9")
	c.start("v1", "v2", "v3", "v4", "s1", "s2", "s3", "gw-1", "gw-2", "gw-3")
	ask := []string{"--stat", "variance", "--window", "24h"}

	receipt := filepath.Join(t.TempDir(), "receipt.tar")
	out, errs, code := c.query(append(ask, "--receipt", receipt)...)
	if code != 0 {
		t.Fatalf("query of a whole cluster = %d\n%s", code, errs)
	}
	all := parse(t, out)
	if all.Providers.Included != 3 || all.sum(t, "patients") != 9 {
		t.Errorf("included, patients = %d, %d, want 3, 9", all.Providers.Included, all.sum(t, "patients"))
	}
	checkReceipt(t, c, receipt)

	t.Run("one patient", func(t *testing.T) {
		out, errs, code := c.query("--stat", "mean", "--patient", "p-0001", "--window", "1h")
		if code != 0 {
			t.Fatalf("query = %d\n%s", code, errs)
		}
		if a := parse(t, out); a.Providers.Asked != 1 || a.sum(t, "patients") != 1 {
			t.Errorf("asked, patients = %d, %d, want 1, 1", a.Providers.Asked, a.sum(t, "patients"))
		}
	})
	t.Run("a querier without the right computes nothing", func(t *testing.T) {
		before := logged(t, c, "step=Q4")
		_, errs, code := c.query("--stat", "mean", "--window", "1h", "--purpose", "research")
		if code != 6 || !strings.Contains(errs, "refused by policy") {
			t.Errorf("query = %d, want 6\n%s", code, errs)
		}
		if after := logged(t, c, "step=Q4"); after != before {
			t.Errorf("gateways logged %d lines of Q4 for a refused question", after-before)
		}
	})
	t.Run("a gateway is killed", func(t *testing.T) {
		c.kill("gw-3")
		out, errs, code := c.query(ask...)
		if code != 3 || !strings.Contains(errs, "gw-3: no_answer") {
			t.Fatalf("query = %d, want 3 naming gw-3\n%s", code, errs)
		}
		a := parse(t, out)
		if a.Providers.Included != 2 || a.sum(t, "patients") != 6 {
			t.Errorf("included, patients = %d, %d, want 2, 6", a.Providers.Included, a.sum(t, "patients"))
		}
		c.start("gw-3")
	})
	t.Run("a verifier is killed", func(t *testing.T) {
		c.kill("v1")
		if _, errs, code := c.query(ask...); code != 0 {
			t.Errorf("query = %d, want 0: three of four verifiers are a quorum\n%s", code, errs)
		}
	})
	t.Run("a second verifier is killed", func(t *testing.T) {
		c.kill("v2")
		out, errs, code := c.query(ask...)
		if code != 7 || out != "" || !strings.Contains(errs, "2 of 4 verifiers reachable, 3 must sign") {
			t.Errorf("query = %d, want 7 and nothing printed\n%s%s", code, out, errs)
		}
		c.start("v1", "v2")
	})
	t.Run("a server is killed", func(t *testing.T) {
		c.kill("s1") // the one that coordinates, and gw-1's home
		out, errs, code := c.query(ask...)
		if code != 3 || !strings.Contains(errs, "gw-1: no_answer") {
			t.Fatalf("query = %d, want 3 without gw-1\n%s", code, errs)
		}
		if a := parse(t, out); a.sum(t, "patients") != 6 {
			t.Errorf("patients = %d, want 6", a.sum(t, "patients"))
		}
	})
	t.Run("a second server is killed", func(t *testing.T) {
		c.kill("s2")
		out, errs, code := c.query(ask...)
		if code != 7 || out != "" || !strings.Contains(errs, "1 of 3 servers reachable, 2 must open") {
			t.Errorf("query = %d, want 7 and nothing printed\n%s%s", code, out, errs)
		}
		c.start("s1", "s2")
		if _, errs, code := c.query(ask...); code != 0 {
			t.Errorf("query after everybody is back = %d, want 0\n%s", code, errs)
		}
	})
	t.Run("status", func(t *testing.T) {
		out, errs, code := run(t, "status", "--config", c.file("dr-a"))
		if code != 0 || strings.Count(out, " ok ") != 10 {
			t.Errorf("status = %d\n%s%s", code, out, errs)
		}
	})
	t.Run("the ledger re-reads", func(t *testing.T) {
		out, errs, code := run(t, "ledger", "verify", "--config", c.file("op-1"))
		if code != 0 || !strings.HasSuffix(out, "OK\n") {
			t.Errorf("ledger verify = %d\n%s%s", code, out, errs)
		}
		out, _, code = run(t, "ledger", "log", "--config", c.file("op-1"), "--output", "csv")
		if code != 0 || strings.Count(out, ",CLOSE,") < 5 {
			t.Errorf("ledger log = %d\n%s", code, out)
		}
	})
}

// checkReceipt verifies a receipt offline, then with one byte changed.
func checkReceipt(t *testing.T, c *cluster, file string) {
	t.Helper()
	out, errs, code := run(t, "ledger", "verify", file, "--config", c.file("op-1"))
	if code != 0 || !strings.HasSuffix(out, "OK\n") || !strings.Contains(out, "NOT CHECKED: proofs") {
		t.Errorf("ledger verify = %d, want 0\n%s%s", code, out, errs)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	bad := file + ".bad"
	if err := os.WriteFile(bad, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code = run(t, "ledger", "verify", bad, "--config", c.file("op-1"))
	if code != 5 || strings.Contains(out, "OK\n") || !strings.Contains(errs, "VERIFICATION FAILED") {
		t.Errorf("ledger verify of a changed receipt = %d, want 5\n%s%s", code, out, errs)
	}
}

// logged counts the lines of all gateways' logs that contain text.
func logged(t *testing.T, c *cluster, text string) int {
	t.Helper()
	n := 0
	for _, gw := range []string{"gw-1", "gw-2", "gw-3"} {
		data, err := os.ReadFile(c.log(gw))
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(data), text)
	}
	return n
}
