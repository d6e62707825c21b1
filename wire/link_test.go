package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"statnet/wire/pb"
)

func queryID(n byte) []byte { return bytes.Repeat([]byte{n}, queryIDSize) }

// linkLog is a server's side that remembers what gateways sent.
type linkLog struct {
	mu      sync.Mutex
	uploads map[string][]byte // by gateway and query; guarded by mu
	times   int               // uploads, counted; guarded by mu
	failed  []string          // guarded by mu
	refused []string          // guarded by mu
	tasks   []Task            // for OnAttach; guarded by mu
}

func (l *linkLog) hub() *LinkHub {
	return NewLinkHub(HubConfig{
		MaxUpload: func(_ string, id []byte) int64 {
			if id[0] == 0xff {
				return 0
			}
			return 8 << 20
		},
		OnAttach: func(string, []byte) []Task { l.mu.Lock(); defer l.mu.Unlock(); return slices.Clone(l.tasks) },
		OnUpload: func(gateway string, id, data []byte) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.uploads == nil {
				l.uploads = map[string][]byte{}
			}
			l.uploads[fmt.Sprintf("%s %x", gateway, id[:1])] = data
			l.times++
		},
		OnFailed: func(gateway string, id []byte, code uint32, reason string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed = append(l.failed, fmt.Sprintf("%s %x %d %s", gateway, id[:1], code, reason))
		},
		OnRefused: func(gateway string, id []byte, err error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.refused = append(l.refused, fmt.Sprintf("%s %x %s", gateway, id[:1], Code(err)))
		},
		Checkpoint: func() []byte { return []byte("note of s1") },
	})
}

func (l *linkLog) got(gateway string, id byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.uploads[fmt.Sprintf("%s %02x", gateway, id)]
}

// gatewayEnd is a running Link and what came down it.
type gatewayEnd struct {
	*Link
	tasks     chan Task
	cancelled chan []byte
	stop      func()
}

func startLink(t testing.TB, id, address string, change ...func(*LinkConfig)) *gatewayEnd {
	t.Helper()
	g := &gatewayEnd{tasks: make(chan Task, 100), cancelled: make(chan []byte, 100)}
	cfg := LinkConfig{
		Credentials: credentialsOf(t, "gateway/"+id), Server: "s1", Address: address,
		MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		OnTask:   func(task Task) { g.tasks <- task },
		OnCancel: func(id []byte) { g.cancelled <- id },
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if g.Link, err = DialLink(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	var once sync.Once
	g.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		})
	}
	t.Cleanup(g.stop)
	return g
}

func (g *gatewayEnd) attached(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := g.WaitAttached(ctx); err != nil {
		t.Fatalf("WaitAttached: %v", err)
	}
}

func next[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case v := <-c:
		return v
	case <-limit.C:
		t.Fatalf("waited 20 s for: %s", what)
	}
	panic("unreachable")
}

func TestLinkCarriesTasksAndUploads(t *testing.T) {
	deadline := time.UnixMilli(1795000000123).UTC()
	log := &linkLog{tasks: []Task{{QueryID: queryID(1), Ticket: []byte("early"), Deadline: deadline}}}
	hub := log.hub()
	s := startServer(t, "server/s1", &fakeNode{}, hub, everyone)
	var note atomic.Value
	g := startLink(t, "gw-1", s.address, func(c *LinkConfig) { c.OnCheckpoint = func(n []byte) { note.Store(string(n)) } })
	g.attached(t)
	if got := hub.Attached(); !slices.Equal(got, []string{"gw-1"}) {
		t.Errorf("Attached = %q, want gw-1", got)
	}
	if got := note.Load(); got != "note of s1" {
		t.Errorf("checkpoint in Welcome = %q, want %q", got, "note of s1")
	}
	if got := next(t, "the task in Welcome", g.tasks); string(got.Ticket) != "early" || !got.Deadline.Equal(deadline) {
		t.Errorf("task = %+v, want the early one", got)
	}
	if err := hub.Send("gw-1", Task{QueryID: queryID(2), Ticket: []byte("late"), Deadline: deadline}); err != nil {
		t.Errorf("Send: %v", err)
	}
	if got := next(t, "the task sent", g.tasks); string(got.Ticket) != "late" || !bytes.Equal(got.QueryID, queryID(2)) {
		t.Errorf("task = %+v, want the late one", got)
	}
	for i, size := range []int{1, ChunkSize, ChunkSize + 1, 9*ChunkSize + 3, 8 << 20} {
		_, data := blobOf(size)
		if err := g.Upload(context.Background(), queryID(byte(i+1)), data); err != nil {
			t.Errorf("Upload of %d bytes: %v", size, err)
		}
		if got := log.got("gw-1", byte(i+1)); !bytes.Equal(got, data) {
			t.Errorf("server has %d bytes, want %d equal ones", len(got), size)
		}
	}
	if err := g.Failed(queryID(7), 2, "budget spent"); err != nil {
		t.Errorf("Failed: %v", err)
	}
	eventually(t, "the refusal", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return slices.Equal(log.failed, []string{"gw-1 07 2 budget spent"})
	})
	if err := hub.Send("gw-9", Task{QueryID: queryID(1), Ticket: []byte("t")}); !errors.Is(err, ErrNotAttached) {
		t.Errorf("Send to a gateway that is away: %v, want %v", err, ErrNotAttached)
	}
	if err := hub.Send("gw-1", Task{QueryID: queryID(1)}); Code(err) != CodeMalformed {
		t.Errorf("Send without a ticket: %v, want %s", err, CodeMalformed)
	}
	hub.Cancel(queryID(2))
	if got := next(t, "the cancel", g.cancelled); !bytes.Equal(got, queryID(2)) {
		t.Errorf("cancelled %x, want query 2", got)
	}
}

func TestUploadsRunInParallel(t *testing.T) {
	log := &linkLog{}
	s := startServer(t, "server/s1", &fakeNode{}, log.hub(), everyone)
	g := startLink(t, "gw-1", s.address)
	_, data := blobOf(5*ChunkSize + 1)
	var all sync.WaitGroup
	for i := range byte(maxUploads) {
		all.Go(func() {
			if err := g.Upload(context.Background(), queryID(i), data); err != nil {
				t.Errorf("Upload %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if log.times != maxUploads {
		t.Errorf("server has %d uploads, want %d", log.times, maxUploads)
	}
}

// The connection is cut after every few hundred KiB; the upload goes on where
// the server has it, and each cut costs at most the credit.
func TestUploadResumesAfterEveryCut(t *testing.T) {
	log := &linkLog{}
	s := startServer(t, "server/s1", &fakeNode{}, log.hub(), everyone)
	_, data := blobOf(8*ChunkSize + 5)
	for _, cut := range []int64{2 << 10, 10 << 10, ChunkSize / 2, ChunkSize + 9<<10, 3*ChunkSize + 1, 5 * ChunkSize, 8 * ChunkSize, 8*ChunkSize + 6<<10} {
		t.Run(fmt.Sprintf("first connection cut after %d bytes", cut), func(t *testing.T) {
			p := startProxy(t, s.address)
			p.cutNext(cut)
			g := startLink(t, "gw-1", p.Addr().String())
			if err := g.Upload(context.Background(), queryID(1), data); err != nil {
				t.Errorf("Upload: %v", err)
			}
			if got := log.got("gw-1", 1); !bytes.Equal(got, data) {
				t.Errorf("server has %d bytes, want %d equal ones", len(got), len(data))
			}
		})
	}
}

func TestRefusedUploadIsCancelledAndNamed(t *testing.T) {
	log := &linkLog{}
	s := startServer(t, "server/s1", &fakeNode{}, log.hub(), everyone)
	g := startLink(t, "gw-1", s.address)
	_, data := blobOf(ChunkSize*5 + 1)
	if err := g.Upload(context.Background(), queryID(0xff), data); !errors.Is(err, ErrCancelled) {
		t.Errorf("Upload of a query that is not open: %v, want %v", err, ErrCancelled)
	}
	eventually(t, "the refusal is named", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return len(log.refused) > 0 && log.refused[0] == "gw-1 ff "+CodeTooLarge
	})
	if err := g.Upload(context.Background(), queryID(1), data); err != nil {
		t.Errorf("the next upload on the same link: %v, want none", err)
	}
	wantCode(t, "Upload of nothing", g.Upload(context.Background(), queryID(1), nil), CodeMalformed)
	wantCode(t, "Upload for half an id", g.Upload(context.Background(), queryID(1)[:16], data), CodeMalformed)
	wantCode(t, "Failed with a long reason", g.Failed(queryID(1), 1, string(make([]byte, MaxReason+1))), CodeTooLarge)
}

func TestNewerStreamReplacesTheOlder(t *testing.T) {
	log := &linkLog{}
	hub := log.hub()
	s := startServer(t, "server/s1", &fakeNode{}, hub, everyone)
	old := startLink(t, "gw-1", s.address, func(c *LinkConfig) { c.MinBackoff = time.Hour; c.MaxBackoff = time.Hour })
	old.attached(t)
	newer := startLink(t, "gw-1", s.address)
	newer.attached(t)
	eventually(t, "the older stream ends", func() bool { return !old.Attached() })
	if got := hub.Attached(); !slices.Equal(got, []string{"gw-1"}) || !newer.Attached() {
		t.Errorf("Attached = %q, newer %v, want the newer", got, newer.Attached())
	}
	if err := hub.Send("gw-1", Task{QueryID: queryID(1), Ticket: []byte("t")}); err != nil {
		t.Errorf("Send: %v", err)
	}
	next(t, "the task on the newer stream", newer.tasks)
}

// rawAttach opens a stream by hand and sends what Link would not.
func rawAttach(t *testing.T, s *testServer, first *pb.AttachRequest) (grpc.BidiStreamingClient[pb.AttachRequest, pb.AttachResponse], error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	stream, err := pb.NewGatewayLinkServiceClient(connTo(t, dialAs(t, "gateway/gw-1", s), s.path)).Attach(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(first); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	return stream, err
}

func helloMessage(protocol uint32) *pb.AttachRequest {
	return &pb.AttachRequest{Message: &pb.AttachRequest_Hello{Hello: &pb.Hello{Protocol: protocol}}}
}

func TestDrainingHubTakesNobody(t *testing.T) {
	hub := (&linkLog{}).hub()
	hub.Drain()
	wantCode(t, "register after Drain", hub.register(newLink("gw-1")), CodeUnavailable)
}

func TestHostileHello(t *testing.T) {
	hub := (&linkLog{}).hub()
	s := startServer(t, "server/s1", &fakeNode{}, hub, everyone)
	many := &pb.Hello{Protocol: 1}
	for range maxUnended + 1 {
		many.Unfinished = append(many.Unfinished, queryID(1))
	}
	tests := []struct {
		name  string
		first *pb.AttachRequest
		want  string
	}{
		{"a good one", helloMessage(1), ""},
		{"another protocol", helloMessage(2), CodeMalformed},
		{"nothing", &pb.AttachRequest{}, CodeMalformed},
		{"a chunk first", &pb.AttachRequest{Message: &pb.AttachRequest_Chunk{Chunk: &pb.Chunk{QueryId: queryID(1), Total: 1, Data: []byte{1}}}}, CodeMalformed},
		{"too many unfinished", &pb.AttachRequest{Message: &pb.AttachRequest_Hello{Hello: many}}, CodeTooLarge},
		{"half an id", &pb.AttachRequest{Message: &pb.AttachRequest_Hello{Hello: &pb.Hello{Protocol: 1, Unfinished: [][]byte{{1}}}}}, CodeMalformed},
		{"a checkpoint too long", &pb.AttachRequest{Message: &pb.AttachRequest_Hello{Hello: &pb.Hello{Protocol: 1, LastCheckpoint: make([]byte, MaxNote+1)}}}, CodeTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rawAttach(t, s, tt.first)
			wantCode(t, "attach", fromStatus("attach", err), tt.want)
		})
	}
	for _, second := range []*pb.AttachRequest{{}, helloMessage(1), {Message: &pb.AttachRequest_Failed{Failed: &pb.Failed{}}}} {
		stream, err := rawAttach(t, s, helloMessage(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(second); err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		wantCode(t, "second message", fromStatus("attach", err), CodeMalformed)
	}
}

// A gateway that does not read loses its link; the fan-out never waits.
func TestSlowGatewayIsDropped(t *testing.T) {
	log := &linkLog{}
	hub := log.hub()
	s := startServer(t, "server/s1", &fakeNode{}, hub, everyone)
	block := make(chan struct{})
	slow := startLink(t, "gw-1", s.address, func(c *LinkConfig) { c.OnTask = func(Task) { <-block } })
	t.Cleanup(func() { close(block) })
	good := startLink(t, "gw-2", s.address)
	slow.attached(t)
	good.attached(t)
	big := Task{QueryID: queryID(1), Ticket: make([]byte, MaxTicket)}
	var err error
	for i := 0; err == nil && i < 10000; i++ {
		err = hub.Send("gw-1", big)
	}
	if !errors.Is(err, ErrQueueFull) {
		t.Errorf("Send to a gateway that does not read: %v, want %v", err, ErrQueueFull)
	}
	if err := hub.Send("gw-2", big); err != nil {
		t.Errorf("Send to the other gateway: %v, want none", err)
	}
	next(t, "the other gateway's task", good.tasks)
	eventually(t, "the slow gateway is dropped", func() bool { return !slices.Contains(hub.Attached(), "gw-1") })
}

func TestRemovedGatewayLosesItsLink(t *testing.T) {
	log := &linkLog{}
	hub := log.hub()
	hub.recheck = 10 * time.Millisecond
	var removed atomic.Bool
	s := startServer(t, "server/s1", &fakeNode{}, hub, func(path string) bool { return !removed.Load() })
	g := startLink(t, "gw-1", s.address, func(c *LinkConfig) { c.MinBackoff = time.Hour; c.MaxBackoff = time.Hour })
	g.attached(t)
	removed.Store(true)
	eventually(t, "the link ends", func() bool { return !g.Attached() && len(hub.Attached()) == 0 })
	if err := g.Failed(queryID(1), 1, "x"); !errors.Is(err, ErrNotAttached) {
		t.Errorf("Failed without a link: %v, want %v", err, ErrNotAttached)
	}
}

func TestPanicInAHubHandlerEndsOnlyThatLink(t *testing.T) {
	hub := NewLinkHub(HubConfig{
		OnFailed: func(string, []byte, uint32, string) { panic(errPlain) },
	})
	s := startServer(t, "server/s1", &fakeNode{}, hub, everyone)
	g, other := startLink(t, "gw-1", s.address), startLink(t, "gw-2", s.address)
	g.attached(t)
	other.attached(t)
	g.mu.Lock()
	before := g.session
	g.mu.Unlock()
	if err := g.Failed(queryID(1), 1, "x"); err != nil {
		t.Fatal(err)
	}
	<-before.done
	g.attached(t)
	if !other.Attached() {
		t.Error("the other gateway lost its link")
	}
}

// A server that restarts finds its gateways again, and uploads go on.
func TestLinkSurvivesARestart(t *testing.T) {
	log := &linkLog{}
	first := startServer(t, "server/s1", &fakeNode{}, log.hub(), everyone)
	g := startLink(t, "gw-1", first.address)
	g.attached(t)
	first.stop()
	eventually(t, "the gateway notices", func() bool { return !g.Attached() })
	uploaded := make(chan error, 1)
	_, data := blobOf(ChunkSize + 1)
	go func() { uploaded <- g.Upload(context.Background(), queryID(1), data) }()
	lis := relisten(t, first.address)
	serve(t, "server/s1", newTestServer(t, "server/s1", &fakeNode{}, log.hub(), everyone), lis)
	if err := next(t, "the upload", uploaded); err != nil || !bytes.Equal(log.got("gw-1", 1), data) {
		t.Errorf("Upload over a restart: %v, %d bytes", err, len(log.got("gw-1", 1)))
	}
}

func TestUploadEndsWithItsContextAndWithTheLink(t *testing.T) {
	lis := listen(t)
	address := lis.Addr().String()
	lis.Close()
	g := startLink(t, "gw-1", address)
	ctx, cancel := context.WithCancel(context.Background())
	errs := make(chan error, 2)
	go func() { errs <- g.Upload(ctx, queryID(1), []byte("x")) }()
	eventually(t, "the upload has begun", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.uploads) == 1
	})
	wantCode(t, "a second upload of the query", g.Upload(ctx, queryID(1), []byte("x")), CodeConflict)
	cancel()
	if err := next(t, "the upload", errs); !errors.Is(err, context.Canceled) {
		t.Errorf("Upload after cancel: %v, want %v", err, context.Canceled)
	}
	go func() { errs <- g.Upload(context.Background(), queryID(2), []byte("x")) }()
	g.stop()
	if err := next(t, "the upload", errs); !errors.Is(err, errLinkEnded) {
		t.Errorf("Upload after Run ended: %v, want %v", err, errLinkEnded)
	}
}

func TestBackoffIsBoundedAndSpread(t *testing.T) {
	l := &Link{cfg: LinkConfig{MinBackoff: time.Second, MaxBackoff: time.Minute}}
	seen := map[time.Duration]bool{}
	for failures := range 40 {
		for range 50 {
			got := l.backoff(failures)
			seen[got] = true
			top := min(time.Minute, time.Second<<min(failures, 10))
			if got < time.Second || got > top {
				t.Fatalf("wait after %d failures = %v, want 1 s to %v", failures, got, top)
			}
		}
	}
	if len(seen) < 1000 {
		t.Errorf("%d different waits of 2,000: gateways would come back together", len(seen))
	}
}

func BenchmarkUpload(b *testing.B) {
	log := &linkLog{}
	s := startServer(b, "server/s1", &fakeNode{}, log.hub(), everyone)
	g := startLink(b, "gw-1", s.address)
	for _, size := range []int{108 << 10, 8 << 20} {
		_, data := blobOf(size)
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := g.Upload(context.Background(), queryID(1), data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
