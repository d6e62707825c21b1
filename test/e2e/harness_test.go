//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "statnet-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "statnet")
		build := exec.Command("go", "build", "-o", binary, "statnet")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// run executes statnet and returns what a script would see.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("statnet %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// answer is the part of a query's JSON that these tests look at.
type answer struct {
	Schema string          `json:"schema"`
	Value  json.RawMessage `json:"value"`
	Beats  json.RawMessage `json:"beats"`
	Sums   map[string]any  `json:"sums"`
	Also   []struct {
		Label string  `json:"label"`
		Value float64 `json:"value"`
	} `json:"also"`
	Providers struct {
		Asked, Included int
		Excluded        []struct{ ID, Reason string }
	} `json:"providers"`
	Verification struct{ Status, Proofs string } `json:"verification"`
}

func parse(t *testing.T, stdout string) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal([]byte(stdout), &a); err != nil {
		t.Fatalf("output is not JSON: %v\n%s", err, stdout)
	}
	if a.Schema != "statnet.query.v1" || a.Verification.Proofs != "none" || a.Verification.Status != "checked" {
		t.Errorf("schema, proofs, status = %q, %q, %q", a.Schema, a.Verification.Proofs, a.Verification.Status)
	}
	return a
}

func (a answer) sum(t *testing.T, name string) int64 {
	t.Helper()
	v, ok := a.Sums[name].(float64)
	if !ok {
		t.Fatalf("sums have no %q: %v", name, a.Sums)
	}
	return int64(v)
}

// cluster is a deployed cluster, one process per node.
type cluster struct {
	t     *testing.T
	dir   string
	nodes map[string]*exec.Cmd
}

// deploy writes a cluster with `statnet init` on ports that are free now.
func deploy(t *testing.T, args ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: filepath.Join(t.TempDir(), "ward"), nodes: map[string]*exec.Cmd{}}
	t.Cleanup(c.stop)
	args = append([]string{"init", c.dir, "--base-port", fmt.Sprint(freeBase(t))}, args...)
	if out, errs, code := run(t, args...); code != 0 {
		t.Fatalf("init = %d\n%s%s", code, out, errs)
	}
	return c
}

// freeBase finds a range of ports that init can use: servers, verifiers and raft
// take base+1.., base+101.., base+201...
func freeBase(t *testing.T) int {
	t.Helper()
	for base := 20000; base < 60000; base += 307 {
		ok := true
		for _, offset := range []int{1, 2, 3, 101, 102, 103, 104, 201, 202, 203, 204} {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+offset))
			if err != nil {
				ok = false
				break
			}
			l.Close()
		}
		if ok {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func (c *cluster) file(node string) string { return filepath.Join(c.dir, node, "node.yaml") }
func (c *cluster) log(node string) string  { return filepath.Join(c.dir, node+".log") }

// start runs nodes and waits until each says that it is ready (sd_notify).
func (c *cluster) start(nodes ...string) {
	c.t.Helper()
	done := make(chan error, len(nodes))
	for _, n := range nodes {
		ready := c.spawn(n)
		go func() { done <- ready() }()
	}
	for range nodes {
		if err := <-done; err != nil {
			c.t.Fatal(err)
		}
	}
}

func role(node string) string {
	switch node[0] {
	case 'v':
		return "verifier"
	case 's':
		return "server"
	}
	return "gateway"
}

func (c *cluster) spawn(node string) (ready func() error) {
	c.t.Helper()
	sockets, err := os.MkdirTemp("", "sn")
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(sockets, "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		c.t.Fatal(err)
	}
	log, err := os.OpenFile(c.log(node), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(binary, role(node), "--config", c.file(node), "--log-level", "debug")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	log.Close()
	c.nodes[node] = cmd
	return func() error {
		defer os.RemoveAll(sockets)
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			return err
		}
		buf := make([]byte, 256)
		n, err := conn.Read(buf)
		if err != nil || !strings.Contains(string(buf[:n]), "READY=1") {
			text, _ := os.ReadFile(c.log(node))
			return fmt.Errorf("%s is not ready: %v\n%s", node, err, text)
		}
		return nil
	}
}

// kill ends a node as a power cut would.
func (c *cluster) kill(nodes ...string) {
	c.t.Helper()
	for _, n := range nodes {
		if err := c.nodes[n].Process.Kill(); err != nil {
			c.t.Fatal(err)
		}
		_ = c.nodes[n].Wait()
		delete(c.nodes, n)
	}
}

func (c *cluster) stop() {
	for _, cmd := range c.nodes {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	for n, cmd := range c.nodes {
		timer := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		if !timer.Stop() {
			c.t.Errorf("%s did not leave within 15 s of SIGTERM", n)
		}
	}
	c.nodes = map[string]*exec.Cmd{}
}

// query asks as the default doctor.
func (c *cluster) query(args ...string) (stdout, stderr string, code int) {
	c.t.Helper()
	return run(c.t, append([]string{"query", "--config", c.file("dr-a"), "--output", "json", "--timeout", "15s"}, args...)...)
}
