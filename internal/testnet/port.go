package testnet

import (
	"net"
	"sync"
)

// port is an address on loopback that stays taken for as long as the network
// lives, so that no other program can take it between a stop and a restart. A
// node that runs holds a lease of it. While nobody does, connections are cut, as
// on a machine whose process is gone; before the first lease they wait.
type port struct {
	listener net.Listener
	leased   chan struct{} // closed by the first lease
	once     sync.Once
	work     sync.WaitGroup

	mu      sync.Mutex
	current *lease // guarded by mu
}

func newPort() (*port, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &port{listener: l, leased: make(chan struct{})}
	p.work.Go(p.accept)
	return p, nil
}

func (p *port) address() string { return p.listener.Addr().String() }

func (p *port) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		<-p.leased
		p.mu.Lock()
		l := p.current
		p.mu.Unlock()
		if l == nil {
			cut(conn)
			continue
		}
		select {
		case l.conns <- conn:
		case <-l.done:
			cut(conn)
		}
	}
}

// cut closes a connection so that its other end hears of it at once.
func cut(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// lease hands the port to a node until the node closes it.
func (p *port) lease() net.Listener {
	l := &lease{port: p, conns: make(chan net.Conn), done: make(chan struct{})}
	p.mu.Lock()
	p.current = l
	p.mu.Unlock()
	p.once.Do(func() { close(p.leased) })
	return l
}

// close gives the address back and ends the accept loop.
func (p *port) close() error {
	p.once.Do(func() { close(p.leased) })
	err := p.listener.Close()
	p.work.Wait()
	return err
}

// lease is a net.Listener over a port.
type lease struct {
	port  *port
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Accept implements net.Listener.
func (l *lease) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The address stays taken.
func (l *lease) Close() error {
	l.once.Do(func() {
		l.port.mu.Lock()
		if l.port.current == l {
			l.port.current = nil
		}
		l.port.mu.Unlock()
		close(l.done)
	})
	return nil
}

// Addr implements net.Listener.
func (l *lease) Addr() net.Addr { return l.port.listener.Addr() }
