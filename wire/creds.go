package wire

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"
)

// loggedCredentials logs why a handshake failed: gRPC itself tells nobody on
// the server, and a client sees only that the node is unavailable.
type loggedCredentials struct {
	credentials.TransportCredentials
	log *slog.Logger
}

func (c loggedCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	out, info, err := c.TransportCredentials.ServerHandshake(conn)
	// Port scans and health probes connect and hang up: not worth a line.
	if err != nil && !errors.Is(err, io.EOF) {
		c.log.Warn("refuse connection", "remote", conn.RemoteAddr().String(), "err", cleanText(err.Error()))
	}
	return out, info, err
}

func (c loggedCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	out, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, conn)
	if err != nil && ctx.Err() == nil {
		c.log.Warn("handshake", "remote", conn.RemoteAddr().String(), "err", cleanText(err.Error()))
	}
	return out, info, err
}

func (c loggedCredentials) Clone() credentials.TransportCredentials {
	return loggedCredentials{c.TransportCredentials.Clone(), c.log}
}
