package chain

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Limits of the raft port. A half frame would otherwise hold a goroutine for
// ever, and a thousand silent connections a thousand.
const (
	handshakeTimeout = 5 * time.Second
	maxHandshakes    = 64
	idleTimeout      = 30 * time.Second
)

// stream is raft's StreamLayer over the caller's listener and dialer. Handshakes
// run beside the accept loop, silent connections are closed, and close leaves
// none behind.
type stream struct {
	net.Listener
	dial func(ctx context.Context, addr string) (net.Conn, error)
	log  *slog.Logger

	ctx    context.Context // of the layer's life; cancels handshakes and dials
	cancel context.CancelFunc
	ready  chan net.Conn
	failed chan error
	work   sync.WaitGroup

	mu      sync.Mutex
	conns   map[*tracked]struct{}
	pending []net.Conn // in their handshake, oldest first
}

func newStream(l net.Listener, dial func(context.Context, string) (net.Conn, error), log *slog.Logger) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{Listener: l, dial: dial, log: log, ctx: ctx, cancel: cancel,
		ready: make(chan net.Conn), failed: make(chan error, 1), conns: map[*tracked]struct{}{}}
	s.work.Add(1)
	go s.acceptLoop()
	return s
}

func (s *stream) acceptLoop() {
	defer s.work.Done()
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			s.failed <- err
			return
		}
		s.begin(conn)
		s.work.Add(1)
		go func() {
			defer s.work.Done()
			defer s.end(conn)
			s.handshake(conn)
		}()
	}
}

// begin counts a connection in its handshake. When there are too many the oldest
// is closed, not the newest: silent ones would else keep every good peer out.
func (s *stream) begin(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, conn)
	if len(s.pending) > maxHandshakes {
		_ = s.pending[0].Close()
		s.pending = s.pending[1:]
	}
}

func (s *stream) end(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = slices.DeleteFunc(s.pending, func(c net.Conn) bool { return c == conn })
}

// handshake finishes TLS, if there is any, and hands the connection to Accept.
func (s *stream) handshake(conn net.Conn) {
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
	defer cancel()
	if h, ok := conn.(interface{ HandshakeContext(context.Context) error }); ok {
		if err := h.HandshakeContext(ctx); err != nil {
			s.log.Warn("raft connection refused", "remote", conn.RemoteAddr().String(), "error", err)
			_ = conn.Close()
			return
		}
	}
	t := s.track(conn, idleTimeout)
	select {
	case s.ready <- t:
	case <-s.ctx.Done():
		_ = t.Close()
	}
}

// Accept implements net.Listener.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.ready:
		return c, nil
	case err := <-s.failed:
		s.failed <- err // for the next caller
		return nil, err
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Dial implements raft.StreamLayer.
func (s *stream) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	conn, err := s.dial(ctx, string(addr))
	if err != nil {
		return nil, err
	}
	return s.track(conn, 0), nil // raft sets deadlines on what it dials
}

// Close stops accepting; closeAll ends the rest. Raft calls it first.
func (s *stream) Close() error {
	s.cancel()
	err := s.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// closeAll closes every connection and waits for the layer's goroutines.
func (s *stream) closeAll() {
	s.mu.Lock()
	conns := make([]*tracked, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	s.work.Wait()
}

func (s *stream) track(conn net.Conn, idle time.Duration) *tracked {
	t := &tracked{Conn: conn, layer: s, idle: idle}
	if idle > 0 {
		t.timer = time.AfterFunc(idle, func() { _ = conn.Close() })
	}
	s.mu.Lock()
	s.conns[t] = struct{}{}
	s.mu.Unlock()
	if s.ctx.Err() != nil { // closeAll may have passed already
		_ = t.Close()
	}
	return t
}

// tracked is a connection that closes itself after idle without a byte read. It
// uses a timer, not a deadline: nothing under chain reads a clock.
type tracked struct {
	net.Conn
	layer *stream
	idle  time.Duration
	timer *time.Timer // nil if idle is 0
}

// Read implements net.Conn.
func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if n > 0 && t.timer != nil {
		t.timer.Reset(t.idle)
	}
	return n, err
}

// Close implements net.Conn.
func (t *tracked) Close() error {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.layer.mu.Lock()
	delete(t.layer.conns, t)
	t.layer.mu.Unlock()
	return t.Conn.Close()
}
