package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"statnet/crypto/pki"
)

// Timeouts bound calls whose caller set no earlier deadline. Zero takes the default.
type Timeouts struct {
	Submit time.Duration // Submit, Forward, Run, Distribute; default 2 s
	Ready  time.Duration // Ready, ClaimTime, PushNote; default 1 s
	Call   time.Duration // every other call with one answer; default 5 s
	Blob   time.Duration // PutBlob, GetBlob; default 60 s
}

func (t Timeouts) withDefaults() Timeouts {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&t.Submit, 2*time.Second)
	set(&t.Ready, time.Second)
	set(&t.Call, 5*time.Second)
	set(&t.Blob, time.Minute)
	return t
}

// Keepalive is how a silent connection is found dead: a ping after Time
// without traffic, and Timeout for its answer. Zero takes 20 s and 5 s. gRPC
// raises a client's Time to at least 10 s, a server's to at least 1 s.
type Keepalive struct {
	Time, Timeout time.Duration
}

func (k Keepalive) withDefaults() Keepalive {
	if k.Time == 0 {
		k.Time = 20 * time.Second
	}
	if k.Timeout == 0 {
		k.Timeout = 5 * time.Second
	}
	return k
}

// DialerConfig says who dials whom. Set before NewDialer, read only afterwards.
type DialerConfig struct {
	Credentials pki.Credentials
	Addresses   map[string]string // path ("verifier/v1") -> host:port
	Timeouts    Timeouts
	Keepalive   Keepalive
	Log         *slog.Logger // nil discards
	// Dial replaces the TCP dialler, for tests that put a proxy between.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Dialer holds one connection per node, opened when it is first used and
// opened again when it breaks. Safe for concurrent use.
type Dialer struct {
	cfg DialerConfig

	mu     sync.Mutex
	conns  map[string]*grpc.ClientConn // by path; guarded by mu
	closed bool                        // guarded by mu
}

// NewDialer connects to nothing yet.
func NewDialer(cfg DialerConfig) *Dialer {
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	cfg.Keepalive = cfg.Keepalive.withDefaults()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Dialer{cfg: cfg, conns: map[string]*grpc.ClientConn{}}
}

// Verifier returns the client of a verifier by id, "v1". One that is not in
// Addresses gives a client whose every call says so.
func (d *Dialer) Verifier(id string) *VerifierClient {
	return &VerifierClient{d.node(pki.RoleVerifier + "/" + id)}
}

// Server returns the client of a server by id, "s1", as Verifier does.
func (d *Dialer) Server(id string) *ServerClient {
	return &ServerClient{d.node(pki.RoleServer + "/" + id)}
}

// Close breaks every connection; calls in progress end as unavailable.
func (d *Dialer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	var errs []error
	for path, conn := range d.conns {
		errs = append(errs, conn.Close())
		delete(d.conns, path)
	}
	return errors.Join(errs...)
}

// conn returns the connection to path, made on first use.
func (d *Dialer) conn(path string) (*grpc.ClientConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if conn := d.conns[path]; conn != nil {
		return conn, nil
	}
	if d.closed {
		return nil, NewError(CodeUnavailable, "dialer is closed")
	}
	conn, err := newClientConn(d.cfg, path)
	if err != nil {
		return nil, err
	}
	d.conns[path] = conn
	return conn, nil
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// newClientConn makes a lazy connection to the node at path.
func newClientConn(cfg DialerConfig, path string) (*grpc.ClientConn, error) {
	address, ok := cfg.Addresses[path]
	if !ok {
		return nil, NewError(CodeNotFound, "no address of %s in the cluster file", path)
	}
	want, err := pki.ParsePath(cfg.Credentials.Identity.Cluster, path)
	if err != nil {
		return nil, NewError(CodeNotFound, "%v", err)
	}
	creds := credentials.NewTLS(pki.ClientConfig(cfg.Credentials, pki.ProtocolGRPC, want))
	dial := cfg.Dial
	if dial == nil {
		dial = dialTCP
	}
	// passthrough: the dialler resolves names, and no DNS record can hand us a
	// service configuration.
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(loggedCredentials{creds, cfg.Log.With("peer", path)}),
		grpc.WithContextDialer(dial),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: cfg.Keepalive.Time, Timeout: cfg.Keepalive.Timeout, PermitWithoutStream: true,
		}),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("dial %s at %s: %w", path, address, err)
	}
	return conn, nil
}

// node is the part that the clients of all roles share.
type node struct {
	d    *Dialer
	path string
}

func (d *Dialer) node(path string) node { return node{d, path} }

// Path is the node this client talks to.
func (n node) Path() string { return n.path }
