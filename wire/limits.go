package wire

import "statnet/wire/pb"

// exactly refuses an identifier of another length.
func exactly(what string, b []byte, size int) error {
	if len(b) != size {
		return NewError(CodeMalformed, "%s has %d bytes, want %d", what, len(b), size)
	}
	return nil
}

// between refuses an object that is empty or longer than max.
func between(what string, b []byte, max int) error {
	if len(b) == 0 {
		return NewError(CodeMalformed, "%s is empty", what)
	}
	return atMost(what, b, max)
}

func atMost(what string, b []byte, max int) error {
	if len(b) > max {
		return NewError(CodeTooLarge, "%s has %d bytes, at most %d", what, len(b), max)
	}
	return nil
}

// listAtMost refuses more than count objects, or one longer than max.
func listAtMost(what string, list [][]byte, count, max int) error {
	if len(list) > count {
		return NewError(CodeTooLarge, "%d times %s, at most %d", len(list), what, count)
	}
	for _, b := range list {
		if err := atMost(what, b, max); err != nil {
			return err
		}
	}
	return nil
}

// badAnswer marks what is wrong with a peer's answer, so that nobody takes it
// for the peer's refusal of our request.
func badAnswer(err error) error {
	if err == nil {
		return nil
	}
	return NewError(CodeBadAnswer, "%v", err)
}

// firstError returns the first error of a list, so that a request's checks read as one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// trimEntries cuts a list of leaves to what one answer may hold; the caller
// asks again from where it ends. One leaf always passes.
func trimEntries(leaves [][]byte, max int) [][]byte {
	if len(leaves) > max {
		leaves = leaves[:max]
	}
	total := 0
	for i, leaf := range leaves {
		if total += len(leaf); total > MaxEntryBytes && i > 0 {
			return leaves[:i]
		}
	}
	return leaves
}

func statusToPB(s NodeStatus) *pb.StatusServiceGetResponse {
	return &pb.StatusServiceGetResponse{
		Path: s.Path, Version: s.Version, Health: s.Health,
		LedgerSize: s.LedgerSize, Root: s.Root, RaftState: s.RaftState,
		Attached: s.Attached, Detail: s.Detail,
	}
}

// maxStatusItems bounds the lists of a status.
const maxStatusItems = 4096

// statusFromPB cleans every text: a status is printed on an operator's
// terminal, and the node that wrote it may be hostile.
func statusFromPB(path string, r *pb.StatusServiceGetResponse) (NodeStatus, error) {
	if r.GetPath() != path {
		return NodeStatus{}, NewError(CodeBadAnswer, "status is about another node")
	}
	if len(r.GetAttached()) > maxStatusItems || len(r.GetDetail()) > maxStatusItems || len(r.GetRoot()) > digestSize {
		return NodeStatus{}, NewError(CodeBadAnswer, "status has too many items")
	}
	s := NodeStatus{
		Path: path, Role: roleOf(path), Version: cleanText(r.GetVersion()), Health: cleanText(r.GetHealth()),
		LedgerSize: r.GetLedgerSize(), Root: r.GetRoot(), RaftState: cleanText(r.GetRaftState()),
	}
	for _, gw := range r.GetAttached() {
		s.Attached = append(s.Attached, cleanText(gw))
	}
	for k, v := range r.GetDetail() {
		if s.Detail == nil {
			s.Detail = map[string]string{}
		}
		s.Detail[cleanText(k)] = cleanText(v)
	}
	return s, nil
}
