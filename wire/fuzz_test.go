package wire

import (
	"bytes"
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"statnet/wire/pb"
)

// requests is one decoder and handler per method with one request. The error
// is a refusal; only a panic or a broken bound is a finding.
var requests = []func(n *fakeNode, b []byte) error{
	decode(func(n *fakeNode, m *pb.SubmitRequest) error {
		_, err := (&ledgerService{handler: n}).Submit(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.GetTicketRequest) error {
		_, err := (&ledgerService{handler: n}).GetTicket(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.GetEntriesRequest) error {
		r, err := (&ledgerService{handler: n}).GetEntries(context.Background(), m)
		if len(r.GetLeaves()) > MaxEntries {
			panic("too many leaves")
		}
		return err
	}),
	decode(func(n *fakeNode, m *pb.GetProofRequest) error {
		_, err := (&ledgerService{handler: n}).GetProof(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.GetConsistencyRequest) error {
		_, err := (&ledgerService{handler: n}).GetConsistency(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.ForwardRequest) error {
		_, err := (&peerService{handler: n}).Forward(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.PushCosignatureRequest) error {
		_, err := (&peerService{handler: n}).PushCosignature(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.DistributeRequest) error {
		_, err := (&serverService{handler: n}).Distribute(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.ReadyRequest) error {
		_, err := (&serverService{handler: n}).Ready(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.DealRequest) error {
		_, err := (&serverService{handler: n}).Deal(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.RunRequest) error {
		_, err := (&queryService{handler: n}).Run(context.Background(), m)
		return err
	}),
	decode(func(n *fakeNode, m *pb.HasRequest) error {
		_, err := (&blobService{handler: n}).Has(context.Background(), m)
		return err
	}),
	decode(func(_ *fakeNode, m *pb.StatusServiceGetResponse) error {
		_, err := statusFromPB("server/s1", m)
		return err
	}),
}

func decode[M any, P interface {
	*M
	proto.Message
}](f func(*fakeNode, P) error) func(*fakeNode, []byte) error {
	return func(n *fakeNode, b []byte) error {
		m := P(new(M))
		if err := proto.Unmarshal(b, m); err != nil {
			return err
		}
		return f(n, m)
	}
}

// FuzzRequests gives arbitrary bytes to every handler with one request.
func FuzzRequests(f *testing.F) {
	leaf, _ := proto.Marshal(&pb.SubmitRequest{Leaf: []byte("leaf")})
	deal, _ := proto.Marshal(&pb.DealRequest{Epoch: 1, Set: 3, Seed: []byte("seed")})
	run, _ := proto.Marshal(&pb.RunRequest{Ticket: []byte("t"), QuerierKey: []byte("k")})
	entries, _ := proto.Marshal(&pb.GetEntriesRequest{From: 1 << 63, Max: 1<<32 - 1})
	for i := range requests {
		for _, b := range [][]byte{nil, leaf, deal, run, entries} {
			f.Add(byte(i), b)
		}
	}
	node := &fakeNode{entries: make([][]byte, 2000)}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		node.calls = nil
		_ = requests[int(which)%len(requests)](node, b) // any error is a refusal
	})
}

// fuzzStream plays messages to a handler that receives a stream.
type fuzzStream struct {
	grpc.ServerStream
	messages [][]byte
}

func (s *fuzzStream) Context() context.Context    { return context.Background() }
func (s *fuzzStream) SendMsg(any) error           { return nil }
func (s *fuzzStream) SetHeader(metadata.MD) error { return nil }
func (s *fuzzStream) RecvMsg(m any) error {
	if len(s.messages) == 0 {
		return context.Canceled
	}
	next := s.messages[0]
	s.messages = s.messages[1:]
	return proto.Unmarshal(next, m.(proto.Message))
}

// split cuts bytes into messages at 0xfe 0xfe.
func split(b []byte) [][]byte { return bytes.Split(b, []byte{0xfe, 0xfe}) }

func join(messages ...proto.Message) []byte {
	var parts [][]byte
	for _, m := range messages {
		b, _ := proto.Marshal(m) // of our own making
		parts = append(parts, b)
	}
	return bytes.Join(parts, []byte{0xfe, 0xfe})
}

// FuzzStreams gives arbitrary messages to the handlers of Put and Attach. What
// they keep must stay within its bounds.
func FuzzStreams(f *testing.F) {
	digest, data := blobOf(100)
	f.Add(join(&pb.PutRequest{Digest: digest, Total: 100, Data: data}))
	f.Add(join(&pb.PutRequest{Digest: digest, Total: 4 << 30, Data: data}, &pb.PutRequest{Data: data}))
	f.Add(join(helloMessage(1),
		&pb.AttachRequest{Message: &pb.AttachRequest_Chunk{Chunk: &pb.Chunk{QueryId: queryID(1), Total: 100, Data: data[:50]}}},
		&pb.AttachRequest{Message: &pb.AttachRequest_Chunk{Chunk: &pb.Chunk{QueryId: queryID(1), Offset: 50, Total: 100, Data: data[50:]}}},
		&pb.AttachRequest{Message: &pb.AttachRequest_Failed{Failed: &pb.Failed{QueryId: queryID(2), Code: 1, Reason: "r"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		blobs := &blobService{handler: &fakeNode{}, max: 1 << 20, active: map[string]int{}}
		_ = blobs.Put(&grpc.GenericServerStream[pb.PutRequest, pb.PutResponse]{ServerStream: &fuzzStream{messages: split(b)}})
		if len(blobs.active) != 0 {
			t.Error("a transfer is still counted")
		}
		hub := (&linkLog{}).hub()
		l := newLink("gw-1")
		go func() { // the sender of Attach
			for {
				select {
				case <-l.out:
				case <-l.done:
					return
				}
			}
		}()
		l.end(hub.receive(&grpc.GenericServerStream[pb.AttachRequest, pb.AttachResponse]{ServerStream: &fuzzStream{messages: split(b)}}, l))
		if n := len(hub.uploads["gw-1"]); n > maxUploads {
			t.Errorf("%d uploads are kept", n)
		}
	})
}

// FuzzLinkMessages gives a gateway arbitrary messages of a hostile server.
func FuzzLinkMessages(f *testing.F) {
	f.Add(join(&pb.AttachResponse{Message: &pb.AttachResponse_Welcome{Welcome: &pb.Welcome{Protocol: 1, MaxChunk: ChunkSize, Credit: 4}}},
		&pb.AttachResponse{Message: &pb.AttachResponse_Task{Task: &pb.Task{QueryId: queryID(1), Ticket: []byte("t"), DeadlineUnixMs: -1 << 63}}},
		ackMessage(queryID(1), 3), cancelMessage(queryID(1)),
		&pb.AttachResponse{Message: &pb.AttachResponse_Drain{Drain: &pb.Drain{}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &Link{uploads: map[[32]byte]*upload{}}
		up := &upload{id: [32]byte(queryID(1)), data: make([]byte, 10), wake: make(chan struct{}, 1)}
		l.uploads[up.id] = up
		s := &session{}
		l.hello(s)
		for _, part := range split(b) {
			m := &pb.AttachResponse{}
			if proto.Unmarshal(part, m) != nil || l.welcome(m.GetWelcome()) != nil && l.handle(s, m) != nil {
				return
			}
			if up.acked > len(up.data) || up.sent > len(up.data) {
				t.Fatalf("acknowledged %d, sent %d of %d bytes", up.acked, up.sent, len(up.data))
			}
			if _, _, err := l.next(s, up); err != nil {
				return
			}
		}
	})
}
