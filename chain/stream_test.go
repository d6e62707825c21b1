package chain

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are made by hand.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error { close(p.closed); return nil }

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// shy is a connection whose handshake waits for the other side.
type shy struct {
	net.Conn
	done chan struct{}
}

// HandshakeContext is what tls.Conn has.
func (s shy) HandshakeContext(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func noDial(context.Context, string) (net.Conn, error) { return nil, errors.New("no dial") }

// TestSilentHandshake: a peer that says nothing does not keep the next one out,
// and is gone after 5 s.
func TestSilentHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := newStream(l, noDial, slog.New(slog.DiscardHandler))
		silent, far := net.Pipe()
		l.conns <- shy{silent, nil}
		good, other := net.Pipe()
		ready := make(chan struct{})
		close(ready)
		l.conns <- shy{good, ready}
		c, err := s.Accept()
		if err != nil || c.(*tracked).Conn.(shy).Conn != good {
			t.Fatalf("accept beside a silent peer: %v, %v", c, err)
		}
		start := time.Now()
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("silent peer: %v, want EOF", err)
		}
		if got := time.Since(start); got != handshakeTimeout {
			t.Errorf("silent peer was dropped after %s, want %s", got, handshakeTimeout)
		}
		_ = s.Close()
		s.closeAll()
		if _, err := other.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("connection after closing: %v, want EOF", err)
		}
	})
}

// TestIdle: half a frame holds nothing for ever, and a talking peer stays.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := newStream(l, noDial, slog.New(slog.DiscardHandler))
		near, far := net.Pipe()
		l.conns <- near
		c, err := s.Accept()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go func() {
			for range 3 {
				time.Sleep(idleTimeout - time.Second)
				_, _ = far.Write([]byte{1})
			}
		}()
		n, err := io.Copy(io.Discard, c)
		if n != 3 || err == nil {
			t.Errorf("read %d bytes, %v, want 3 and a closed connection", n, err)
		}
		if got, want := time.Since(start), 3*(idleTimeout-time.Second)+idleTimeout; got != want {
			t.Errorf("closed after %s, want %s", got, want)
		}
		_ = s.Close()
		s.closeAll()
	})
}

// TestTooManyHandshakes: the 65th connection in handshake closes the first.
func TestTooManyHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := newStream(l, noDial, slog.New(slog.DiscardHandler))
		var far []net.Conn
		for range maxHandshakes + 1 {
			a, b := net.Pipe()
			l.conns <- shy{a, nil}
			far = append(far, b)
		}
		synctest.Wait()
		start := time.Now()
		if _, err := far[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(start) != 0 {
			t.Errorf("oldest connection: %v after %s, want EOF at once", err, time.Since(start))
		}
		if _, err := far[maxHandshakes].Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(start) != handshakeTimeout {
			t.Errorf("newest connection: %v after %s, want its full %s", err, time.Since(start), handshakeTimeout)
		}
		_ = s.Close()
		s.closeAll()
		if _, err := s.Accept(); err == nil {
			t.Error("accept after close")
		}
	})
}
