package wire

import (
	"bytes"
	"testing"

	"statnet/wire/pb"
)

// Resuming is not starting again: what the server has acknowledged is not sent twice.
func TestResumeSendsOnlyTheRest(t *testing.T) {
	hub := (&linkLog{}).hub()
	l := newLink("gw-1")
	if err := hub.register(l); err != nil {
		t.Fatal(err)
	}
	_, data := blobOf(3 * ChunkSize)
	first := &pb.Chunk{QueryId: queryID(1), Total: uint64(len(data)), Data: data[:ChunkSize]}
	if held, _, err := hub.chunk(l, first); held != ChunkSize || err != nil {
		t.Fatalf("first chunk: %d held, %v", held, err)
	}
	again := newLink("gw-1")
	if err := hub.register(again); err != nil {
		t.Fatal(err)
	}
	if got := hub.received("gw-1", [32]byte(queryID(1))); got != ChunkSize {
		t.Errorf("held after a reconnect = %d, want %d", got, ChunkSize)
	}
	g := &Link{uploads: map[[32]byte]*upload{}, changed: make(chan struct{})}
	up := &upload{id: [32]byte(queryID(1)), data: data, wake: make(chan struct{}, 1)}
	g.uploads[up.id] = up
	s := &session{out: make(chan *pb.AttachRequest, 9), done: make(chan struct{})}
	if got := g.hello(s).GetHello().GetUnfinished(); len(got) != 1 || !bytes.Equal(got[0], queryID(1)) {
		t.Errorf("unfinished in Hello = %x, want query 1", got)
	}
	if m, _, _ := g.next(s, up); m != nil {
		t.Error("a chunk is sent before the server said what it holds")
	}
	if err := g.ack(s, queryID(1), ChunkSize); err != nil {
		t.Fatal(err)
	}
	m, _, err := g.next(s, up)
	if got := m.GetChunk().GetOffset(); err != nil || got != ChunkSize {
		t.Errorf("next chunk at %d, %v, want %d", got, err, ChunkSize)
	}
	for _, lie := range []uint64{1, 3*ChunkSize + 1, 1 << 63} {
		if err := g.ack(s, queryID(1), lie); Code(err) != CodeMalformed {
			t.Errorf("acknowledgement of %d bytes: %v, want %s", lie, err, CodeMalformed)
		}
	}
	if _, _, err := hub.chunk(l, &pb.Chunk{QueryId: queryID(1), Offset: ChunkSize, Total: uint64(len(data)), Data: data[:1]}); Code(err) != CodeStale {
		t.Errorf("chunk of the replaced link: %v, want %s", err, CodeStale)
	}
}

func TestCreditBoundsWhatIsSent(t *testing.T) {
	g := &Link{uploads: map[[32]byte]*upload{}}
	s := &session{}
	up := &upload{id: [32]byte(queryID(1)), data: make([]byte, 9*ChunkSize), wake: make(chan struct{}, 1)}
	g.uploads[up.id] = up
	count := func() (n int) {
		for {
			m, _, err := g.next(s, up)
			if err != nil || m == nil {
				return n
			}
			n++
		}
	}
	if got := count(); got != linkCredit {
		t.Errorf("chunks before the first acknowledgement = %d, want %d", got, linkCredit)
	}
	if err := g.ack(s, queryID(1), 2*ChunkSize); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 2 {
		t.Errorf("chunks after two were acknowledged = %d, want 2", got)
	}
}

func TestHostileUploads(t *testing.T) {
	_, data := blobOf(1000)
	chunk := func(offset, total uint64, data []byte) *pb.Chunk {
		return &pb.Chunk{QueryId: queryID(1), Offset: offset, Total: total, Data: data}
	}
	over := &pb.Chunk{QueryId: queryID(0xff), Total: 1000, Data: data}
	tests := []struct {
		name string
		send []*pb.Chunk
		want string // code of the last
	}{
		{"in order", []*pb.Chunk{chunk(0, 1000, data[:400]), chunk(400, 1000, data[400:])}, ""},
		{"begun again", []*pb.Chunk{chunk(0, 1000, data[:400]), chunk(0, 1000, data)}, ""},
		{"4 GiB announced", []*pb.Chunk{chunk(0, 4<<30, data)}, CodeTooLarge},
		{"one byte above the query's maximum", []*pb.Chunk{chunk(0, 8<<20+1, data)}, CodeTooLarge},
		{"a query that is not open", []*pb.Chunk{over}, CodeTooLarge},
		{"a gap", []*pb.Chunk{chunk(0, 1000, data[:400]), chunk(401, 1000, data[401:])}, CodeMalformed},
		{"an overlap", []*pb.Chunk{chunk(0, 1000, data[:400]), chunk(399, 1000, data[399:])}, CodeMalformed},
		{"another total on the way", []*pb.Chunk{chunk(0, 1000, data[:400]), chunk(400, 1001, data[400:])}, CodeMalformed},
		{"a start in the middle", []*pb.Chunk{chunk(400, 1000, data[400:])}, CodeMalformed},
		{"more than announced", []*pb.Chunk{chunk(0, 10, data)}, CodeTooLarge},
		{"nothing in a chunk", []*pb.Chunk{chunk(0, 10, nil)}, CodeMalformed},
		{"nothing announced", []*pb.Chunk{chunk(0, 0, data)}, CodeMalformed},
		{"a chunk too long", []*pb.Chunk{chunk(0, 1<<20, make([]byte, ChunkSize+1))}, CodeTooLarge},
		{"the largest offset", []*pb.Chunk{chunk(1<<64-1, 1<<64-1, data)}, CodeMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hub, l := (&linkLog{}).hub(), newLink("gw-1")
			if err := hub.register(l); err != nil {
				t.Fatal(err)
			}
			var err error
			var whole []byte
			for _, c := range tt.send {
				_, whole, err = hub.chunk(l, c)
			}
			wantCode(t, "last chunk", err, tt.want)
			if got := bytes.Equal(whole, data); got != (tt.want == "") {
				t.Errorf("upload complete = %v, want %v", got, tt.want == "")
			}
			if n := len(hub.uploads["gw-1"]); n != 0 {
				t.Errorf("%d uploads are kept, want none", n)
			}
		})
	}
}

func TestUploadsOfOneGatewayAreBounded(t *testing.T) {
	over := map[byte]bool{}
	hub := NewLinkHub(HubConfig{MaxUpload: func(_ string, id []byte) int64 {
		if over[id[0]] {
			return 0
		}
		return 100
	}})
	l := newLink("gw-1")
	if err := hub.register(l); err != nil {
		t.Fatal(err)
	}
	begin := func(id byte) error {
		_, _, err := hub.chunk(l, &pb.Chunk{QueryId: queryID(id), Total: 100, Data: []byte{1}})
		return err
	}
	for id := range byte(maxUploads) {
		wantCode(t, "upload within the bound", begin(id), "")
	}
	wantCode(t, "one more", begin(100), CodeRate)
	over[3] = true
	wantCode(t, "one more after a query is over", begin(100), "")
	hub.Cancel(queryID(4))
	wantCode(t, "one more after a cancel", begin(101), "")
}
