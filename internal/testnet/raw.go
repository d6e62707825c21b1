package testnet

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"statnet/crypto/pki"
	"statnet/internal/node"
)

// Dial connects a node's certificate to another node: what a program that
// keeps no rule could say in its name. The connection ends with the test.
func (n *Net) Dial(from *node.Node, to string) *grpc.ClientConn {
	n.t.Helper()
	m := n.member(to)
	want, err := pki.ParsePath(n.Cluster.Name, m.Path())
	if err != nil {
		n.t.Fatal(err)
	}
	conn, err := grpc.NewClient("passthrough:///"+m.ports[0].address(),
		grpc.WithTransportCredentials(credentials.NewTLS(pki.ClientConfig(from.Credentials, pki.ProtocolGRPC, want))),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = conn.Close() })
	return conn
}
