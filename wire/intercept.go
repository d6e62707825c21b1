package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"statnet/crypto/pki"
)

// unary admits, recovers and translates the error of a call with one answer.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	ctx, cancel, err := s.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer cancel()
	defer func() {
		if err = s.outcome(ctx, info.FullMethod, recover(), err); err != nil {
			resp = nil // a half-filled answer must not travel beside an error
		}
	}()
	return handler(ctx, req)
}

// stream does the same for a call that streams.
func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	ctx, cancel, err := s.admit(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer cancel()
	defer func() { err = s.outcome(ctx, info.FullMethod, recover(), err) }()
	return handler(srv, &contextStream{ss, ctx})
}

type contextStream struct {
	grpc.ServerStream
	ctx context.Context // of one call, by gRPC's own interface
}

func (s *contextStream) Context() context.Context { return s.ctx }

// admit says who calls and whether they may: default deny. The roster is asked
// again at every call, since connections outlive a removal.
func (s *Server) admit(ctx context.Context, method string) (context.Context, context.CancelFunc, error) {
	id, err := peerIdentity(ctx)
	if err != nil {
		return nil, nil, NewError(CodeNotAllowed, "%v", err)
	}
	if !s.isKnown(id.Path()) {
		s.log.Warn("refuse call", "peer", id.Path(), "method", method, "reason", "not in the roster")
		return nil, nil, NewError(CodeUnknownSigner, "%s is not in the roster", id.Path())
	}
	if !mayCall(method, id.Role) {
		s.log.Warn("refuse call", "peer", id.Path(), "method", method, "reason", "role")
		return nil, nil, NewError(CodeNotAllowed, "a %s may not call %s", id.Role, method)
	}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, peerKey{}, id))
	release := context.AfterFunc(s.base, cancel)
	return ctx, func() { release(); cancel() }, nil
}

// peerIdentity reads the name in the certificate that the handshake checked.
func peerIdentity(ctx context.Context) (pki.Identity, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return pki.Identity{}, errors.New("call without a peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return pki.Identity{}, errors.New("call without a certificate")
	}
	return pki.IdentityOf(info.State.PeerCertificates[0])
}

// outcome turns a handler's error, or its panic, into what the caller may see.
func (s *Server) outcome(ctx context.Context, method string, panicked any, err error) error {
	log := s.log.With("peer", PeerFrom(ctx).Path(), "method", method)
	if panicked != nil {
		logPanic(log, panicked)
		return NewError(CodeInternal, "internal error, see the log of this node")
	}
	if err == nil {
		return nil
	}
	if s.base.Err() != nil && errors.Is(err, context.Canceled) {
		return NewError(CodeUnavailable, "node is stopping")
	}
	var e *Error
	if errors.As(err, &e) {
		log.Debug("call refused", "err", e)
		return e
	}
	if s.opt.errors != nil {
		if e := s.opt.errors(err); e != nil {
			log.Debug("call refused", "err", e)
			return e
		}
	}
	err = contextStatus(err)
	if _, ok := status.FromError(err); ok { // gRPC's own, e.g. a message too long
		return err
	}
	if errors.Is(err, io.EOF) {
		return NewError(CodeMalformed, "stream ended too early")
	}
	log.Error("call failed", "err", err)
	return NewError(CodeInternal, "internal error, see the log of this node")
}

// logPanic logs where, not what: the value may hold what a peer sent. The text
// of a runtime error holds indexes and types only.
func logPanic(log *slog.Logger, panicked any) {
	what := fmt.Sprintf("%T", panicked)
	if re, ok := panicked.(runtime.Error); ok {
		what = re.Error()
	}
	log.Error("handler panicked", "panic", what, "stack", string(debug.Stack()))
}
