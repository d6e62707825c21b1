package wire

import (
	"context"

	"google.golang.org/grpc"

	"statnet/wire/pb"
)

// VerifierClient asks one verifier. Nothing it returns is checked beyond its
// length and, for a blob, its digest: a verifier may lie, and the caller
// checks signatures and proofs. Errors are *Error.
type VerifierClient struct{ node }

// Submit sends a signed record and returns the index of its leaf. When the
// outcome is unknown, the same bytes may be sent again, also to another verifier.
func (c *VerifierClient) Submit(ctx context.Context, leaf []byte) (uint64, error) {
	var index uint64
	err := c.call(ctx, "submit to", c.d.cfg.Timeouts.Submit, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewLedgerServiceClient(conn).Submit(ctx, &pb.SubmitRequest{Leaf: leaf})
		index = r.GetIndex()
		return err
	})
	return index, err
}

// Checkpoint returns the newest note that carries a quorum of signatures.
func (c *VerifierClient) Checkpoint(ctx context.Context) ([]byte, error) {
	var note []byte
	err := c.call(ctx, "get checkpoint of", c.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewLedgerServiceClient(conn).GetCheckpoint(ctx, &pb.GetCheckpointRequest{})
		if err != nil {
			return err
		}
		note = r.GetNote()
		return badAnswer(atMost("note", note, MaxNote))
	})
	return note, err
}

// Ticket returns the proof that a query is registered.
func (c *VerifierClient) Ticket(ctx context.Context, queryID []byte) ([]byte, error) {
	var ticket []byte
	err := c.call(ctx, "get ticket from", c.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewLedgerServiceClient(conn).GetTicket(ctx, &pb.GetTicketRequest{QueryId: queryID})
		if err != nil {
			return err
		}
		ticket = r.GetTicket()
		return badAnswer(atMost("ticket", ticket, MaxTicket))
	})
	return ticket, err
}

// Entries returns up to max leaves (at most 1,000, or 1 MiB) from index from.
func (c *VerifierClient) Entries(ctx context.Context, from uint64, max int) ([][]byte, error) {
	if max < 1 || max > MaxEntries {
		max = MaxEntries
	}
	var leaves [][]byte
	err := c.call(ctx, "get entries of", c.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewLedgerServiceClient(conn).GetEntries(ctx, &pb.GetEntriesRequest{From: from, Max: uint32(max)})
		if err != nil {
			return err
		}
		leaves = r.GetLeaves()
		return badAnswer(listAtMost("leaf", leaves, max, MaxLeaf))
	})
	return leaves, err
}

// Proof returns the hashes that lead from leaf index to the root of size.
func (c *VerifierClient) Proof(ctx context.Context, index, size uint64) ([][]byte, error) {
	var hashes [][]byte
	err := c.call(ctx, "get proof of", c.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewLedgerServiceClient(conn).GetProof(ctx, &pb.GetProofRequest{Index: index, Size: size})
		if err != nil {
			return err
		}
		hashes = r.GetHashes()
		return badAnswer(listAtMost("hash", hashes, maxHashes, digestSize))
	})
	return hashes, err
}

// Consistency returns the hashes that lead from the root of size from to that of to.
func (c *VerifierClient) Consistency(ctx context.Context, from, to uint64) ([][]byte, error) {
	var hashes [][]byte
	err := c.call(ctx, "get consistency of", c.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewLedgerServiceClient(conn).GetConsistency(ctx, &pb.GetConsistencyRequest{From: from, To: to})
		if err != nil {
			return err
		}
		hashes = r.GetHashes()
		return badAnswer(listAtMost("hash", hashes, maxHashes, digestSize))
	})
	return hashes, err
}

// Wait blocks until the verifier's newest checkpoint covers more than size
// leaves and returns how many it covers, or until ctx ends. It has no deadline of its own: a dead
// connection is found by keepalive.
func (c *VerifierClient) Wait(ctx context.Context, size uint64) (uint64, error) {
	op := "watch " + c.path
	conn, err := c.d.conn(c.path)
	if err != nil {
		return 0, fromStatus(op, err)
	}
	ctx, cancel := context.WithCancel(ctx) // ends the stream on the server too
	defer cancel()
	stream, err := pb.NewLedgerServiceClient(conn).Watch(ctx, &pb.WatchRequest{Size: size})
	if err != nil {
		return 0, fromStatus(op, err)
	}
	r, err := stream.Recv()
	if err != nil {
		return 0, fromStatus(op, err)
	}
	return r.GetSize(), nil
}

// Status asks how the verifier is.
func (c *VerifierClient) Status(ctx context.Context) (NodeStatus, error) { return c.status(ctx) }

// Forward hands a record to the verifier that leads.
func (c *VerifierClient) Forward(ctx context.Context, leaf []byte) (uint64, error) {
	var index uint64
	err := c.call(ctx, "forward to", c.d.cfg.Timeouts.Submit, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewPeerServiceClient(conn).Forward(ctx, &pb.ForwardRequest{Leaf: leaf})
		index = r.GetIndex()
		return err
	})
	return index, err
}

// PushNote hands over a checkpoint with this verifier's signature.
func (c *VerifierClient) PushNote(ctx context.Context, note []byte) error {
	return c.call(ctx, "push cosignature to", c.d.cfg.Timeouts.Ready, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := pb.NewPeerServiceClient(conn).PushCosignature(ctx, &pb.PushCosignatureRequest{Note: note})
		return err
	})
}

// ClaimTime asks for a signed reading of the verifier's clock.
func (c *VerifierClient) ClaimTime(ctx context.Context, previousCut uint64) ([]byte, error) {
	var claim []byte
	err := c.call(ctx, "ask time of", c.d.cfg.Timeouts.Ready, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewPeerServiceClient(conn).ClaimTime(ctx, &pb.ClaimTimeRequest{PreviousCut: previousCut})
		if err != nil {
			return err
		}
		claim = r.GetClaim()
		return badAnswer(atMost("claim", claim, MaxClaim))
	})
	return claim, err
}

// Peers reaches verifiers by id, as package chain wants it.
type Peers struct{ d *Dialer }

// Peers returns the verifiers of the dialer's addresses.
func (d *Dialer) Peers() Peers { return Peers{d} }

// Forward is VerifierClient.Forward of verifier id.
func (p Peers) Forward(ctx context.Context, id string, leaf []byte) (uint64, error) {
	return p.d.Verifier(id).Forward(ctx, leaf)
}

// PushNote is VerifierClient.PushNote of verifier id.
func (p Peers) PushNote(ctx context.Context, id string, note []byte) error {
	return p.d.Verifier(id).PushNote(ctx, note)
}

// ClaimTime is VerifierClient.ClaimTime of verifier id.
func (p Peers) ClaimTime(ctx context.Context, id string, previousCut uint64) ([]byte, error) {
	return p.d.Verifier(id).ClaimTime(ctx, previousCut)
}
