package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"

	"statnet/crypto/pki"
	"statnet/wire/pb"
)

// LinkConfig says to which server a gateway holds its stream and what it does
// with tasks. Read only after DialLink.
type LinkConfig struct {
	Credentials pki.Credentials
	Server      string // id of the home server, "s1"
	Address     string // its host:port
	Log         *slog.Logger
	Keepalive   Keepalive

	// MinBackoff and MaxBackoff bound the random wait before the stream is
	// dialled again; default 1 s and 60 s.
	MinBackoff, MaxBackoff time.Duration

	// OnTask gets every task, the same one again after a reconnect. It runs on
	// the goroutine that reads the stream, so it must not wait: hand over.
	OnTask func(Task)
	// OnCancel hears that the server wants no more of a query. May be nil.
	OnCancel func(queryID []byte)
	// Checkpoint returns the newest note this gateway knows. May be nil.
	Checkpoint func() []byte
	// OnCheckpoint gets the server's newest note, unchecked. May be nil.
	OnCheckpoint func(note []byte)
	// Dial replaces the TCP dialler, for tests.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Link is a gateway's end of the one stream it holds. Run keeps it up; the
// other methods may be called from any goroutine.
type Link struct {
	cfg  LinkConfig
	conn *grpc.ClientConn

	mu      sync.Mutex
	session *session             // nil while not attached; guarded by mu
	changed chan struct{}        // closed and replaced when session changes; guarded by mu
	ended   bool                 // Run has returned; guarded by mu
	uploads map[[32]byte]*upload // in progress; guarded by mu
	dialErr error                // of the last dial, nil if it reached the server; guarded by mu
}

// session is the time between one Welcome and the end of that stream.
type session struct {
	out  chan *pb.AttachRequest
	done chan struct{} // closed when the stream ended
}

// DialLink prepares a link; nothing is dialled before Run.
func DialLink(cfg LinkConfig) (*Link, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MinBackoff == 0 {
		cfg.MinBackoff = time.Second
	}
	if cfg.MaxBackoff == 0 {
		cfg.MaxBackoff = time.Minute
	}
	path := pki.RoleServer + "/" + cfg.Server
	l := &Link{cfg: cfg, changed: make(chan struct{}), uploads: map[[32]byte]*upload{}}
	var err error
	l.conn, err = newClientConn(DialerConfig{
		Credentials: cfg.Credentials,
		Addresses:   map[string]string{path: cfg.Address},
		Keepalive:   cfg.Keepalive.withDefaults(),
		Log:         cfg.Log,
		Dial:        l.dial,
	}, path)
	if err != nil {
		return nil, fmt.Errorf("prepare link to %s: %w", path, err)
	}
	return l, nil
}

// dial remembers why the server was not reached: gRPC waits and tries again
// without a word.
func (l *Link) dial(ctx context.Context, address string) (net.Conn, error) {
	dial := l.cfg.Dial
	if dial == nil {
		dial = dialTCP
	}
	conn, err := dial(ctx, address)
	l.mu.Lock()
	l.dialErr = err
	l.mu.Unlock()
	return conn, err
}

// late is the error of a handshake that took too long.
func (l *Link) late() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialErr != nil {
		return NewError(CodeDeadline, "no welcome within %v: %v", handshakeLimit, l.dialErr)
	}
	return NewError(CodeDeadline, "no welcome within %v", handshakeLimit)
}

// Run keeps the stream up until ctx is cancelled, then returns nil. A server
// that is away is not an error. Run may be called once.
func (l *Link) Run(ctx context.Context) error {
	defer l.finish()
	for failures := 0; ctx.Err() == nil; {
		welcomed, err := l.attach(ctx)
		if ctx.Err() != nil {
			break
		}
		if failures++; welcomed {
			failures = 1
		}
		wait := l.backoff(failures)
		l.cfg.Log.Warn("link is down", "server", l.cfg.Server, "again_in", wait.Round(time.Millisecond), "err", fromStatus("attach", err))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return nil
}

// finish ends everyone who waits for a session.
func (l *Link) finish() {
	l.mu.Lock()
	l.ended = true
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	_ = l.conn.Close() // the streams on it have ended; there is nothing left to lose
}

// backoff spreads the gateways of a server that comes back: a random wait
// between the minimum and twice it, four times it, and so on to the maximum.
func (l *Link) backoff(failures int) time.Duration {
	top := l.cfg.MinBackoff
	for range failures {
		top = min(2*top, l.cfg.MaxBackoff)
	}
	if top <= l.cfg.MinBackoff {
		return l.cfg.MinBackoff
	}
	return l.cfg.MinBackoff + rand.N(top-l.cfg.MinBackoff) // jitter, not a secret
}

// attach runs one stream from dial to end and reports whether it was welcomed.
func (l *Link) attach(ctx context.Context) (welcomed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// One limit for dialling, handshake and Welcome; then keepalive watches.
	limit := time.AfterFunc(handshakeLimit, func() { cancel(l.late()) })
	defer limit.Stop()
	l.conn.ResetConnectBackoff() // the wait was ours already
	stream, err := pb.NewGatewayLinkServiceClient(l.conn).Attach(ctx, grpc.WaitForReady(true))
	if err != nil {
		return false, causeOr(ctx, err)
	}
	s := &session{out: make(chan *pb.AttachRequest, linkQueue), done: make(chan struct{})}
	if err := stream.Send(l.hello(s)); err != nil {
		return false, causeOr(ctx, err)
	}
	m, err := stream.Recv()
	if err != nil {
		return false, causeOr(ctx, err)
	}
	limit.Stop()
	if err := l.welcome(m.GetWelcome()); err != nil {
		return false, err
	}
	return true, causeOr(ctx, l.converse(ctx, cancel, stream, s))
}

// converse makes s the session and moves messages until the stream ends.
func (l *Link) converse(ctx context.Context, cancel context.CancelCauseFunc, stream grpc.BidiStreamingClient[pb.AttachRequest, pb.AttachResponse], s *session) error {
	var sender sync.WaitGroup
	sender.Go(func() {
		for {
			select {
			case m := <-s.out:
				if stream.Send(m) != nil {
					return // Recv has the reason
				}
			case <-ctx.Done():
				return
			}
		}
	})
	l.setSession(s)
	l.cfg.Log.Info("attached", "server", l.cfg.Server)
	err := l.receive(stream, s)
	l.setSession(nil)
	close(s.done)
	cancel(err)
	sender.Wait()
	return err
}

// hello lists the uploads that a broken stream has cut; their next chunk waits
// until the server has said how much of them it holds.
func (l *Link) hello(s *session) *pb.AttachRequest {
	h := &pb.Hello{Protocol: linkProtocol}
	if l.cfg.Checkpoint != nil {
		h.LastCheckpoint = l.cfg.Checkpoint()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, up := range l.uploads {
		if len(h.Unfinished) < maxUnended {
			up.resume(s)
			h.Unfinished = append(h.Unfinished, id[:])
		}
	}
	return &pb.AttachRequest{Message: &pb.AttachRequest_Hello{Hello: h}}
}

func (l *Link) welcome(w *pb.Welcome) error {
	if w == nil || w.GetProtocol() != linkProtocol {
		return NewError(CodeMalformed, "server did not welcome with protocol %d", linkProtocol)
	}
	if w.GetMaxChunk() < ChunkSize || w.GetCredit() < 1 {
		return NewError(CodeMalformed, "server takes chunks of %d bytes, credit %d", w.GetMaxChunk(), w.GetCredit())
	}
	if err := atMost("checkpoint", w.GetCheckpoint(), MaxNote); err != nil {
		return err
	}
	if l.cfg.OnCheckpoint != nil && len(w.GetCheckpoint()) > 0 {
		l.cfg.OnCheckpoint(w.GetCheckpoint())
	}
	for _, t := range w.GetTasks() {
		if err := l.task(t); err != nil {
			return err
		}
	}
	return nil
}

// receive handles what the server sends until the stream ends or Drain.
func (l *Link) receive(stream grpc.BidiStreamingClient[pb.AttachRequest, pb.AttachResponse], s *session) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := l.handle(s, m); err != nil {
			return err
		}
	}
}

// handle acts on one message after Welcome. An error ends the session.
func (l *Link) handle(s *session, m *pb.AttachResponse) error {
	switch m := m.GetMessage().(type) {
	case *pb.AttachResponse_Task:
		return l.task(m.Task)
	case *pb.AttachResponse_ChunkAck:
		return l.ack(s, m.ChunkAck.GetQueryId(), m.ChunkAck.GetReceived())
	case *pb.AttachResponse_Cancel:
		return l.cancelled(m.Cancel.GetQueryId())
	case *pb.AttachResponse_Drain:
		return NewError(CodeUnavailable, "server is stopping")
	}
	return NewError(CodeMalformed, "unexpected message")
}

func (l *Link) task(t *pb.Task) error {
	task := Task{QueryID: t.GetQueryId(), Ticket: t.GetTicket(), Deadline: time.UnixMilli(t.GetDeadlineUnixMs()).UTC()}
	if err := checkTask(task); err != nil {
		return err
	}
	if l.cfg.OnTask != nil {
		l.cfg.OnTask(task)
	}
	return nil
}

func (l *Link) cancelled(queryID []byte) error {
	if err := exactly("query id", queryID, queryIDSize); err != nil {
		return err
	}
	l.mu.Lock()
	if up := l.uploads[[32]byte(queryID)]; up != nil {
		up.cancelled = true
		up.signal()
	}
	l.mu.Unlock()
	if l.cfg.OnCancel != nil {
		l.cfg.OnCancel(queryID)
	}
	return nil
}

func (l *Link) setSession(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// Attached reports whether the stream is up now.
func (l *Link) Attached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil
}

// WaitAttached returns once the stream is up, or with an error when ctx or Run ends.
func (l *Link) WaitAttached(ctx context.Context) error {
	_, err := l.wait(ctx)
	return err
}

// errLinkEnded reports that Run has returned.
var errLinkEnded = errors.New("link has ended")

func (l *Link) wait(ctx context.Context) (*session, error) {
	for {
		l.mu.Lock()
		s, changed, ended := l.session, l.changed, l.ended
		l.mu.Unlock()
		if s != nil {
			return s, nil
		}
		if ended {
			return nil, errLinkEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Failed tells the server that this gateway declines a query: a code of ANSWER
// and a reason that names no patient. ErrNotAttached while the stream is down;
// the server sends the task again when it is up. query step Q4.
func (l *Link) Failed(queryID []byte, code uint32, reason string) error {
	if err := firstError(exactly("query id", queryID, queryIDSize), atMost("reason", []byte(reason), MaxReason)); err != nil {
		return err
	}
	l.mu.Lock()
	s := l.session
	l.mu.Unlock()
	if s == nil {
		return ErrNotAttached
	}
	m := &pb.Failed{QueryId: queryID, Code: code, Reason: cleanText(reason)}
	select {
	case s.out <- &pb.AttachRequest{Message: &pb.AttachRequest_Failed{Failed: m}}:
		return nil
	case <-s.done:
		return ErrNotAttached
	}
}

// causeOr prefers our own reason over gRPC's "context canceled".
func causeOr(ctx context.Context, err error) error {
	var e *Error
	if errors.As(context.Cause(ctx), &e) {
		return e
	}
	return err
}
