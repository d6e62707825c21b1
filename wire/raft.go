package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"statnet/crypto/pki"
)

// ListenRaft wraps lis into a listener of connections on which only verifiers
// of the same cluster finish the handshake, each a *tls.Conn.
//
// The handshake has not happened when Accept returns: package chain runs it
// beside its accept loop, with a deadline, and ends idle connections. Nor is
// raft's own server id bound to the certificate: any verifier of the roster
// may speak for any, which the ledger's signatures make harmless.
func ListenRaft(lis net.Listener, creds pki.Credentials, known func(path string) bool) net.Listener {
	return tls.NewListener(lis, pki.ServerConfig(creds, pki.ProtocolRaft, []string{pki.RoleVerifier}, known))
}

// DialRaft returns what package chain dials with. ids names the verifier
// behind each raft address ("127.0.0.1:7201" -> "v1"): who answers there must
// be that verifier.
func DialRaft(creds pki.Credentials, ids map[string]string) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		id, ok := ids[address]
		if !ok {
			return nil, fmt.Errorf("dial raft %s: no verifier has this address in the cluster file", address)
		}
		want := pki.Identity{Cluster: creds.Identity.Cluster, Role: pki.RoleVerifier, ID: id}
		d := tls.Dialer{Config: pki.ClientConfig(creds, pki.ProtocolRaft, want)}
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("dial raft %s (%s): %w", address, want.Path(), err)
		}
		return conn, nil
	}
}
