package wire

import (
	"context"
	"math"
	"strings"

	"google.golang.org/grpc"

	"statnet/wire/pb"
)

// The services below check lengths and hand plain values to a handler.

type ledgerService struct {
	pb.UnimplementedLedgerServiceServer
	handler LedgerHandler
}

func (s *ledgerService) Submit(ctx context.Context, r *pb.SubmitRequest) (*pb.SubmitResponse, error) {
	if err := between("leaf", r.GetLeaf(), MaxLeaf); err != nil {
		return nil, err
	}
	index, err := s.handler.Submit(ctx, r.GetLeaf())
	return &pb.SubmitResponse{Index: index}, err
}

func (s *ledgerService) GetCheckpoint(ctx context.Context, _ *pb.GetCheckpointRequest) (*pb.GetCheckpointResponse, error) {
	note, err := s.handler.Checkpoint(ctx)
	return &pb.GetCheckpointResponse{Note: note}, err
}

func (s *ledgerService) GetTicket(ctx context.Context, r *pb.GetTicketRequest) (*pb.GetTicketResponse, error) {
	if err := exactly("query id", r.GetQueryId(), queryIDSize); err != nil {
		return nil, err
	}
	ticket, err := s.handler.Ticket(ctx, r.GetQueryId())
	return &pb.GetTicketResponse{Ticket: ticket}, err
}

func (s *ledgerService) GetEntries(ctx context.Context, r *pb.GetEntriesRequest) (*pb.GetEntriesResponse, error) {
	max := MaxEntries
	if r.GetMax() >= 1 && r.GetMax() < MaxEntries {
		max = int(r.GetMax())
	}
	leaves, err := s.handler.Entries(ctx, r.GetFrom(), max)
	return &pb.GetEntriesResponse{Leaves: trimEntries(leaves, max)}, err
}

func (s *ledgerService) GetProof(ctx context.Context, r *pb.GetProofRequest) (*pb.GetProofResponse, error) {
	if r.GetIndex() >= r.GetSize() || r.GetSize() > math.MaxInt64 {
		return nil, NewError(CodeMalformed, "proof of leaf %d in a log of %d", r.GetIndex(), r.GetSize())
	}
	hashes, err := s.handler.Proof(ctx, r.GetIndex(), r.GetSize())
	return &pb.GetProofResponse{Hashes: hashes}, err
}

func (s *ledgerService) GetConsistency(ctx context.Context, r *pb.GetConsistencyRequest) (*pb.GetConsistencyResponse, error) {
	if r.GetFrom() > r.GetTo() || r.GetTo() > math.MaxInt64 {
		return nil, NewError(CodeMalformed, "consistency from size %d to %d", r.GetFrom(), r.GetTo())
	}
	hashes, err := s.handler.Consistency(ctx, r.GetFrom(), r.GetTo())
	return &pb.GetConsistencyResponse{Hashes: hashes}, err
}

func (s *ledgerService) Watch(r *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	for want := r.GetSize(); ; {
		size, err := s.handler.Wait(stream.Context(), want)
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.WatchResponse{Size: size}); err != nil {
			return err
		}
		want = size
	}
}

type peerService struct {
	pb.UnimplementedPeerServiceServer
	handler PeerHandler
}

func (s *peerService) Forward(ctx context.Context, r *pb.ForwardRequest) (*pb.ForwardResponse, error) {
	if err := between("leaf", r.GetLeaf(), MaxLeaf); err != nil {
		return nil, err
	}
	index, err := s.handler.Forward(ctx, r.GetLeaf())
	return &pb.ForwardResponse{Index: index}, err
}

func (s *peerService) PushCosignature(ctx context.Context, r *pb.PushCosignatureRequest) (*pb.PushCosignatureResponse, error) {
	if err := between("note", r.GetNote(), MaxNote); err != nil {
		return nil, err
	}
	return &pb.PushCosignatureResponse{}, s.handler.AcceptNote(ctx, r.GetNote())
}

func (s *peerService) ClaimTime(ctx context.Context, r *pb.ClaimTimeRequest) (*pb.ClaimTimeResponse, error) {
	claim, err := s.handler.ClaimTime(ctx, r.GetPreviousCut())
	return &pb.ClaimTimeResponse{Claim: claim}, err
}

type serverService struct {
	pb.UnimplementedServerServiceServer
	handler ServerHandler
}

func (s *serverService) Distribute(ctx context.Context, r *pb.DistributeRequest) (*pb.DistributeResponse, error) {
	if err := checkRun(r.GetTicket(), r.GetQuerierKey()); err != nil {
		return nil, err
	}
	return &pb.DistributeResponse{}, s.handler.Distribute(ctx, r.GetTicket(), r.GetQuerierKey())
}

func (s *serverService) Ready(ctx context.Context, r *pb.ReadyRequest) (*pb.ReadyResponse, error) {
	if err := exactly("query id", r.GetQueryId(), queryIDSize); err != nil {
		return nil, err
	}
	return &pb.ReadyResponse{}, s.handler.Ready(ctx, r.GetQueryId())
}

func (s *serverService) Deal(ctx context.Context, r *pb.DealRequest) (*pb.DealResponse, error) {
	if r.GetSet() > math.MaxUint16 {
		return nil, NewError(CodeMalformed, "sub-key set %d, at most %d", r.GetSet(), math.MaxUint16)
	}
	if err := between("seed", r.GetSeed(), MaxSeed); err != nil {
		return nil, err
	}
	return &pb.DealResponse{}, s.handler.Deal(ctx, r.GetEpoch(), uint16(r.GetSet()), r.GetSeed())
}

type queryService struct {
	pb.UnimplementedQueryServiceServer
	handler QueryHandler
}

func (s *queryService) Run(ctx context.Context, r *pb.RunRequest) (*pb.RunResponse, error) {
	if err := checkRun(r.GetTicket(), r.GetQuerierKey()); err != nil {
		return nil, err
	}
	return &pb.RunResponse{}, s.handler.Run(ctx, r.GetTicket(), r.GetQuerierKey())
}

func checkRun(ticket, querierKey []byte) error {
	return firstError(between("ticket", ticket, MaxTicket), between("querier key", querierKey, MaxQuerierKey))
}

type statusService struct {
	pb.UnimplementedStatusServiceServer
	handler StatusHandler
}

func (s *statusService) Get(ctx context.Context, _ *pb.StatusServiceGetRequest) (*pb.StatusServiceGetResponse, error) {
	st, err := s.handler(ctx)
	return statusToPB(st), err
}

// roleOf is the part of a path before the slash.
func roleOf(path string) string {
	role, _, _ := strings.Cut(path, "/")
	return role
}
