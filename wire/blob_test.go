package wire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"

	"statnet/wire/pb"
)

func blobOf(n int) (digest, data []byte) {
	data = make([]byte, n)
	for i := range data {
		data[i] = byte(i * 31 >> 3)
	}
	sum := sha256.Sum256(data)
	return sum[:], data
}

func TestBlobRoundTrip(t *testing.T) {
	v := startServer(t, "verifier/v1", &fakeNode{}, nil, everyone)
	c := dialAs(t, "gateway/gw-1", v).Verifier("v1")
	ctx := context.Background()
	for _, size := range []int{1, ChunkSize - 1, ChunkSize, ChunkSize + 1, 3*ChunkSize + 17, 8 << 20} {
		digest, data := blobOf(size)
		if has, err := c.HasBlob(ctx, digest); err != nil || has {
			t.Errorf("HasBlob before = %v, %v, want false", has, err)
		}
		if err := c.PutBlob(ctx, digest, data); err != nil {
			t.Errorf("PutBlob of %d bytes: %v", size, err)
		}
		if has, err := c.HasBlob(ctx, digest); err != nil || !has {
			t.Errorf("HasBlob after = %v, %v, want true", has, err)
		}
		got, err := c.GetBlob(ctx, digest, int64(size))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("GetBlob of %d bytes = %d bytes, %v", size, len(got), err)
		}
		got, err = c.GetBlob(ctx, digest, int64(size)-1)
		wantCode(t, "GetBlob with a byte less allowed", err, CodeBadAnswer)
		if got != nil {
			t.Errorf("GetBlob returns %d bytes beside an error", len(got))
		}
	}
	digest, data := blobOf(8<<20 + 1)
	wantCode(t, "PutBlob above the server's maximum", c.PutBlob(ctx, digest, data), CodeTooLarge)
	wantCode(t, "PutBlob under another digest", c.PutBlob(ctx, make([]byte, 32), []byte("x")), CodeMalformed)
	wantCode(t, "PutBlob of nothing", c.PutBlob(ctx, digest, nil), CodeMalformed)
	_, err := c.GetBlob(ctx, digest, 1<<20)
	wantCode(t, "GetBlob of an unknown digest", err, CodeNotFound)
}

// rawPut sends messages that PutBlob would not, and returns the server's word.
func rawPut(conn *grpc.ClientConn, messages ...*pb.PutRequest) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := pb.NewBlobServiceClient(conn).Put(ctx)
	if err != nil {
		return fromStatus("put", err)
	}
	for _, m := range messages {
		if stream.Send(m) != nil {
			break
		}
	}
	_, err = stream.CloseAndRecv()
	return fromStatus("put", err)
}

func TestHostilePut(t *testing.T) {
	node := &fakeNode{}
	v := startServer(t, "verifier/v1", node, nil, everyone)
	conn := connTo(t, dialAs(t, "gateway/gw-1", v), v.path)
	digest, data := blobOf(1000)
	put := func(total uint64, data []byte) *pb.PutRequest {
		return &pb.PutRequest{Digest: digest, Total: total, Data: data}
	}
	tests := []struct {
		name string
		send []*pb.PutRequest
		want string
	}{
		{"a good blob in two parts", []*pb.PutRequest{put(1000, data[:400]), {Data: data[400:]}}, ""},
		{"4 GiB announced", []*pb.PutRequest{put(4<<30, data)}, CodeTooLarge},
		{"the largest number announced", []*pb.PutRequest{put(1<<64-1, data)}, CodeTooLarge},
		{"nothing announced", []*pb.PutRequest{put(0, data)}, CodeMalformed},
		{"a byte more than announced", []*pb.PutRequest{put(999, data)}, CodeTooLarge},
		{"more than announced, later", []*pb.PutRequest{put(1000, data[:400]), {Data: data[399:]}}, CodeTooLarge},
		{"a byte less than announced", []*pb.PutRequest{put(1001, data)}, CodeMalformed},
		{"an empty first part", []*pb.PutRequest{put(1000, nil), {Data: data}}, CodeMalformed},
		{"an empty part between", []*pb.PutRequest{put(1000, data[:1]), {}, {Data: data[1:]}}, CodeMalformed},
		{"announced twice", []*pb.PutRequest{put(1000, data[:400]), put(1000, data[400:])}, CodeMalformed},
		{"a chunk too long", []*pb.PutRequest{put(1<<20, make([]byte, ChunkSize+1))}, CodeTooLarge},
		{"other bytes than the digest says", []*pb.PutRequest{put(1000, make([]byte, 1000))}, CodeMalformed},
		{"a short digest", []*pb.PutRequest{{Digest: digest[:31], Total: 1000, Data: data}}, CodeMalformed},
		{"nothing at all", nil, CodeMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			node.mu.Lock()
			node.blobs = nil
			node.mu.Unlock()
			wantCode(t, "put", rawPut(conn, tt.send...), tt.want)
			node.mu.Lock()
			defer node.mu.Unlock()
			if got := len(node.blobs) == 1; got != (tt.want == "") {
				t.Errorf("blob stored = %v, want %v", got, tt.want == "")
			}
		})
	}
}

// A peer that announces 4 GiB, or 8 MiB many times without sending them, costs
// no memory: all that was ever allocated is counted, freed or not.
func TestAnnouncingCostsNoMemory(t *testing.T) {
	v := startServer(t, "verifier/v1", &fakeNode{}, nil, everyone)
	conn := connTo(t, dialAs(t, "gateway/gw-1", v), v.path)
	digest, _ := blobOf(1)
	before := allocated()
	for range 100 {
		wantCode(t, "put of 4 GiB", rawPut(conn, &pb.PutRequest{Digest: digest, Total: 4 << 30, Data: []byte{1}}), CodeTooLarge)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 100 {
		stream, err := pb.NewBlobServiceClient(conn).Put(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&pb.PutRequest{Digest: digest, Total: 8 << 20, Data: []byte{1}}); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	if grown := allocated() - before; grown > 16<<20 {
		t.Errorf("%d bytes were allocated, want less than 16 MiB", grown)
	}
	eventually(t, "one more transfer is refused", func() bool {
		return Code(rawPut(conn, &pb.PutRequest{Digest: digest, Total: 1, Data: []byte{1}})) == CodeRate
	})
	other := dialAs(t, "gateway/gw-2", v).Verifier("v1")
	digest, data := blobOf(5)
	if err := other.PutBlob(context.Background(), digest, data); err != nil {
		t.Errorf("put of another gateway meanwhile: %v, want none", err)
	}
	cancel()
	eventually(t, "the first gateway's transfers end", func() bool {
		return rawPut(conn, &pb.PutRequest{Digest: digest, Total: 5, Data: data}) == nil
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// liar is a verifier whose blobs are not what was asked for.
type liar struct {
	pb.UnimplementedBlobServiceServer
	send []*pb.GetResponse
}

func (l *liar) Get(_ *pb.GetRequest, stream grpc.ServerStreamingServer[pb.GetResponse]) error {
	for _, m := range l.send {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func TestHostileGet(t *testing.T) {
	l := &liar{}
	s := NewServer(credentialsOf(t, "verifier/v1"), nil, everyone)
	pb.RegisterBlobServiceServer(s.grpc, l)
	v := serve(t, "verifier/v1", s, listen(t))
	c := dialAs(t, "server/s1", v).Verifier("v1")
	digest, data := blobOf(1000)
	tests := []struct {
		name string
		send []*pb.GetResponse
		want string
	}{
		{"the blob", []*pb.GetResponse{{Total: 1000, Data: data}}, ""},
		{"other bytes", []*pb.GetResponse{{Total: 1000, Data: make([]byte, 1000)}}, CodeBadAnswer},
		{"4 GiB announced", []*pb.GetResponse{{Total: 4 << 30, Data: data}}, CodeBadAnswer},
		{"more than announced", []*pb.GetResponse{{Total: 999, Data: data}}, CodeBadAnswer},
		{"less than announced", []*pb.GetResponse{{Total: 1000, Data: data[1:]}}, CodeBadAnswer},
		{"nothing", nil, CodeBadAnswer},
		{"empty parts for ever", []*pb.GetResponse{{Total: 1000}, {}, {}}, CodeBadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l.send = tt.send
			_, err := c.GetBlob(context.Background(), digest, 1<<20)
			wantCode(t, "GetBlob", err, tt.want)
		})
	}
}

func BenchmarkBlob(b *testing.B) {
	for _, size := range []int{108 << 10, 8 << 20} {
		v := startServer(b, "verifier/v1", &fakeNode{}, nil, everyone)
		c := dialAs(b, "gateway/gw-1", v).Verifier("v1")
		digest, data := blobOf(size)
		b.Run(fmt.Sprintf("put/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := c.PutBlob(context.Background(), digest, data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("get/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := c.GetBlob(context.Background(), digest, int64(size)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSubmit(b *testing.B) {
	v := startServer(b, "verifier/v1", &fakeNode{}, nil, everyone)
	c := dialAs(b, "gateway/gw-1", v).Verifier("v1")
	leaf := make([]byte, 1024)
	for b.Loop() {
		if _, err := c.Submit(context.Background(), leaf); err != nil {
			b.Fatal(err)
		}
	}
}
