//go:build e2e

package testnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"statnet/chain/fsm"
	"statnet/chain/record"
	"statnet/internal/cli"
	"statnet/internal/node"
	"statnet/internal/testnet"
	"statnet/roles/gateway"
	"statnet/roles/querier"
	"statnet/stat"
	"statnet/wire/pb"
)

// TestCheatingGatewaysAreNamedAndExcluded lets every gateway but two do
// something else wrong in the same question.
func TestCheatingGatewaysAreNamedAndExcluded(t *testing.T) {
	t.Parallel()
	conflict := make(chan error, 1)
	var foreign [1]record.Pseudonym
	n := testnet.Start(t, testnet.Options{
		Gateways: 13, Patients: 13, Timeout: 20 * time.Second, // twenty nodes share the processors
		Gateway: map[string]func(*gateway.Gateway){
			"gw-3":  testnet.AltersUpload, // the verifiers have the right bytes
			"gw-4":  testnet.AltersOneBlob,
			"gw-5":  testnet.AnswersTwice(conflict), // the first one counts
			"gw-6":  testnet.AltersBlobs,
			"gw-7":  testnet.Ciphertexts(testnet.ResidueTooLarge),
			"gw-8":  testnet.Ciphertexts(testnet.OneByteShort),
			"gw-9":  testnet.Ciphertexts(testnet.FourMore),
			"gw-10": testnet.RepeatsCiphertext(),
			"gw-11": testnet.ReplaysRecord(),
			"gw-12": func(g *gateway.Gateway) { testnet.ForeignPatients(foreign[:]...)(g) },
		},
		Absent: []string{"gw-13"}, // its certificate is in worse hands
	})
	foreign[0] = record.PseudonymOf(n.Cluster.Name, "p-0001")
	honest := []string{"gw-1", "gw-2", "gw-3", "gw-4", "gw-5"}
	for _, tt := range []struct {
		question string
		in       []string
		out      map[string]string // excluded gateways, with the reason that the answer gives
	}{
		{"first", append(slices.Clone(honest), "gw-10", "gw-11"), map[string]string{}},
		{"second", honest, map[string]string{"gw-10": "no_answer", "gw-11": "no_answer"}},
	} {
		for gw, why := range map[string]string{"gw-6": "no_answer", "gw-7": "malformed", "gw-8": "malformed",
			"gw-9": "malformed", "gw-12": "no_answer", "gw-13": "no_answer"} {
			tt.out[gw] = why
		}
		t.Run(tt.question, func(t *testing.T) {
			uploads := announceFourGigabytes(t, n, "gw-13")
			a := ask(t, n, n.Question(stat.Variance, stat.RR))
			slices.Sort(tt.in)
			check(t, n, a, tt.in...)
			if !a.Partial() || len(a.Query.Excluded()) != len(tt.out) {
				t.Errorf("partial = %v, excluded %v, want %v", a.Partial(), a.Query.Excluded(), tt.out)
			}
			for _, e := range a.Query.Excluded() {
				if id := strings.TrimPrefix(e.Path, "gateway/"); e.Code.String() != tt.out[id] {
					t.Errorf("%s is excluded as %s, want %q", id, e.Code, tt.out[id])
				}
			}
			if err := <-uploads; err != nil {
				t.Error(err)
			}
		})
	}
	if r, ok := node.Refusal(<-conflict); !ok || r.Code != fsm.Conflict {
		t.Errorf("a second answer = %v, want the refusal %s", r, fsm.Conflict)
	}
	for gw, said := range map[string]string{
		"gw-6":  "has SHA-256",                     // what the verifiers say to other bytes
		"gw-10": "stands in leaf",                  // to a ciphertext seen before
		"gw-11": "not in a co-signed",              // the old record is there, the new one is not
		"gw-12": "not asked for or is not its own", // to other people's patients
	} {
		if !strings.Contains(n.Logs(gw), said) {
			t.Errorf("%s does not hear %q:\n%s", gw, said, n.Logs(gw))
		}
	}
}

// mostGrowth bounds the memory of the whole network, with everything else that
// tests do at the same time, while somebody announces 4 GB.
const mostGrowth = 512 << 20

// announceFourGigabytes takes the next question with a gateway's certificate
// and announces 4 GB, to its home server and to a verifier; then it is silent.
// The channel gives the outcome once both have refused.
func announceFourGigabytes(t *testing.T, n *testnet.Net, gw string) <-chan error {
	t.Helper()
	stolen := n.Opened(gw)
	own, _ := n.Cluster.Gateway(gw)
	stream, err := pb.NewGatewayLinkServiceClient(n.Dial(stolen, own.Server)).Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.AttachRequest{Message: &pb.AttachRequest_Hello{Hello: &pb.Hello{Protocol: 1}}}); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetWelcome() == nil {
		t.Fatalf("welcome = %v, %v", m, err)
	}
	blobs := pb.NewBlobServiceClient(n.Dial(stolen, "v1"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	outcome := make(chan error, 1)
	go func() {
		err := errors.Join(announceUpload(stream), announceBlob(t.Context(), blobs))
		runtime.ReadMemStats(&after)
		if after.Sys > before.Sys+mostGrowth {
			err = errors.Join(err, errors.New("memory is not flat"))
		}
		outcome <- err
	}()
	return outcome
}

func announceUpload(stream pb.GatewayLinkService_AttachClient) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	id := m.GetTask().GetQueryId()
	if id == nil {
		return errors.New("first message is no task")
	}
	c := &pb.Chunk{QueryId: id, Total: 4 << 30, Data: make([]byte, 1<<10)}
	if err := stream.Send(&pb.AttachRequest{Message: &pb.AttachRequest_Chunk{Chunk: c}}); err != nil {
		return err
	}
	if m, err = stream.Recv(); err != nil || !bytes.Equal(m.GetCancel().GetQueryId(), id) {
		return errors.Join(errors.New("4 GB were not refused by the server"), err)
	}
	return nil
}

func announceBlob(ctx context.Context, blobs pb.BlobServiceClient) error {
	put, err := blobs.Put(ctx)
	if err != nil {
		return err
	}
	err = put.Send(&pb.PutRequest{Digest: make([]byte, 32), Total: 4 << 30, Data: make([]byte, 1<<10)})
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err = put.CloseAndRecv(); status.Code(err) != codes.InvalidArgument {
		return errors.Join(errors.New("4 GB were not refused by the verifier"), err)
	}
	return nil
}

// TestImpossibleCountsAreNotShown: without proofs a gateway can lie about its
// values; not about how many gateways and patients there are.
func TestImpossibleCountsAreNotShown(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Gateways: 2, Patients: 4})
	for name, tt := range map[string]struct {
		coefficient int
		word        string
	}{
		"two gateways in one":         {0, "providers"},
		"more patients than it named": {1, "patients"},
	} {
		t.Run(name, func(t *testing.T) {
			again(t, n, "gw-2", testnet.Values(func(m []uint16) { m[tt.coefficient] += 9 }))
			a, err := n.Ask(t.Context(), n.Question(stat.Mean, stat.RR))
			code(t, a, err, cli.VerificationFailed, "VERIFICATION FAILED", tt.word)
		})
	}
}

// TestTooFewAnswersOpenNothing: below the smallest cohort nothing is opened,
// whatever the answers of the others.
func TestTooFewAnswersOpenNothing(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{Gateways: 2, Patients: 4,
		Gateway: map[string]func(*gateway.Gateway){"gw-2": testnet.Ciphertexts(testnet.OneByteShort)}})
	a, err := n.Ask(t.Context(), n.Question(stat.Mean, stat.RR))
	code(t, a, err, cli.Refused, "only 2 patients accepted, policy requires 3", "gw-2")
	for _, s := range []string{"s1", "s2", "s3"} {
		if strings.Contains(n.Logs(s), "step=Q7") {
			t.Errorf("%s made a share", s)
		}
	}
}

// TestKilledGatewaySendsTheSameBytes: a gateway that dies after it has stored
// its answer and before anybody has it sends that one when it is back.
func TestKilledGatewaySendsTheSameBytes(t *testing.T) {
	t.Parallel()
	digest := make(chan []byte, 1)
	n := testnet.Start(t, testnet.Options{Gateways: 2, Patients: 4, Timeout: time.Minute,
		Gateway: map[string]func(*gateway.Gateway){"gw-1": testnet.SilentAfter(digest)}})
	var want []byte
	a := askWhile(t, n, n.Question(stat.Variance, stat.RR), func() {
		want = <-digest
		n.Kill("gw-1")
		n.Reform("gw-1")
		n.Restart(t.Context(), "gw-1")
	})
	check(t, n, a, "gw-1", "gw-2")
	got := a.Query.Answers["gateway/gw-1"].Record.Parts[0].Ciphertext
	if !bytes.Equal(got[:], want) {
		t.Errorf("ciphertext after the restart = %x, stored before %x", got[:8], want[:8])
	}
	if c := strings.Count(n.Logs("gw-1"), "msg=encrypted"); c != 1 {
		t.Errorf("gw-1 encrypted %d times, want once", c)
	}
}

// askWhile asks, does meanwhile, and returns the answer after both.
func askWhile(t *testing.T, n *testnet.Net, q querier.Ask, meanwhile func()) *querier.Answer {
	t.Helper()
	var a *querier.Answer
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		a, err = n.Ask(t.Context(), q)
	}()
	meanwhile()
	<-done
	if err != nil {
		t.Fatalf("ask: %v", err)
	}
	return a
}
