// Package demo shows the whole system on one machine: it writes a cluster,
// starts every node as a process of its own, asks one question, and takes
// everything down again.
//
//	plan ─▶ provision ─▶ verifiers, servers, gateways ─▶ statnet query ─▶ result
//	                     (this binary, real TLS on loopback, real files)
//
// The nodes, the keys, the ledger and the encryption are the real ones; only
// the patients are not.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/provision"
)

// startTimeout bounds the start of the whole network: importing recordings is
// the long part.
const startTimeout = 3 * time.Minute

// Demo is one demonstration.
type Demo struct {
	Binary   string // this program
	Dir      string // where the cluster is written; absent or empty
	Plan     Plan
	LogLevel string
	Query    []string  // further arguments of `statnet query`
	Out      io.Writer // the result
	Err      io.Writer // what the query says
	Progress func(format string, args ...any)
}

// Run shows the demonstration and returns the exit code of its query. Every
// process it started has ended when it returns.
func (d *Demo) Run(ctx context.Context) (cli.Code, error) {
	spec := d.Plan.Spec
	addresses, err := freeAddresses(figureServers, figureVerifiers)
	if err != nil {
		return cli.Unexpected, err
	}
	spec.Addresses, spec.LogLevel = addresses, d.LogLevel
	written, err := provision.Write(d.Dir, spec)
	if err != nil {
		return cli.Unexpected, err
	}
	logs := filepath.Join(d.Dir, "logs")
	if err := os.Mkdir(logs, 0o700); err != nil {
		return cli.Unexpected, err
	}
	d.Progress("cluster written: %s", d.Plan.Says)
	// What the question's own command line gets wrong is said before a network
	// is started for it.
	if code, err := d.query(ctx, written, io.Discard, "--dry-run"); err != nil || code != cli.OK {
		return code, err
	}
	f := &fleet{binary: d.Binary, logDir: logs}
	defer f.stop()
	if err := d.startAll(ctx, f, written); err != nil {
		if ctx.Err() != nil {
			return cli.Interrupted, ctx.Err()
		}
		return cli.Unavailable, err
	}
	return d.ask(ctx, written)
}

// startAll starts every node at once: they find each other in any order. It
// returns when all are ready.
func (d *Demo) startAll(ctx context.Context, f *fleet, written *provision.Written) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var all errgroup.Group
	for _, role := range []string{config.RoleVerifier, config.RoleServer, config.RoleGateway} {
		nodes := written.Of(role)
		var eg errgroup.Group
		for _, n := range nodes {
			eg.Go(func() error { return f.start(ctx, n.ID, role, n.File) })
		}
		all.Go(func() error {
			if err := eg.Wait(); err != nil {
				return err
			}
			d.Progress("%s: %d ready", ready[role], len(nodes))
			return nil
		})
	}
	return all.Wait()
}

var ready = map[string]string{
	config.RoleVerifier: "verifiers, with a co-signed ledger",
	config.RoleServer:   "servers, with a collective key",
	config.RoleGateway:  "gateways, with their patients' heartbeats",
}

// ask runs `statnet query` as the doctor would.
func (d *Demo) ask(ctx context.Context, written *provision.Written) (cli.Code, error) {
	d.Progress("%s asks", written.Of(config.RoleQuerier)[0].ID)
	return d.query(ctx, written, d.Out)
}

// query runs `statnet query` with more arguments and returns its exit code.
func (d *Demo) query(ctx context.Context, written *provision.Written, out io.Writer, more ...string) (cli.Code, error) {
	args := append([]string{"query", "--config", written.Of(config.RoleQuerier)[0].File,
		"--from", d.Plan.From.Format(time.RFC3339), "--to", d.Plan.To.Format(time.RFC3339)}, d.Query...)
	cmd := exec.CommandContext(ctx, d.Binary, append(args, more...)...)
	cmd.Stdout, cmd.Stderr = out, d.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopGrace
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return cli.Interrupted, ctx.Err()
	case errors.As(err, &exit):
		return cli.Code(exit.ExitCode()), nil
	case err != nil:
		return cli.Unexpected, fmt.Errorf("run the query: %w", err)
	}
	return cli.OK, nil
}

// freeAddresses finds ports on loopback that nobody uses now. Another process
// may take one before our node does: then that node says so, and the
// demonstration fails with its words.
func freeAddresses(servers, verifiers int) (*provision.Addresses, error) {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			_ = l.Close()
		}
	}()
	take := func(n int) ([]string, error) {
		var out []string
		for range n {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			open = append(open, l)
			out = append(out, l.Addr().String())
		}
		return out, nil
	}
	a := &provision.Addresses{}
	var errs [3]error
	a.Servers, errs[0] = take(servers)
	a.Verifiers, errs[1] = take(verifiers)
	a.Raft, errs[2] = take(verifiers)
	return a, errors.Join(errs[:]...)
}
