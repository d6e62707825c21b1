package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"statnet/crypto/pki"
	"statnet/wire/pb"
)

var rolePaths = map[string]string{
	"g": "gateway/gw-1", "s": "server/s2", "v": "verifier/v2", "q": "querier/dr-a", "o": "operator/op-1",
}

// methodTable says who may call what, written down a second time: a change of
// the table in roles.go must be made here as well, on purpose.
var methodTable = map[string]string{
	"LedgerService/Submit": "gsvqo", "LedgerService/GetCheckpoint": "gsvqo", "LedgerService/GetTicket": "gsvqo",
	"LedgerService/GetEntries": "gsvqo", "LedgerService/GetProof": "gsvqo", "LedgerService/GetConsistency": "gsvqo",
	"LedgerService/Watch": "gsvqo",
	"BlobService/Put":     "gsq", "BlobService/Get": "gsvqo", "BlobService/Has": "gsvqo",
	"PeerService/Forward": "v", "PeerService/PushCosignature": "v", "PeerService/ClaimTime": "v",
	"GatewayLinkService/Attach": "g",
	"ServerService/Distribute":  "s", "ServerService/Ready": "s", "ServerService/Deal": "s",
	"QueryService/Run":  "q",
	"StatusService/Get": "gsvqo",
}

func TestEveryMethodIsListed(t *testing.T) {
	s := newTestServer(t, "server/s1", &fakeNode{}, nil, everyone)
	served := map[string]bool{}
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			served["/"+service+"/"+m.Name] = true
		}
	}
	for method := range served {
		if _, ok := allowed[method]; !ok {
			t.Errorf("%s is served and not in the table", method)
		}
		if _, ok := methodTable[strings.TrimPrefix(method, "/statnet.v1.")]; !ok {
			t.Errorf("%s is served and not in the test's table", method)
		}
	}
	for method := range allowed {
		if !served[method] {
			t.Errorf("%s is in the table and not served", method)
		}
	}
	for service, methods := range retried {
		for _, m := range methods {
			if !served["/statnet.v1."+service+"/"+m] {
				t.Errorf("%s/%s is retried and not served", service, m)
			}
		}
	}
}

// Every method, every role: refused or not, over real connections.
func TestMethodByRole(t *testing.T) {
	s := startServer(t, "server/s1", &fakeNode{}, nil, everyone)
	for letter, path := range rolePaths {
		conn := connTo(t, dialAs(t, path, s), s.path)
		for method, who := range methodTable {
			t.Run(method+" by "+roleOf(path), func(t *testing.T) {
				err := fromStatus("call", rawCall(conn, "/statnet.v1."+method))
				if got, want := Code(err) == CodeNotAllowed, !strings.Contains(who, letter); got != want {
					t.Errorf("refused = %v (%v), want %v", got, err, want)
				}
			})
		}
	}
}

// rawCall sends an empty message to any method and takes the first answer.
func rawCall(conn *grpc.ClientConn, method string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return err
	}
	// The server's reason comes with RecvMsg, also when SendMsg fails.
	_ = stream.SendMsg(&emptypb.Empty{})
	_ = stream.CloseSend()
	return stream.RecvMsg(&emptypb.Empty{})
}

func TestUnlistedMethodIsRefused(t *testing.T) {
	for _, role := range pki.Roles {
		if mayCall("/statnet.v1.LedgerService/Forget", role) || mayCall("", role) {
			t.Errorf("a %s may call a method that is not listed", role)
		}
	}
	if mayCall(pb.LedgerService_Submit_FullMethodName, "") {
		t.Error("a peer without a role may call")
	}
}

func TestCallsReachTheHandler(t *testing.T) {
	node := &fakeNode{entries: [][]byte{[]byte("a"), []byte("b"), []byte("c")}}
	v := startServer(t, "verifier/v1", node, nil, everyone)
	s := startServer(t, "server/s1", node, nil, everyone)
	ctx := context.Background()
	id := bytes.Repeat([]byte{1}, 32)
	byVerifier, byServer, byQuerier := dialAs(t, "verifier/v2", v), dialAs(t, "server/s2", s, v), dialAs(t, "querier/dr-a", s, v)
	c := byQuerier.Verifier("v1")

	check := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %v, %v, want %v", what, got, err, want)
		}
	}
	index, err := c.Submit(ctx, []byte("leaf"))
	check("Submit", index, uint64(4), err)
	note, err := c.Checkpoint(ctx)
	check("Checkpoint", string(note), "note", err)
	ticket, err := c.Ticket(ctx, id)
	check("Ticket", string(ticket), "ticket of "+string(id), err)
	leaves, err := c.Entries(ctx, 1, 1)
	check("Entries", leaves, [][]byte{[]byte("b")}, err)
	leaves, err = c.Entries(ctx, 3, 0)
	check("Entries at the end", len(leaves), 0, err)
	proof, err := c.Proof(ctx, 1, 3)
	check("Proof", len(proof), 1, err)
	consistency, err := c.Consistency(ctx, 1, 3)
	check("Consistency", len(consistency), 2, err)
	size, err := c.Wait(ctx, 41)
	check("Wait", size, uint64(42), err)
	st, err := c.Status(ctx)
	check("Status", st, NodeStatus{Path: "verifier/v1", Role: "verifier", Health: "ok?[2J", LedgerSize: 7, Attached: []string{"gw-1"}, Detail: map[string]string{"k": "v"}}, err)

	index, err = byVerifier.Peers().Forward(ctx, "v1", []byte("leaf5"))
	check("Forward", index, uint64(5), err)
	check("PushNote", nil, nil, byVerifier.Peers().PushNote(ctx, "v1", []byte("n")))
	claim, err := byVerifier.Peers().ClaimTime(ctx, "v1", 9)
	check("ClaimTime", claim, []byte{9}, err)
	check("Run", nil, nil, byQuerier.Server("s1").Run(ctx, []byte("t"), []byte("k")))
	check("Distribute", nil, nil, byServer.Server("s1").Distribute(ctx, []byte("t"), []byte("k")))
	check("Ready", nil, nil, byServer.Server("s1").Ready(ctx, id))
	check("Deal", nil, nil, byServer.Server("s1").Deal(ctx, 1, 65535, []byte("seed")))

	want := []string{
		"submit by querier/dr-a", "forward by verifier/v2", "note n by verifier/v2",
		"run by querier/dr-a", "distribute by server/s2", "ready by server/s2", "deal by server/s2",
	}
	if got := node.called(); !slices.Equal(got, want) {
		t.Errorf("handlers called: %q, want %q", got, want)
	}
}

func TestRequestLimits(t *testing.T) {
	node := &fakeNode{}
	v := startServer(t, "verifier/v1", node, nil, everyone)
	ctx := context.Background()
	b := func(n int) []byte { return make([]byte, n) }
	q, s, p := dialAs(t, "querier/dr-a", v), dialAs(t, "server/s2", v), dialAs(t, "verifier/v2", v)
	// The test server serves every service under one name.
	onServer := func(d *Dialer) *ServerClient { return &ServerClient{d.node("verifier/v1")} }
	tests := []struct {
		name string
		call func() error
		want string
	}{
		{"an empty leaf", func() error { _, err := q.Verifier("v1").Submit(ctx, nil); return err }, CodeMalformed},
		{"the longest leaf", func() error { _, err := q.Verifier("v1").Submit(ctx, b(MaxLeaf)); return err }, ""},
		{"a leaf one byte longer", func() error { _, err := q.Verifier("v1").Submit(ctx, b(MaxLeaf+1)); return err }, CodeTooLarge},
		{"a message above gRPC's limit", func() error { _, err := q.Verifier("v1").Submit(ctx, b(MaxMessage+1)); return err }, CodeTooLarge},
		{"a short query id", func() error { _, err := q.Verifier("v1").Ticket(ctx, b(31)); return err }, CodeMalformed},
		{"a proof outside the log", func() error { _, err := q.Verifier("v1").Proof(ctx, 5, 5); return err }, CodeMalformed},
		{"a consistency backwards", func() error { _, err := q.Verifier("v1").Consistency(ctx, 6, 5); return err }, CodeMalformed},
		{"a size beyond int64", func() error { _, err := q.Verifier("v1").Consistency(ctx, 6, 1<<63); return err }, CodeMalformed},
		{"a short digest", func() error { _, err := q.Verifier("v1").HasBlob(ctx, b(31)); return err }, CodeMalformed},
		{"a forwarded leaf too long", func() error { _, err := p.Verifier("v1").Forward(ctx, b(MaxLeaf+1)); return err }, CodeTooLarge},
		{"a note too long", func() error { return p.Verifier("v1").PushNote(ctx, b(MaxNote+1)) }, CodeTooLarge},
		{"a ticket too long", func() error { return onServer(q).Run(ctx, b(MaxTicket+1), b(1)) }, CodeTooLarge},
		{"no querier key", func() error { return onServer(q).Run(ctx, b(1), nil) }, CodeMalformed},
		{"a querier key too long", func() error { return onServer(s).Distribute(ctx, b(1), b(MaxQuerierKey+1)) }, CodeTooLarge},
		{"a long query id", func() error { return onServer(s).Ready(ctx, b(33)) }, CodeMalformed},
		{"no seed", func() error { return onServer(s).Deal(ctx, 1, 1, nil) }, CodeMalformed},
		{"a seed too long", func() error { return onServer(s).Deal(ctx, 1, 1, b(MaxSeed+1)) }, CodeTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantCode(t, "call", tt.call(), tt.want) })
	}
	_, err := pb.NewServerServiceClient(connTo(t, s, "verifier/v1")).Deal(ctx, &pb.DealRequest{Set: 1 << 16, Seed: b(1)})
	wantCode(t, "a set beyond 16 bits", fromStatus("deal", err), CodeMalformed)
}

func TestEntriesFitOneAnswer(t *testing.T) {
	leaf := make([]byte, MaxLeaf)
	node := &fakeNode{}
	for range 40 {
		node.entries = append(node.entries, leaf)
	}
	v := startServer(t, "verifier/v1", node, nil, everyone)
	got, err := dialAs(t, "querier/dr-a", v).Verifier("v1").Entries(context.Background(), 0, 1000)
	if want := MaxEntryBytes / MaxLeaf; err != nil || len(got) != want {
		t.Errorf("Entries = %d leaves, %v, want %d", len(got), err, want)
	}
}

func TestErrorsKeepTheirCode(t *testing.T) {
	var answer error
	node := &fakeNode{submit: func(context.Context, []byte) (uint64, error) { return 9, answer }}
	named := WithErrors(func(err error) *Error {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		if strings.Contains(err.Error(), "rule P6") {
			return NewError(CodePolicy, "%v", err)
		}
		return nil
	})
	v := startServer(t, "verifier/v1", node, nil, everyone, named)
	c := dialAs(t, "querier/dr-a", v).Verifier("v1")
	tests := []struct {
		name    string
		err     error
		code    string
		unknown bool
		text    string
	}{
		{"policy", NewError(CodePolicy, "P6: asked 5 times"), CodePolicy, false, "P6: asked 5 times"},
		{"wrapped", fmt.Errorf("leaf 7: %w", NewError(CodeConflict, "two")), CodeConflict, false, "two"},
		{"a role's own word", NewError("k_min", "4 of 10"), "k_min", false, "4 of 10"},
		{"translated", errors.New("rule P6 says no"), CodePolicy, false, "rule P6 says no"},
		{"deadline in the handler", context.DeadlineExceeded, CodeDeadline, true, ""},
		{"anything else stays inside", errPlain, CodeInternal, false, "see the log"},
	}
	for code := range grpcCodes {
		if code != CodeUnavailable { // retried, see below
			tests = append(tests, tests[0])
			last := &tests[len(tests)-1]
			last.name, last.err, last.code, last.text = code, NewError(code, "x"), code, "x"
			last.unknown = code == CodeDeadline || code == CodeInterrupted
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer = tt.err
			index, err := c.Submit(context.Background(), []byte("leaf"))
			wantCode(t, "Submit", err, tt.code)
			if OutcomeUnknown(err) != tt.unknown || !strings.Contains(err.Error(), tt.text) || index != 0 {
				t.Errorf("Submit = %d, %q, outcome unknown %v, want %q, %v", index, err, OutcomeUnknown(err), tt.text, tt.unknown)
			}
			if strings.Contains(err.Error(), "p-0001") {
				t.Errorf("a patient left the node: %v", err)
			}
			if !strings.HasPrefix(err.Error(), "submit to verifier/v1: ") {
				t.Errorf("error %q does not say what was tried", err)
			}
		})
	}
}

func TestPanicOfAHandlerIsContained(t *testing.T) {
	node := &fakeNode{
		submit: func(_ context.Context, leaf []byte) (uint64, error) { return uint64(leaf[len(leaf)]), nil },
		wait:   func(context.Context, uint64) (uint64, error) { panic(errPlain) },
	}
	v := startServer(t, "verifier/v1", node, nil, everyone)
	c := dialAs(t, "querier/dr-a", v).Verifier("v1")
	_, err := c.Submit(context.Background(), []byte("leaf"))
	wantCode(t, "Submit into a panic", err, CodeInternal)
	_, err = c.Wait(context.Background(), 1)
	wantCode(t, "Watch into a panic", err, CodeInternal)
	if _, err := c.Checkpoint(context.Background()); err != nil {
		t.Errorf("call after the panics: %v, want none", err)
	}
}

func TestRetries(t *testing.T) {
	var calls atomic.Int32
	busy := func() error {
		if calls.Add(1) < 3 {
			return NewError(CodeUnavailable, "no leader")
		}
		return nil
	}
	node := &fakeNode{
		submit: func(context.Context, []byte) (uint64, error) { return 5, busy() },
		deal:   func(context.Context, uint64, uint16, []byte) error { return busy() },
	}
	v := startServer(t, "verifier/v1", node, nil, everyone)
	s := startServer(t, "server/s1", node, nil, everyone)
	d := dialAs(t, "server/s2", v, s)
	index, err := d.Verifier("v1").Submit(context.Background(), []byte("leaf"))
	if err != nil || index != 5 || calls.Load() != 3 {
		t.Errorf("Submit = %d, %v after %d calls, want 5 after 3", index, err, calls.Load())
	}
	calls.Store(0)
	err = d.Server("s1").Deal(context.Background(), 1, 1, []byte("seed"))
	wantCode(t, "Deal", err, CodeUnavailable)
	if !OutcomeUnknown(err) || calls.Load() != 1 {
		t.Errorf("Deal was called %d times, outcome unknown %v, want once and unknown", calls.Load(), OutcomeUnknown(err))
	}
}

func TestCallsEndWithoutAServer(t *testing.T) {
	lis := listen(t)
	gone := &testServer{path: "verifier/v1", address: lis.Addr().String()}
	lis.Close()
	d := dialAs(t, "querier/dr-a", gone)
	_, err := d.Verifier("v1").Submit(context.Background(), []byte("leaf"))
	wantCode(t, "Submit to nobody", err, CodeUnavailable)
	_, err = d.Verifier("v9").Submit(context.Background(), []byte("leaf"))
	wantCode(t, "Submit to a verifier not in the file", err, CodeNotFound)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = d.Verifier("v1").Submit(ctx, []byte("leaf"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Submit after cancel: %v, want %v", err, context.Canceled)
	}
	d.Close()
	_, err = d.Verifier("v1").Submit(context.Background(), []byte("leaf"))
	wantCode(t, "Submit after Close", err, CodeUnavailable)
}

func TestCallsHaveADeadline(t *testing.T) {
	node := &fakeNode{submit: func(ctx context.Context, _ []byte) (uint64, error) { <-ctx.Done(); return 0, ctx.Err() }}
	v := startServer(t, "verifier/v1", node, nil, everyone)
	d := NewDialer(DialerConfig{Credentials: credentialsOf(t, "querier/dr-a"), Addresses: map[string]string{v.path: v.address}, Timeouts: Timeouts{Submit: 300 * time.Millisecond}})
	defer d.Close()
	_, err := d.Verifier("v1").Submit(context.Background(), []byte("leaf"))
	wantCode(t, "Submit to a verifier that does not answer", err, CodeDeadline)
	if !OutcomeUnknown(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want outcome unknown and %v", err, context.DeadlineExceeded)
	}
	if got, want := (Timeouts{}).withDefaults(), (Timeouts{2 * time.Second, time.Second, 5 * time.Second, time.Minute}); got != want {
		t.Errorf("default timeouts %v, want %v", got, want)
	}
}

// A node that is removed loses its next call, on the connection it has.
func TestRemovedNodeIsRefusedAtOnce(t *testing.T) {
	var removed atomic.Bool
	v := startServer(t, "verifier/v1", &fakeNode{}, nil, func(path string) bool { return path != "querier/dr-a" || !removed.Load() })
	c := dialAs(t, "querier/dr-a", v).Verifier("v1")
	_, err := c.Checkpoint(context.Background())
	wantCode(t, "call before", err, "")
	removed.Store(true)
	_, err = c.Checkpoint(context.Background())
	wantCode(t, "call after", err, CodeUnknownSigner)
}

func TestHostileStatus(t *testing.T) {
	for name, r := range map[string]*pb.StatusServiceGetResponse{
		"about another node": {Path: "server/s2"},
		"a root too long":    {Path: "server/s1", Root: make([]byte, 33)},
		"too many gateways":  {Path: "server/s1", Attached: make([]string, maxStatusItems+1)},
	} {
		_, err := statusFromPB("server/s1", r)
		wantCode(t, name, err, CodeBadAnswer)
	}
}

func TestPeerTextCannotForgeALine(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                              "plain",
		"a\nlevel=ERROR":                     "a?level=ERROR",
		"\x1b[31mred":                        "?[31mred",
		"\xff":                               "?",
		"Zürich":                             "Zürich",
		strings.Repeat("x", maxText+1):       strings.Repeat("x", maxText),
		strings.Repeat("x", maxText-1) + "ü": strings.Repeat("x", maxText-1) + "?",
	} {
		if got := cleanText(in); got != want {
			t.Errorf("cleanText(%.20q) = %.20q, want %.20q", in, got, want)
		}
	}
}
