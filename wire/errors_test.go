package wire

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestNoLayersOfGRPCReachAReader: a message says which address or certificate,
// not which library.
func TestNoLayersOfGRPCReachAReader(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"refused after retries", status.Error(codes.Unavailable, `max retries exhausted: failed after 4 attempts: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`),
			"ask n: unavailable: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"quoted twice", status.Error(codes.Unavailable, `a: rpc error: code = Unavailable desc = "b: desc = \"transport: Error while dialing: c\""`),
			"ask n: unavailable: c"},
		{"handshake", status.Error(codes.Unavailable, `connection error: desc = "transport: authentication handshake failed: x509: certificate has expired"`),
			"ask n: unavailable: TLS handshake: x509: certificate has expired"},
		{"deadline", context.DeadlineExceeded, "ask n: deadline: no answer in time"},
		{"a peer's own words stay", NewError(CodePolicy, "the rule says: desc = 7").GRPCStatus().Err(), "ask n: policy: the rule says: desc = 7"},
	} {
		if got := fromStatus("ask n", tt.err).Error(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAnUnreachableNodeIsNamedPlainly goes through gRPC itself.
func TestAnUnreachableNodeIsNamedPlainly(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := lis.Addr().String()
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	d := NewDialer(DialerConfig{Credentials: credentialsOf(t, "querier/dr-a"), Addresses: map[string]string{"server/s1": address}})
	defer d.Close()
	_, err = d.Server("s1").Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "dial tcp "+address) || strings.Contains(err.Error(), "rpc error") || strings.Contains(err.Error(), "transport:") {
		t.Errorf("Status of a node that is not there = %v, want its address and no layers", err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeUnavailable {
		t.Errorf("code = %v, want %s", err, CodeUnavailable)
	}
}
