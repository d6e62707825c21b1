package node_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"statnet/chain/fsm"
	"statnet/internal/node"
	"statnet/internal/provision"
	"statnet/wire"
)

// says is a verifier that answers every Submit and Put alike.
type says struct {
	wire.LedgerHandler
	submit, put error
	silent      bool // Put never ends by itself
	blob        []byte

	mu    sync.Mutex
	asked int // Submits
}

func (s *says) Submit(context.Context, []byte) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return 7, s.submit
}
func (s *says) PutBlob(ctx context.Context, _, _ []byte) error {
	if s.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.put
}
func (s *says) GetBlob(context.Context, []byte) ([]byte, error) {
	if s.blob == nil {
		return nil, wire.NewError(wire.CodeNotFound, "not here")
	}
	return s.blob, nil
}
func (s *says) HasBlob(context.Context, []byte) (bool, error) { return s.blob != nil, nil }

// four serves one double for each of four verifiers (f = 1, q = 3) and returns
// them as a gateway sees them. A nil double does not answer at all.
func four(t *testing.T, doubles ...*says) *node.Verifiers {
	t.Helper()
	a := &provision.Addresses{Servers: []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
		Raft: []string{"127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6", "127.0.0.1:7"}}
	var listeners []net.Listener
	for range doubles {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, a.Verifiers = append(listeners, l), append(a.Verifiers, l.Addr().String())
	}
	w := write(t, provision.Spec{Addresses: a})
	open := func(id string) *node.Node {
		f := read(t, w, id)
		n, err := node.Open(f.node, f.cluster, f.genesis, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		return n
	}
	ctx, cancel := context.WithCancel(context.Background())
	var eg errgroup.Group
	for i, d := range doubles {
		if d == nil {
			_ = listeners[i].Close()
			continue
		}
		n := open(fmt.Sprintf("v%d", i+1))
		s := wire.NewServer(n.Credentials, n.Log, n.Known, wire.WithErrors(node.WireError))
		s.RegisterLedger(d)
		s.RegisterBlobs(d, 1<<20)
		eg.Go(func() error { return s.Serve(ctx, listeners[i]) })
	}
	t.Cleanup(func() {
		cancel()
		_ = eg.Wait()
	})
	return open("gw-1").Verifiers
}

var (
	refusal = &fsm.Refusal{Code: fsm.PolicyRule, Rule: "P1", Text: "may ask nothing"}
	broken  = wire.NewError(wire.CodeUnavailable, "no leader")
)

// TestSubmitBelievesNoSingleVerifier: a refusal counts when f+1 = 2 verifiers
// give it, as one of those is honest.
func TestSubmitBelievesNoSingleVerifier(t *testing.T) {
	no, yes, down := func() *says { return &says{submit: refusal} }, func() *says { return &says{} }, func() *says { return &says{submit: broken} }
	for _, tt := range []struct {
		name    string
		doubles []*says
		want    string // refused, accepted, unavailable
	}{
		{"all accept", []*says{yes(), yes(), yes(), yes()}, "accepted"},
		{"v1 refuses", []*says{no(), yes(), yes(), yes()}, "accepted"},
		{"v2 refuses", []*says{yes(), no(), yes(), yes()}, "accepted"},
		{"v3 refuses", []*says{yes(), yes(), no(), yes()}, "accepted"},
		{"v4 refuses", []*says{yes(), yes(), yes(), no()}, "accepted"},
		{"one refuses, the others are down", []*says{no(), down(), down(), nil}, "unavailable"},
		{"two refuse, two are down", []*says{no(), down(), no(), nil}, "refused"},
		{"three are down", []*says{nil, down(), yes(), down()}, "accepted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := four(t, tt.doubles...)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			index, err := v.Submit(ctx, []byte("leaf"))
			r, refused := node.Refusal(err)
			got := map[bool]string{true: "accepted", false: "unavailable"}[err == nil]
			if refused {
				got = "refused"
			}
			if got != tt.want || err == nil && index != 7 || refused && r.Code != fsm.PolicyRule {
				t.Errorf("Submit = %d, %v: %s, want %s", index, err, got, tt.want)
			}
		})
	}
}

// TestPutBlobWantsAQuorum: 3 of 4.
func TestPutBlobWantsAQuorum(t *testing.T) {
	full := wire.NewError(wire.CodeDiskLow, "full")
	data := []byte("ciphertext")
	digest := sha256.Sum256(data)
	for _, tt := range []struct {
		name    string
		doubles []*says
		stored  bool
	}{
		{"all have it", []*says{{}, {}, {}, {}}, true},
		{"three have it", []*says{{}, {put: full}, {}, {}}, true},
		{"two have it", []*says{{}, {put: full}, {put: full}, {}}, false},
		{"two have it, two are silent", []*says{{}, {silent: true}, {silent: true}, {}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := four(t, tt.doubles...)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			err := v.PutBlob(ctx, digest[:], data)
			if (err == nil) != tt.stored || err != nil && !strings.Contains(err.Error(), "of 4 verifiers, 3 are needed") {
				t.Errorf("PutBlob = %v, want it stored: %v", err, tt.stored)
			}
		})
	}
}

// TestGetBlobGoesOnToTheNext: other bytes than those of the digest are as good
// as none.
func TestGetBlobGoesOnToTheNext(t *testing.T) {
	data := []byte("share")
	digest := sha256.Sum256(data)
	lie := []byte("shame")
	got, err := four(t, &says{blob: lie}, &says{}, &says{blob: lie}, &says{blob: data}).GetBlob(t.Context(), digest[:], 100)
	if err != nil || string(got) != "share" {
		t.Errorf("GetBlob = %q, %v, want the bytes of v4", got, err)
	}
	if _, err := four(t, &says{blob: lie}, &says{}, &says{blob: lie}, &says{}).GetBlob(t.Context(), digest[:], 100); err == nil {
		t.Error("GetBlob took other bytes")
	}
}

func TestRefusalsKeepTheirCode(t *testing.T) {
	for _, c := range []fsm.Code{fsm.PolicyRule, fsm.Late, fsm.Stale, fsm.Conflict, fsm.BadSignature, fsm.UnknownSigner, fsm.WrongRole, fsm.Malformed, fsm.WrongPhase, fsm.Unsupported} {
		over := node.WireError(&fsm.Refusal{Code: c, Text: "x"})
		if over == nil {
			t.Errorf("%s does not cross the wire", c)
			continue
		}
		if r, ok := node.Refusal(over); !ok || r.Code != c {
			t.Errorf("%s arrives as %v", c, r)
		}
	}
	for _, err := range []error{nil, errors.New("disk"), wire.NewError(wire.CodeUnavailable, "down")} {
		if r, ok := node.Refusal(err); ok {
			t.Errorf("%v is taken for the refusal %v", err, r)
		}
	}
}
