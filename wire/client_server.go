package wire

import (
	"context"

	"google.golang.org/grpc"

	"statnet/wire/pb"
)

// ServerClient asks one server. Errors are *Error.
type ServerClient struct{ node }

// Run asks the server to coordinate a registered query; it returns when the
// server has accepted it. query step Q3.
func (c *ServerClient) Run(ctx context.Context, ticket, querierKey []byte) error {
	return c.call(ctx, "run query at", c.d.cfg.Timeouts.Submit, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := pb.NewQueryServiceClient(conn).Run(ctx, &pb.RunRequest{Ticket: ticket, QuerierKey: querierKey})
		return err
	})
}

// Distribute passes a registered query on to another server. query step Q3.
func (c *ServerClient) Distribute(ctx context.Context, ticket, querierKey []byte) error {
	return c.call(ctx, "distribute query to", c.d.cfg.Timeouts.Submit, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := pb.NewServerServiceClient(conn).Distribute(ctx, &pb.DistributeRequest{Ticket: ticket, QuerierKey: querierKey})
		return err
	})
}

// Ready asks whether the server takes part in opening. query step Q6.
func (c *ServerClient) Ready(ctx context.Context, queryID []byte) error {
	return c.call(ctx, "ask ready of", c.d.cfg.Timeouts.Ready, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := pb.NewServerServiceClient(conn).Ready(ctx, &pb.ReadyRequest{QueryId: queryID})
		return err
	})
}

// Deal hands over the seed of a sub-key set, encrypted by the connection only.
// It is never retried by itself.
func (c *ServerClient) Deal(ctx context.Context, epoch uint64, set uint16, seed []byte) error {
	return c.call(ctx, "deal to", c.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := pb.NewServerServiceClient(conn).Deal(ctx, &pb.DealRequest{Epoch: epoch, Set: uint32(set), Seed: seed})
		return err
	})
}

// Status asks how the server is.
func (c *ServerClient) Status(ctx context.Context) (NodeStatus, error) { return c.status(ctx) }

func (n node) status(ctx context.Context) (NodeStatus, error) {
	var s NodeStatus
	err := n.call(ctx, "get status of", n.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewStatusServiceClient(conn).Get(ctx, &pb.StatusServiceGetRequest{})
		if err != nil {
			return err
		}
		s, err = statusFromPB(n.path, r)
		return err
	})
	return s, err
}
