package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"statnet/crypto/pki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testCluster = "ward.example"

var testCA = sync.OnceValue(func() *pki.CA {
	ca, err := pki.NewCA(testCluster, time.Now())
	if err != nil {
		panic(err)
	}
	return ca
})

// credentialsOf issues a certificate for path ("server/s1").
func credentialsOf(t testing.TB, path string) pki.Credentials {
	t.Helper()
	id, err := pki.ParsePath(testCluster, path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewTLSKey()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := testCA().Issue(id, key.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var certs [][]byte
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		certs = append(certs, block.Bytes)
	}
	leaf, err := x509.ParseCertificate(certs[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(testCA().RootPEM()) {
		t.Fatal("no root")
	}
	return pki.Credentials{
		Identity: id, Roots: roots,
		Certificate: tls.Certificate{Certificate: certs, PrivateKey: key, Leaf: leaf},
	}
}

func everyone(string) bool { return true }

// fakeNode is a handler of every service; nil functions answer with zero values.
type fakeNode struct {
	submit  func(ctx context.Context, leaf []byte) (uint64, error)
	entries [][]byte
	wait    func(ctx context.Context, size uint64) (uint64, error)
	run     func(ctx context.Context, ticket, key []byte) error
	deal    func(ctx context.Context, epoch uint64, set uint16, seed []byte) error

	mu    sync.Mutex
	blobs map[string][]byte // by digest; guarded by mu
	calls []string          // what was called by whom; guarded by mu
}

func (n *fakeNode) note(ctx context.Context, what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, what+" by "+PeerFrom(ctx).Path())
}

func (n *fakeNode) called() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.calls...)
}

func (n *fakeNode) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	n.note(ctx, "submit")
	if n.submit != nil {
		return n.submit(ctx, leaf)
	}
	return uint64(len(leaf)), nil
}
func (n *fakeNode) Checkpoint(context.Context) ([]byte, error) { return []byte("note"), nil }
func (n *fakeNode) Ticket(_ context.Context, id []byte) ([]byte, error) {
	return append([]byte("ticket of "), id...), nil
}
func (n *fakeNode) Entries(_ context.Context, from uint64, max int) ([][]byte, error) {
	if from > uint64(len(n.entries)) {
		return nil, NewError(CodeNotFound, "log ends at %d", len(n.entries))
	}
	rest := n.entries[from:]
	return rest[:min(len(rest), max)], nil
}
func (n *fakeNode) Proof(_ context.Context, index, size uint64) ([][]byte, error) {
	return [][]byte{make([]byte, 32)}, nil
}
func (n *fakeNode) Consistency(_ context.Context, from, to uint64) ([][]byte, error) {
	return [][]byte{make([]byte, 32), make([]byte, 32)}, nil
}
func (n *fakeNode) Wait(ctx context.Context, size uint64) (uint64, error) {
	if n.wait != nil {
		return n.wait(ctx, size)
	}
	return size + 1, nil
}
func (n *fakeNode) PutBlob(ctx context.Context, digest, data []byte) error {
	n.note(ctx, "put")
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.blobs == nil {
		n.blobs = map[string][]byte{}
	}
	n.blobs[string(digest)] = data
	return nil
}
func (n *fakeNode) GetBlob(_ context.Context, digest []byte) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if b, ok := n.blobs[string(digest)]; ok {
		return b, nil
	}
	return nil, NewError(CodeNotFound, "no such blob")
}
func (n *fakeNode) HasBlob(_ context.Context, digest []byte) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.blobs[string(digest)]
	return ok, nil
}
func (n *fakeNode) Forward(ctx context.Context, leaf []byte) (uint64, error) {
	n.note(ctx, "forward")
	return uint64(len(leaf)), nil
}
func (n *fakeNode) AcceptNote(ctx context.Context, note []byte) error {
	n.note(ctx, "note "+string(note))
	return nil
}
func (n *fakeNode) ClaimTime(_ context.Context, cut uint64) ([]byte, error) {
	return []byte{byte(cut)}, nil
}
func (n *fakeNode) Distribute(ctx context.Context, ticket, key []byte) error {
	n.note(ctx, "distribute")
	return nil
}
func (n *fakeNode) Ready(ctx context.Context, id []byte) error { n.note(ctx, "ready"); return nil }
func (n *fakeNode) Deal(ctx context.Context, epoch uint64, set uint16, seed []byte) error {
	n.note(ctx, "deal")
	if n.deal != nil {
		return n.deal(ctx, epoch, set, seed)
	}
	return nil
}
func (n *fakeNode) Run(ctx context.Context, ticket, key []byte) error {
	n.note(ctx, "run")
	if n.run != nil {
		return n.run(ctx, ticket, key)
	}
	return nil
}

// testServer is a Server on loopback.
type testServer struct {
	*Server
	path, address string
	stop          func() // cancels Serve and waits for it
}

// startServer serves every service of node, and hub if it is not nil, as path.
func startServer(t testing.TB, path string, node *fakeNode, hub *LinkHub, known func(string) bool, opts ...ServerOption) *testServer {
	t.Helper()
	s := newTestServer(t, path, node, hub, known, opts...)
	return serve(t, path, s, listen(t))
}

func newTestServer(t testing.TB, path string, node *fakeNode, hub *LinkHub, known func(string) bool, opts ...ServerOption) *Server {
	t.Helper()
	s := NewServer(credentialsOf(t, path), nil, known, opts...)
	s.RegisterLedger(node)
	s.RegisterBlobs(node, 8<<20)
	s.RegisterPeer(node)
	s.RegisterServer(node)
	s.RegisterQuery(node)
	s.RegisterStatus(func(context.Context) (NodeStatus, error) {
		return NodeStatus{Path: path, Health: "ok\x1b[2J", LedgerSize: 7, Attached: []string{"gw-1"}, Detail: map[string]string{"k": "v"}}, nil
	})
	if hub == nil {
		hub = NewLinkHub(HubConfig{})
	}
	s.RegisterLink(hub)
	return s
}

func serve(t testing.TB, path string, s *Server, lis net.Listener) *testServer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, lis) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Serve = %v, want nil", err)
			}
		})
	}
	t.Cleanup(stop)
	return &testServer{Server: s, path: path, address: lis.Addr().String(), stop: stop}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return lis
}

// dialAs returns a dialer of the node at path that reaches servers.
func dialAs(t testing.TB, path string, servers ...*testServer) *Dialer {
	t.Helper()
	addresses := map[string]string{}
	for _, s := range servers {
		addresses[s.path] = s.address
	}
	// Generous, so that a busy machine does not fail a test; deadlines have their own test.
	d := NewDialer(DialerConfig{
		Credentials: credentialsOf(t, path), Addresses: addresses,
		Timeouts: Timeouts{Submit: 20 * time.Second, Ready: 20 * time.Second, Call: 20 * time.Second},
	})
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
	})
	return d
}

// connTo is the raw connection beneath a client, for messages it would not send.
func connTo(t testing.TB, d *Dialer, path string) *grpc.ClientConn {
	t.Helper()
	conn, err := d.conn(path)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// eventually waits for a condition, at most 20 s.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited 20 s for: %s", what)
		}
	}
}

// proxy forwards TCP to target, until it is told to misbehave.
type proxy struct {
	net.Listener
	target string
	work   sync.WaitGroup
	over   chan struct{} // closed when the test ends

	mu    sync.Mutex
	hole  bool       // swallow everything; guarded by mu
	cutAt int64      // upstream bytes of the next connection after which it is cut; 0: never; guarded by mu
	conns []net.Conn // guarded by mu
}

func startProxy(t testing.TB, target string) *proxy {
	p := &proxy{Listener: listen(t), target: target, over: make(chan struct{})}
	p.work.Go(func() {
		for {
			down, err := p.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.forward(down) })
		}
	})
	t.Cleanup(func() { close(p.over); p.Close(); p.cutAll(); p.work.Wait() })
	return p
}

func (p *proxy) forward(down net.Conn) {
	defer down.Close()
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer up.Close()
	p.mu.Lock()
	p.conns = append(p.conns, down, up)
	left := p.cutAt
	p.cutAt = 0
	p.mu.Unlock()
	var pair sync.WaitGroup
	pair.Go(func() { p.copy(up, down, left); up.Close(); down.Close() })
	pair.Go(func() { p.copy(down, up, 0); up.Close(); down.Close() })
	pair.Wait()
}

func (p *proxy) copy(dst io.Writer, src io.Reader, left int64) {
	limited := left > 0
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		p.mu.Lock()
		hole := p.hole
		p.mu.Unlock()
		if err != nil {
			if hole { // a close is swallowed like everything else
				<-p.over
			}
			return
		}
		if limited {
			if left -= int64(n); left <= 0 {
				return
			}
		}
		if hole {
			continue
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) setHole(on bool) { p.mu.Lock(); p.hole = on; p.mu.Unlock() }
func (p *proxy) cutNext(n int64) { p.mu.Lock(); p.cutAt = n; p.mu.Unlock() }
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func wantCode(t testing.TB, what string, err error, want string) {
	t.Helper()
	if got := Code(err); got != want || (err == nil) != (want == "") {
		t.Errorf("%s: %v (code %q), want code %q", what, err, got, want)
	}
}

var errPlain = errors.New("row 7 of patient p-0001 is 812 ms")

// relisten takes an address that a stopped server has just freed.
func relisten(t testing.TB, address string) net.Listener {
	t.Helper()
	var lis net.Listener
	eventually(t, "the address is free", func() bool {
		var err error
		lis, err = net.Listen("tcp", address)
		return err == nil
	})
	return lis
}
