package wire

import (
	"context"
	"errors"
	"fmt"

	"statnet/wire/pb"
)

// upload is one object on its way to the server. Its fields are guarded by
// Link.mu.
type upload struct {
	id        [32]byte
	data      []byte
	session   *session // that sent and acked are about
	sent      int      // bytes handed to the stream
	acked     int      // bytes the server holds; -1 until it has said so
	cancelled bool
	wake      chan struct{} // cap 1
}

func (u *upload) signal() {
	select {
	case u.wake <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// resume waits for the server's word in session s; start begins at 0 there.
func (u *upload) resume(s *session) { u.session, u.sent, u.acked = s, 0, -1 }
func (u *upload) start(s *session)  { u.session, u.sent, u.acked = s, 0, 0 }

// Upload sends data for a query and returns once the server holds all of it,
// over as many streams as that takes: a cut upload goes on where the server
// has it. It ends with ErrCancelled when the server refuses, or with ctx. The
// caller must not change data meanwhile. query step Q4.
//
// nil says that the server has the bytes, not that it accepted them.
func (l *Link) Upload(ctx context.Context, queryID, data []byte) error {
	if err := firstError(exactly("query id", queryID, queryIDSize), between("upload", data, MaxBlob)); err != nil {
		return err
	}
	up := &upload{id: [32]byte(queryID), data: data, wake: make(chan struct{}, 1)}
	if err := l.addUpload(up); err != nil {
		return err
	}
	defer l.dropUpload(up)
	for {
		s, err := l.wait(ctx)
		if err != nil {
			return fmt.Errorf("upload to server/%s: %w", l.cfg.Server, err)
		}
		err = l.transfer(ctx, s, up)
		if !errors.Is(err, ErrNotAttached) {
			return err
		}
	}
}

func (l *Link) addUpload(up *upload) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.uploads[up.id] != nil {
		return NewError(CodeConflict, "an upload of this query is in progress")
	}
	l.uploads[up.id] = up
	return nil
}

func (l *Link) dropUpload(up *upload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.uploads, up.id)
}

// transfer sends what the credit allows until all is acknowledged, or the
// session ends with ErrNotAttached.
func (l *Link) transfer(ctx context.Context, s *session, up *upload) error {
	for {
		chunk, finished, err := l.next(s, up)
		if err != nil || finished {
			return err
		}
		if chunk != nil {
			select {
			case s.out <- chunk:
				continue
			case <-s.done:
				return ErrNotAttached
			case <-ctx.Done():
				return fmt.Errorf("upload to server/%s: %w", l.cfg.Server, ctx.Err())
			}
		}
		select {
		case <-up.wake:
		case <-s.done:
			return ErrNotAttached
		case <-ctx.Done():
			return fmt.Errorf("upload to server/%s: %w", l.cfg.Server, ctx.Err())
		}
	}
}

// next cuts the next chunk, if the credit allows one now.
func (l *Link) next(s *session, up *upload) (chunk *pb.AttachRequest, finished bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if up.session != s { // not in this session's Hello
		up.start(s)
	}
	switch {
	case up.cancelled:
		return nil, false, ErrCancelled
	case up.acked == len(up.data):
		return nil, true, nil
	case up.acked < 0 || up.sent == len(up.data) || up.sent-up.acked > (linkCredit-1)*ChunkSize:
		return nil, false, nil
	}
	n := min(ChunkSize, len(up.data)-up.sent)
	c := &pb.Chunk{
		QueryId: up.id[:], Offset: uint64(up.sent), Total: uint64(len(up.data)),
		Data: up.data[up.sent : up.sent+n],
	}
	up.sent += n
	return &pb.AttachRequest{Message: &pb.AttachRequest_Chunk{Chunk: c}}, false, nil
}

// ack takes the server's word on how much it holds.
func (l *Link) ack(s *session, queryID []byte, received uint64) error {
	if err := exactly("query id", queryID, queryIDSize); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	up := l.uploads[[32]byte(queryID)]
	if up == nil || up.session != s {
		return nil // of an upload that its caller gave up
	}
	limit := up.sent
	if up.acked < 0 { // first word after a resume
		limit = len(up.data)
	}
	if received > uint64(limit) || int(received) < up.acked {
		return NewError(CodeMalformed, "server acknowledges %d bytes, %d were sent", received, limit)
	}
	if up.acked < 0 {
		up.sent = int(received)
	}
	up.acked = int(received)
	up.signal()
	return nil
}
