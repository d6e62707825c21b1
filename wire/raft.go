package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"statnet/crypto/pki"
)

// Limits on connections to the raft port.
const (
	raftHandshake  = 5 * time.Second
	raftHandshakes = 64 // at once; one more ends the oldest
	raftIdle       = 30 * time.Second
)

// ListenRaft wraps lis into a listener whose connections are those of
// verifiers of the same cluster, handshake done. A connection on which nothing
// arrives for 30 s ends, so that half a frame holds no goroutine for ever;
// Close ends the open ones too.
//
// It does not bind raft's own server id to the certificate: any verifier of
// the roster may speak for any.
func ListenRaft(lis net.Listener, creds pki.Credentials, known func(path string) bool, log *slog.Logger) net.Listener {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &raftListener{
		Listener: lis,
		config:   pki.ServerConfig(creds, pki.ProtocolRaft, []string{pki.RoleVerifier}, known),
		log:      log,
		idle:     raftIdle,
		ready:    make(chan net.Conn),
		done:     make(chan struct{}),
		open:     map[net.Conn]bool{},
	}
	l.workers.Go(l.accept)
	return l
}

type raftListener struct {
	net.Listener
	config  *tls.Config
	log     *slog.Logger
	idle    time.Duration
	ready   chan net.Conn // handshake done
	done    chan struct{} // closed once the listener accepts no more
	workers sync.WaitGroup

	mu      sync.Mutex
	err     error             // why accept ended; guarded by mu
	closed  bool              // guarded by mu
	open    map[net.Conn]bool // every connection, to close; guarded by mu
	pending []net.Conn        // in handshake, oldest first; guarded by mu
}

func (l *raftListener) accept() {
	defer close(l.done)
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				continue
			}
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			return
		}
		if l.track(conn) {
			l.workers.Go(func() { l.handshake(conn) })
		}
	}
}

// track notes a new connection. Too many in handshake: the oldest goes, since
// an honest peer needs milliseconds and a silent one would need all of its 5 s.
func (l *raftListener) track(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return false
	}
	if len(l.pending) >= raftHandshakes {
		l.pending[0].Close()
		l.pending = l.pending[1:]
	}
	l.pending = append(l.pending, conn)
	l.open[conn] = true
	return true
}

func (l *raftListener) forget(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
}

func (l *raftListener) handshake(conn net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), raftHandshake)
	defer cancel()
	t := tls.Server(conn, l.config)
	err := t.HandshakeContext(ctx)
	l.mu.Lock()
	l.pending = slices.DeleteFunc(l.pending, func(c net.Conn) bool { return c == conn })
	l.mu.Unlock()
	if err != nil {
		l.log.Warn("refuse raft connection", "remote", conn.RemoteAddr().String(), "err", cleanText(err.Error()))
		conn.Close()
		l.forget(conn)
		return
	}
	select {
	case l.ready <- &raftConn{t, l, conn}:
	case <-l.done:
		conn.Close()
		l.forget(conn)
	}
}

// Accept returns the next connection whose peer is a known verifier.
func (l *raftListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case <-l.done:
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, l.err
	}
}

// Close stops listening and ends every connection.
func (l *raftListener) Close() error {
	l.mu.Lock()
	l.closed = true
	err := l.Listener.Close()
	for conn := range l.open {
		conn.Close()
	}
	l.mu.Unlock()
	l.workers.Wait()
	return err
}

// raftConn ends when nothing arrives for a while.
type raftConn struct {
	*tls.Conn
	listener *raftListener
	raw      net.Conn
}

func (c *raftConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.listener.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *raftConn) Close() error {
	c.listener.forget(c.raw)
	return c.Conn.Close()
}

// DialRaft returns what package chain dials with. ids names the verifier
// behind each raft address ("127.0.0.1:7201" -> "v1"): who answers there must
// be that verifier.
func DialRaft(creds pki.Credentials, ids map[string]string) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		id, ok := ids[address]
		if !ok {
			return nil, fmt.Errorf("dial raft %s: no verifier has this address in the cluster file", address)
		}
		want := pki.Identity{Cluster: creds.Identity.Cluster, Role: pki.RoleVerifier, ID: id}
		d := tls.Dialer{Config: pki.ClientConfig(creds, pki.ProtocolRaft, want)}
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("dial raft %s (%s): %w", address, want.Path(), err)
		}
		return conn, nil
	}
}
