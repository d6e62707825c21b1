package wire

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"statnet/wire/pb"
)

// link is one stream of one gateway, at the server. Two goroutines: the
// handler sends, receive receives; either ends both.
type link struct {
	gateway string
	welcome chan *pb.AttachResponse // cap 1: sent before anything in out
	out     chan *pb.AttachResponse // cap linkQueue
	leave   chan struct{}           // closed by drain
	done    chan struct{}           // closed by end

	drainOnce, endOnce sync.Once
	err                error // why it ended; written before done is closed
}

func newLink(gateway string) *link {
	return &link{
		gateway: gateway,
		welcome: make(chan *pb.AttachResponse, 1),
		out:     make(chan *pb.AttachResponse, linkQueue),
		leave:   make(chan struct{}),
		done:    make(chan struct{}),
	}
}

func (l *link) end(err error) { l.endOnce.Do(func() { l.err = err; close(l.done) }) }
func (l *link) drain()        { l.drainOnce.Do(func() { close(l.leave) }) }

// push queues a message without waiting. A full queue ends the link.
func (l *link) push(m *pb.AttachResponse) error {
	select {
	case l.out <- m:
		return nil
	default:
		l.end(NewError(CodeRate, "gateway %s does not take its messages", l.gateway))
		return ErrQueueFull
	}
}

// reply queues a message and waits: it holds up only the gateway that asked.
func (l *link) reply(m *pb.AttachResponse) {
	select {
	case l.out <- m:
	case <-l.done:
	}
}

// linkService holds the streams that gateways dial.
type linkService struct {
	pb.UnimplementedGatewayLinkServiceServer
	hub   *LinkHub
	known func(path string) bool
}

// Attach holds one stream until the gateway leaves, is replaced, is slow, is
// removed from the roster, or the server stops.
func (s *linkService) Attach(stream grpc.BidiStreamingServer[pb.AttachRequest, pb.AttachResponse]) error {
	l := newLink(PeerFrom(stream.Context()).ID)
	log := s.hub.cfg.Log.With("gateway", l.gateway)
	s.hub.receivers.Add(1)
	go func() {
		defer s.hub.receivers.Done()
		defer func() {
			if p := recover(); p != nil { // handlers run here, beyond the interceptor
				logPanic(log, p)
				l.end(NewError(CodeInternal, "internal error, see the log of this node"))
			}
		}()
		l.end(s.hub.receive(stream, l))
	}()
	err := s.send(stream, l)
	s.hub.unregister(l)
	l.end(err) // so that a push or reply in progress returns
	log.Info("gateway detached", "reason", reason(err))
	return err
}

// send writes what is queued, welcome first. It returns why the link ended.
func (s *linkService) send(stream grpc.BidiStreamingServer[pb.AttachRequest, pb.AttachResponse], l *link) error {
	hello := time.NewTimer(handshakeLimit)
	defer hello.Stop()
	select {
	case m := <-l.welcome:
		if err := stream.Send(m); err != nil {
			return err
		}
	case <-hello.C:
		return NewError(CodeDeadline, "no hello within %v", handshakeLimit)
	case <-l.done:
		return l.err
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
	recheck := time.NewTicker(s.hub.recheck)
	defer recheck.Stop()
	for {
		select {
		case m := <-l.out:
			if err := stream.Send(m); err != nil {
				return err
			}
		case <-recheck.C:
			if !s.known(PeerFrom(stream.Context()).Path()) {
				return NewError(CodeUnknownSigner, "gateway/%s was removed from the roster", l.gateway)
			}
		case <-l.leave:
			return stream.Send(&pb.AttachResponse{Message: &pb.AttachResponse_Drain{Drain: &pb.Drain{}}})
		case <-l.done:
			return l.err
		}
	}
}

// receive reads hello, registers the link, and handles what the gateway sends.
func (h *LinkHub) receive(stream grpc.BidiStreamingServer[pb.AttachRequest, pb.AttachResponse], l *link) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if err := checkHello(hello); err != nil {
		return err
	}
	if err := h.register(l); err != nil {
		return err
	}
	l.welcome <- h.welcomeMessage(l.gateway, hello.GetLastCheckpoint())
	h.cfg.Log.Info("gateway attached", "gateway", l.gateway, "unfinished", len(hello.GetUnfinished()))
	for _, id := range hello.GetUnfinished() {
		l.reply(ackMessage(id, h.received(l.gateway, [32]byte(id))))
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := h.handle(l, m); err != nil {
			return err
		}
	}
}

func checkHello(hello *pb.Hello) error {
	if hello == nil {
		return NewError(CodeMalformed, "first message is not hello")
	}
	if hello.GetProtocol() != linkProtocol {
		return NewError(CodeMalformed, "link protocol %d, this server speaks %d", hello.GetProtocol(), linkProtocol)
	}
	for _, id := range hello.GetUnfinished() {
		if err := exactly("query id", id, queryIDSize); err != nil {
			return err
		}
	}
	return firstError(
		atMost("checkpoint", hello.GetLastCheckpoint(), MaxNote),
		listAtMost("unfinished query", hello.GetUnfinished(), maxUnended, queryIDSize),
	)
}

func (h *LinkHub) welcomeMessage(gateway string, lastNote []byte) *pb.AttachResponse {
	w := &pb.Welcome{Protocol: linkProtocol, MaxChunk: ChunkSize, Credit: linkCredit}
	if h.cfg.Checkpoint != nil {
		w.Checkpoint = h.cfg.Checkpoint()
	}
	if h.cfg.OnAttach != nil {
		for _, t := range h.cfg.OnAttach(gateway, lastNote) {
			if err := checkTask(t); err != nil || len(w.Tasks) == maxWelcomeTasks {
				h.cfg.Log.Error("leave out task", "gateway", gateway, "err", err)
				continue
			}
			w.Tasks = append(w.Tasks, taskToPB(t))
		}
	}
	return &pb.AttachResponse{Message: &pb.AttachResponse_Welcome{Welcome: w}}
}

// maxWelcomeTasks keeps a Welcome below MaxMessage.
const maxWelcomeTasks = 128

// handle acts on one message after hello. An error ends the link; an upload
// that breaks a rule ends only itself.
func (h *LinkHub) handle(l *link, m *pb.AttachRequest) error {
	switch m := m.GetMessage().(type) {
	case *pb.AttachRequest_Chunk:
		return h.handleChunk(l, m.Chunk)
	case *pb.AttachRequest_Failed:
		id, text := m.Failed.GetQueryId(), m.Failed.GetReason()
		if err := firstError(exactly("query id", id, queryIDSize), atMost("reason", []byte(text), MaxReason)); err != nil {
			return err
		}
		if h.cfg.OnFailed != nil {
			h.cfg.OnFailed(l.gateway, id, m.Failed.GetCode(), cleanText(text))
		}
		return nil
	}
	return NewError(CodeMalformed, "message is neither chunk nor failed")
}

func (h *LinkHub) handleChunk(l *link, c *pb.Chunk) error {
	if err := exactly("query id", c.GetQueryId(), queryIDSize); err != nil {
		return err
	}
	held, whole, err := h.chunk(l, c)
	if err != nil {
		h.cfg.Log.Warn("refuse upload", "gateway", l.gateway, "err", err)
		if h.cfg.OnRefused != nil {
			h.cfg.OnRefused(l.gateway, c.GetQueryId(), err)
		}
		l.reply(cancelMessage(c.GetQueryId()))
		return nil
	}
	if whole != nil && h.cfg.OnUpload != nil {
		h.cfg.OnUpload(l.gateway, c.GetQueryId(), whole)
	}
	l.reply(ackMessage(c.GetQueryId(), held))
	return nil
}

func ackMessage(id []byte, received uint64) *pb.AttachResponse {
	return &pb.AttachResponse{Message: &pb.AttachResponse_ChunkAck{ChunkAck: &pb.ChunkAck{QueryId: id, Received: received}}}
}

// reason is why a link ended, in a word for the log.
func reason(err error) string {
	switch {
	case err == nil:
		return "server is stopping"
	case errors.Is(err, io.EOF):
		return "gateway closed the stream"
	case errors.Is(err, context.Canceled):
		return "connection lost"
	}
	return cleanText(err.Error())
}
