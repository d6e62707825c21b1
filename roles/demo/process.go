package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a node may take to leave after SIGTERM.
const stopGrace = 15 * time.Second

// process is one node of the demonstration: this same binary, started as its
// role, its log in a file.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when the process has ended
	err  error         // set before done is closed
}

// fleet is the set of running nodes. Every process in it was started by it and
// is ended by it.
type fleet struct {
	binary string
	logDir string

	mu    sync.Mutex
	nodes []*process // guarded by mu
}

// start runs one node with its configuration file and returns when it has
// reported that it is ready, in the way systemd's Type=notify services do
// (sd_notify(3)): a datagram READY=1 on $NOTIFY_SOCKET.
func (f *fleet) start(ctx context.Context, name, role, config string) error {
	ready, err := listenNotify(name)
	if err != nil {
		return err
	}
	defer ready.Close()
	p, err := f.spawn(name, role, config, ready.path)
	if err != nil {
		return err
	}
	isReady := make(chan error, 1)
	go func() { isReady <- ready.wait() }()
	select {
	case err := <-isReady:
		return err
	case <-p.done:
		return fmt.Errorf("%s ended before it was ready (%v):\n%s", name, p.err, lastLines(p.log.Name(), 6))
	case <-ctx.Done():
		return fmt.Errorf("%s was not ready in time: %w; its last words:\n%s", name, context.Cause(ctx), lastLines(p.log.Name(), 6))
	}
}

func (f *fleet) spawn(name, role, config, notify string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(f.logDir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the log of %s: %w", name, err)
	}
	cmd := exec.Command(f.binary, role, "--config", config)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+notify)
	cmd.Stdout, cmd.Stderr = log, log
	// Ctrl-C goes to the whole foreground process group: the nodes must not
	// leave before the demonstration has said why.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	p := &process{name: name, cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	f.mu.Lock()
	f.nodes = append(f.nodes, p)
	f.mu.Unlock()
	return p, nil
}

// stop ends every node: SIGTERM to all at once, then SIGKILL to those that are
// still there after stopGrace.
func (f *fleet) stop() {
	f.mu.Lock()
	nodes := f.nodes
	f.nodes = nil
	f.mu.Unlock()
	for _, p := range nodes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	deadline := time.After(stopGrace)
	for _, p := range nodes {
		select {
		case <-p.done:
		case <-deadline:
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		_ = p.log.Close()
	}
}

// notifySocket receives one node's readiness.
type notifySocket struct {
	path string
	conn *net.UnixConn
}

// listenNotify makes the socket in a directory of its own directly below the
// system's temporary one, as a socket's path may not exceed 108 bytes.
func listenNotify(name string) (*notifySocket, error) {
	dir, err := os.MkdirTemp("", "statnet-")
	if err != nil {
		return nil, fmt.Errorf("make a socket for %s: %w", name, err)
	}
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a socket for %s: %w", name, err), os.RemoveAll(dir))
	}
	return &notifySocket{path: path, conn: conn}, nil
}

// wait returns nil when READY=1 has arrived, an error when the socket was
// closed first.
func (n *notifySocket) wait() error {
	buf := make([]byte, 4096)
	for {
		k, err := n.conn.Read(buf)
		if err != nil {
			return fmt.Errorf("wait for readiness: %w", err)
		}
		for _, line := range strings.Split(string(buf[:k]), "\n") {
			if line == "READY=1" {
				return nil
			}
		}
	}
}

func (n *notifySocket) Close() error {
	return errors.Join(n.conn.Close(), os.RemoveAll(filepath.Dir(n.path)))
}

// lastLines returns the end of a log file, for an error message.
func lastLines(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    " + strings.Join(lines, "\n    ")
}
