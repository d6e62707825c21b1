package wire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	"statnet/wire/pb"
)

// maxTransfers bounds how many blobs one peer may move at once: each holds
// memory for as long as the peer likes to be slow.
const maxTransfers = 32

// blobService moves blobs between a BlobHandler and the wire.
type blobService struct {
	pb.UnimplementedBlobServiceServer
	handler BlobHandler
	max     int64 // bytes of one blob

	mu     sync.Mutex
	active map[string]int // transfers by peer path; guarded by mu
}

// begin counts a transfer of the caller in; end counts it out.
func (s *blobService) begin(ctx context.Context) (end func(), err error) {
	peer := PeerFrom(ctx).Path()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active[peer] >= maxTransfers {
		return nil, NewError(CodeRate, "%d blobs of %s in transfer, at most %d", s.active[peer], peer, maxTransfers)
	}
	s.active[peer]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.active[peer]--; s.active[peer] == 0 {
			delete(s.active, peer)
		}
	}, nil
}

// Put receives a blob and hands it on once it has the digest it was announced with.
func (s *blobService) Put(stream grpc.ClientStreamingServer[pb.PutRequest, pb.PutResponse]) error {
	end, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer end()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	digest := first.GetDigest()
	if err := exactly("digest", digest, digestSize); err != nil {
		return err
	}
	data, err := collect(first.GetTotal(), s.max, first.GetData(), func() ([]byte, error) {
		r, err := stream.Recv()
		if err == nil && (len(r.GetDigest()) != 0 || r.GetTotal() != 0) {
			return nil, NewError(CodeMalformed, "blob announced twice")
		}
		return r.GetData(), err
	})
	if err != nil {
		return err
	}
	if err := checkDigest(digest, data); err != nil {
		return err
	}
	if err := s.handler.PutBlob(stream.Context(), digest, data); err != nil {
		return err
	}
	return stream.SendAndClose(&pb.PutResponse{})
}

// Get sends a blob in chunks.
func (s *blobService) Get(r *pb.GetRequest, stream grpc.ServerStreamingServer[pb.GetResponse]) error {
	end, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer end()
	if err := exactly("digest", r.GetDigest(), digestSize); err != nil {
		return err
	}
	data, err := s.handler.GetBlob(stream.Context(), r.GetDigest())
	if err != nil {
		return err
	}
	total := uint64(len(data))
	for len(data) > 0 {
		n := min(len(data), ChunkSize)
		if err := stream.Send(&pb.GetResponse{Total: total, Data: data[:n]}); err != nil {
			return err
		}
		total, data = 0, data[n:]
	}
	return nil
}

// Has says whether a blob is here.
func (s *blobService) Has(ctx context.Context, r *pb.HasRequest) (*pb.HasResponse, error) {
	if err := exactly("digest", r.GetDigest(), digestSize); err != nil {
		return nil, err
	}
	has, err := s.handler.HasBlob(ctx, r.GetDigest())
	return &pb.HasResponse{Has: has}, err
}

// collect assembles total bytes out of first and what next returns, and
// requires that the stream ends there.
func collect(total uint64, max int64, first []byte, next func() ([]byte, error)) ([]byte, error) {
	a, err := newAssembly(total, max)
	if err != nil {
		return nil, err
	}
	for data := first; ; {
		if err := a.add(data); err != nil {
			return nil, err
		}
		data, err = next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if !a.complete() {
		return nil, NewError(CodeMalformed, "stream ended after %d of %d bytes", a.received(), total)
	}
	return a.buf, nil
}

func checkDigest(digest, data []byte) error {
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], digest) {
		return NewError(CodeMalformed, "blob of %d bytes has SHA-256 %x, not %x", len(data), sum, digest)
	}
	return nil
}

// PutBlob sends a blob; digest must be its SHA-256. Sending one that the
// verifier has already is no error.
func (c *VerifierClient) PutBlob(ctx context.Context, digest, data []byte) error {
	return c.call(ctx, "put blob to", c.d.cfg.Timeouts.Blob, func(ctx context.Context, conn *grpc.ClientConn) error {
		if err := firstError(exactly("digest", digest, digestSize), between("blob", data, MaxBlob), checkDigest(digest, data)); err != nil {
			return err
		}
		stream, err := pb.NewBlobServiceClient(conn).Put(ctx)
		if err != nil {
			return err
		}
		m := &pb.PutRequest{Digest: digest, Total: uint64(len(data))}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), ChunkSize)
			m.Data, rest = rest[:n], rest[n:]
			if err := stream.Send(m); err != nil {
				break // CloseAndRecv has the server's reason
			}
			m = &pb.PutRequest{}
		}
		_, err = stream.CloseAndRecv()
		return err
	})
}

// GetBlob fetches a blob of at most max bytes. What it returns has the SHA-256
// digest; a verifier that announces more than max is refused before memory is
// taken for it.
func (c *VerifierClient) GetBlob(ctx context.Context, digest []byte, max int64) ([]byte, error) {
	var data []byte
	err := c.call(ctx, "get blob from", c.d.cfg.Timeouts.Blob, func(ctx context.Context, conn *grpc.ClientConn) error {
		stream, err := pb.NewBlobServiceClient(conn).Get(ctx, &pb.GetRequest{Digest: digest})
		if err != nil {
			return err
		}
		first, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return NewError(CodeBadAnswer, "stream without data")
		}
		if err != nil {
			return err
		}
		var lost error // of the call, not of what it brought
		data, err = collect(first.GetTotal(), max, first.GetData(), func() ([]byte, error) {
			r, err := stream.Recv()
			if err != nil && !errors.Is(err, io.EOF) {
				lost = err
			}
			return r.GetData(), err
		})
		if lost != nil {
			return lost
		}
		return badAnswer(firstError(err, checkDigest(digest, data)))
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// HasBlob asks whether the verifier has a blob.
func (c *VerifierClient) HasBlob(ctx context.Context, digest []byte) (bool, error) {
	var has bool
	err := c.call(ctx, "look for blob at", c.d.cfg.Timeouts.Call, func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := pb.NewBlobServiceClient(conn).Has(ctx, &pb.HasRequest{Digest: digest})
		has = r.GetHas()
		return err
	})
	return has, err
}
