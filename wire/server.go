package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"statnet/crypto/pki"
	"statnet/wire/pb"
)

// graceLimit is how long a stopping server waits for calls to end by
// themselves. GracefulStop alone never returns while a gateway holds a stream.
const graceLimit = 10 * time.Second

// Server is one listener of a role. Register handlers, then Serve once.
type Server struct {
	log   *slog.Logger
	known func(path string) bool
	opt   serverOptions
	grpc  *grpc.Server
	hub   *LinkHub // nil unless registered; set before Serve

	base context.Context    // ends when Serve stops; every handler's context ends with it
	stop context.CancelFunc // ends base
}

type serverOptions struct {
	keepalive Keepalive
	errors    func(error) *Error
	grace     time.Duration // graceLimit, but for tests
}

// ServerOption changes a default of NewServer.
type ServerOption func(*serverOptions)

// WithKeepalive replaces how silent peers are found.
func WithKeepalive(k Keepalive) ServerOption {
	return func(o *serverOptions) { o.keepalive = k }
}

// WithErrors lets a role name the errors of packages that do not know wire:
// f returns nil for an error that shall reach the caller as "internal".
func WithErrors(f func(error) *Error) ServerOption {
	return func(o *serverOptions) { o.errors = f }
}

// NewServer makes a server that lets in peers of the same cluster whose path
// known accepts. known is asked at every connection and at every call, from
// many goroutines.
func NewServer(creds pki.Credentials, log *slog.Logger, known func(path string) bool, opts ...ServerOption) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{log: log, known: known, opt: serverOptions{grace: graceLimit}}
	for _, opt := range opts {
		opt(&s.opt)
	}
	s.base, s.stop = context.WithCancel(context.Background())
	k := s.opt.keepalive.withDefaults()
	tls := credentials.NewTLS(pki.ServerConfig(creds, pki.ProtocolGRPC, pki.Roles, known))
	s.grpc = grpc.NewServer(
		grpc.Creds(loggedCredentials{tls, log}),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeLimit),
		// No MaxConnectionAge: it would cut the streams of gateways.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: k.Time, Timeout: k.Timeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)
	return s
}

// RegisterLedger serves the log.
func (s *Server) RegisterLedger(h LedgerHandler) {
	pb.RegisterLedgerServiceServer(s.grpc, &ledgerService{handler: h})
}

// RegisterBlobs serves and takes blobs of at most max bytes each.
func (s *Server) RegisterBlobs(h BlobHandler, max int64) {
	pb.RegisterBlobServiceServer(s.grpc, &blobService{handler: h, max: max, active: map[string]int{}})
}

// RegisterPeer serves other verifiers.
func (s *Server) RegisterPeer(h PeerHandler) {
	pb.RegisterPeerServiceServer(s.grpc, &peerService{handler: h})
}

// RegisterServer serves other servers.
func (s *Server) RegisterServer(h ServerHandler) {
	pb.RegisterServerServiceServer(s.grpc, &serverService{handler: h})
}

// RegisterQuery serves queriers.
func (s *Server) RegisterQuery(h QueryHandler) {
	pb.RegisterQueryServiceServer(s.grpc, &queryService{handler: h})
}

// RegisterLink lets gateways attach to hub.
func (s *Server) RegisterLink(hub *LinkHub) {
	s.hub = hub
	pb.RegisterGatewayLinkServiceServer(s.grpc, &linkService{hub: hub, known: s.isKnown})
}

// RegisterStatus says how the node is.
func (s *Server) RegisterStatus(h StatusHandler) {
	pb.RegisterStatusServiceServer(s.grpc, &statusService{handler: h})
}

func (s *Server) isKnown(path string) bool { return s.known != nil && s.known(path) }

// Serve serves lis until ctx is cancelled, then asks gateways to leave, ends
// the contexts of handlers, waits up to 10 s for them and returns nil. It
// closes lis.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(lis) }()
	select {
	case err := <-served:
		s.shutdown()
		if err == nil || errors.Is(err, grpc.ErrServerStopped) {
			return nil
		}
		return fmt.Errorf("serve %s: %w", lis.Addr(), err)
	case <-ctx.Done():
	}
	s.shutdown()
	<-served
	return nil
}

func (s *Server) shutdown() {
	if s.hub != nil {
		s.hub.Drain()
	}
	s.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
		if s.hub != nil {
			s.hub.receivers.Wait()
		}
	}()
	if within(done, s.opt.grace) {
		return
	}
	s.log.Warn("cut calls that did not end", "after", s.opt.grace)
	s.grpc.Stop()
	// A handler that ignores its context keeps its goroutine; the process
	// is going, and must not wait for it.
	within(done, cutLimit)
}

// cutLimit is how long handlers have to notice that their connection is gone.
const cutLimit = time.Second

// within reports whether done was closed before limit passed.
func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
