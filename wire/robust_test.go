package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"statnet/crypto/pki"
)

// goodCall asks as an honest peer and fails the test after 2 s.
func goodCall(t *testing.T, d *Dialer, path string) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := (&ServerClient{d.node(path)}).Status(ctx); err != nil {
		t.Errorf("honest peer: %v, want an answer", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("honest peer waited %v, want less than 2 s", took)
	}
}

// 1,000 connections that say nothing: little memory, and others are served.
func TestSilentConnections(t *testing.T) {
	const count = 1000
	s := startServer(t, "server/s1", &fakeNode{}, nil, everyone)
	before := memory()
	conns := make([]net.Conn, 0, count)
	for range count {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatalf("connection %d: %v", len(conns), err)
		}
		conns = append(conns, conn)
	}
	goodCall(t, dialAs(t, "querier/dr-a", s), s.path)
	if grown := memory() - before; grown > 64<<20 {
		t.Errorf("memory grew by %d bytes, want less than 64 MiB", grown)
	}
	for _, conn := range conns {
		conn.Close()
	}
}

// memory is what the heap and the goroutines' stacks hold.
func memory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// rawTLS connects as a certified peer that speaks HTTP/2 by hand.
func rawTLS(t *testing.T, path string, s *testServer) *tls.Conn {
	t.Helper()
	want, err := pki.ParsePath(testCluster, s.path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", s.address, pki.ClientConfig(credentialsOf(t, path), pki.ProtocolGRPC, want))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A certified peer that stops in the middle of a frame, or announces a message
// of 4 GiB, holds nobody up, neither while it stays nor when the server stops.
func TestHalfAFrame(t *testing.T) {
	header := []byte{0, 0, 200, 0, 0, 0, 0, 0, 1} // DATA of 200 bytes
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"nothing after the handshake", nil},
		{"half a preface", []byte(http2.ClientPreface[:10])},
		{"half a frame header", append([]byte(http2.ClientPreface), header[:4]...)},
		{"half a frame", append(append([]byte(http2.ClientPreface), 0, 0, 60, 4, 0, 0, 0, 0, 0), 1, 2, 3)},
		{"a frame of 16 MiB announced", append([]byte(http2.ClientPreface), 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1)},
	}
	s := startServer(t, "server/s1", &fakeNode{}, nil, everyone)
	d := dialAs(t, "querier/dr-a", s)
	before := allocated()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := rawTLS(t, "gateway/gw-1", s).Write(tt.bytes); err != nil {
				t.Fatal(err)
			}
			goodCall(t, d, s.path)
		})
	}
	if grown := allocated() - before; grown > 16<<20 {
		t.Errorf("%d bytes were allocated, want less than 16 MiB", grown)
	}
}

func TestMessageOf4GiBAnnounced(t *testing.T) {
	s := startServer(t, "verifier/v1", &fakeNode{}, nil, everyone)
	conn := rawTLS(t, "gateway/gw-1", s)
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, conn)
	// HPACK, literal without indexing: what a minimal gRPC request must have.
	var block bytes.Buffer
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", "/statnet.v1.LedgerService/Submit"},
		{":authority", "x"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		block.WriteByte(0)
		for _, part := range h {
			block.WriteByte(byte(len(part)))
			block.WriteString(part)
		}
	}
	err := framer.WriteSettings()
	if err == nil {
		err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	}
	if err == nil {
		err = framer.WriteData(1, false, []byte{0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3}) // gRPC: not compressed, 4 GiB - 1
	}
	if err != nil {
		t.Fatal(err)
	}
	before := allocated()
	if _, err := conn.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for answered := false; !answered; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("read the server's refusal: %v", err)
		}
		_, answered = frame.(*http2.HeadersFrame)
	}
	if grown := allocated() - before; grown > 8<<20 {
		t.Errorf("%d bytes were allocated, want less than 8 MiB", grown)
	}
}

// A network that swallows everything is noticed at both ends, by keepalive.
// gRPC pings a server's client after 1 s at the least and a client's server
// after 10 s, so the gateway's end takes longer.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	short := Keepalive{Time: time.Second, Timeout: 500 * time.Millisecond}
	hub := (&linkLog{}).hub()
	s := startServer(t, "server/s1", &fakeNode{}, hub, everyone, WithKeepalive(short))
	p := startProxy(t, s.address)
	g := startLink(t, "gw-1", p.Addr().String(), func(c *LinkConfig) { c.Keepalive = short; c.MinBackoff = time.Hour; c.MaxBackoff = time.Hour })
	g.attached(t)
	p.setHole(true)
	begin := time.Now()
	eventually(t, "the server notices", func() bool { return len(hub.Attached()) == 0 })
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("the server noticed after %v, want less than 6 s", took)
	}
	if testing.Short() {
		return
	}
	eventually(t, "the gateway notices", func() bool { return !g.Attached() })
	t.Logf("the gateway noticed after %v", time.Since(begin).Round(time.Millisecond))
}

func TestDefaultKeepalive(t *testing.T) {
	if got, want := (Keepalive{}).withDefaults(), (Keepalive{20 * time.Second, 5 * time.Second}); got != want {
		t.Errorf("default keepalive %v, want %v: a black hole must show within 26 s", got, want)
	}
}

// Behind a connection that died half-way, the gateway comes back by another.
func TestLinkReconnectsThroughTheProxy(t *testing.T) {
	log := &linkLog{}
	hub := log.hub()
	s := startServer(t, "server/s1", &fakeNode{}, hub, everyone)
	p := startProxy(t, s.address)
	g := startLink(t, "gw-1", p.Addr().String())
	g.attached(t)
	for range 3 {
		g.mu.Lock()
		before := g.session
		g.mu.Unlock()
		p.cutAll()
		<-before.done
		g.attached(t)
		eventually(t, "the server has the new stream", func() bool { return slices.Equal(hub.Attached(), []string{"gw-1"}) })
	}
}

// A server with 50 gateways that hold streams, one of them in an upload, and a
// verifier that watches, stops at once.
func TestStopWithFiftyGateways(t *testing.T) {
	log := &linkLog{}
	hub := log.hub()
	watching := make(chan struct{})
	node := &fakeNode{wait: func(ctx context.Context, _ uint64) (uint64, error) {
		close(watching)
		<-ctx.Done()
		return 0, ctx.Err()
	}}
	s := startServer(t, "server/s1", node, hub, everyone)
	slow := func(c *LinkConfig) { c.MinBackoff = time.Hour; c.MaxBackoff = time.Hour }
	for i := range 50 {
		startLink(t, fmt.Sprintf("gw-%d", i), s.address, slow)
	}
	eventually(t, "all gateways attach", func() bool { return len(hub.Attached()) == 50 })
	watched := make(chan error, 1)
	client := &VerifierClient{dialAs(t, "server/s2", s).node(s.path)}
	go func() { _, err := client.Wait(context.Background(), 1); watched <- err }()
	<-watching
	begin := time.Now()
	s.stop()
	t.Logf("stopped after %v", time.Since(begin).Round(time.Millisecond))
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stop took %v, want less than 5 s", took)
	}
	if n := len(hub.Attached()); n != 0 {
		t.Errorf("%d gateways are attached after the stop", n)
	}
	wantCode(t, "Watch over the stop", next(t, "the watch", watched), CodeUnavailable)
}

// A handler that ignores its context delays a stop by the grace and no more.
func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	var once sync.Once
	node := &fakeNode{submit: func(context.Context, []byte) (uint64, error) {
		once.Do(func() { close(entered) })
		<-release
		return 0, nil
	}}
	grace := func(o *serverOptions) { o.grace = 200 * time.Millisecond }
	s := startServer(t, "verifier/v1", node, nil, everyone, grace)
	d := dialAs(t, "querier/dr-a", s)
	result := make(chan error, 1)
	go func() { _, err := d.Verifier("v1").Submit(context.Background(), []byte("leaf")); result <- err }()
	<-entered
	begin := time.Now()
	s.stop()
	if took := time.Since(begin); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("stop took %v, want the grace of 200 ms and little more", took)
	}
	err := next(t, "the call", result)
	if wantCode(t, "the call", err, CodeUnavailable); !OutcomeUnknown(err) {
		t.Errorf("outcome of a call that was cut is known: %v", err)
	}
	close(release)
}

func TestRaftPort(t *testing.T) {
	known := func(path string) bool { return path != "verifier/v3" }
	lis := ListenRaft(listen(t), credentialsOf(t, "verifier/v1"), known)
	defer lis.Close()
	address := lis.Addr().String()
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // ends with the handshake's error or the peer
			})
		}
	})
	echo := func(conn net.Conn, err error) error {
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, make([]byte, 1))
		return err
	}
	ids := map[string]string{address: "v1"}
	ctx := context.Background()
	if err := echo(DialRaft(credentialsOf(t, "verifier/v2"), ids)(ctx, address)); err != nil {
		t.Errorf("a verifier: %v, want none", err)
	}
	for _, path := range []string{"server/s1", "gateway/gw-1", "querier/dr-a", "operator/op-1", "verifier/v3"} {
		if err := echo(DialRaft(credentialsOf(t, path), ids)(ctx, address)); err == nil {
			t.Errorf("%s may speak raft", path)
		}
	}
	if err := echo(DialRaft(credentialsOf(t, "verifier/v2"), map[string]string{address: "v4"})(ctx, address)); err == nil {
		t.Error("another verifier than the one dialled is taken for it")
	}
	if err := echo(DialRaft(credentialsOf(t, "verifier/v2"), nil)(ctx, address)); err == nil {
		t.Error("an address outside the cluster file is dialled")
	}
	grpcOnly := pki.ClientConfig(credentialsOf(t, "verifier/v2"), pki.ProtocolGRPC, pki.Identity{Cluster: testCluster, Role: "verifier", ID: "v1"})
	d := tls.Dialer{Config: grpcOnly}
	if err := echo(d.DialContext(ctx, "tcp", address)); err == nil {
		t.Error("a gRPC client may connect to the raft port")
	}
	lis.Close()
	served.Wait()
}
