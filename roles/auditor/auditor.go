// Package auditor reads the ledger for people and checks receipts: what was
// asked, who answered, who checked it.
//
//	verifiers ─▶ chain.Follower (re-hashed, re-folded) ─▶ log, show, checkpoint, verify
//	FILE ─▶ bundle.Verify, no network                  ─▶ verify FILE
package auditor

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"statnet/chain"
	"statnet/chain/bundle"
	"statnet/chain/fsm"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/internal/cli"
	"statnet/internal/node"
)

// readTimeout bounds how long the ledger may take to show itself, and then to
// be read to the end that was seen first.
const (
	contactTimeout = 10 * time.Second
	readTimeout    = 5 * time.Minute
)

// Ledger is a ledger that was read and checked up to its newest checkpoint.
type Ledger struct {
	*chain.Follower
	Origin string
	Size   uint64
}

// read follows the ledger until it has all that the newest checkpoint of any
// verifier covers, calls use, and stops. Every leaf is hashed, every record
// applied to the rules, every checkpoint's signatures counted.
func read(ctx context.Context, n *node.Node, use func(*Ledger) error) error {
	f, err := n.Follower()
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- f.Run(ctx) }()
	l, err := newest(ctx, n, f)
	if err == nil {
		err = use(l)
	}
	cancel()
	if ran := <-stopped; errors.Is(ran, chain.ErrFork) {
		return &cli.Error{Code: cli.VerificationFailed, What: "VERIFICATION FAILED: two ledgers: checkpoint", Cause: ran.Error(),
			Next: "keep the files and call the operators of the verifiers", Err: ran}
	}
	return err
}

// newest waits until the follower is where the furthest verifier is.
func newest(ctx context.Context, n *node.Node, f *chain.Follower) (*Ledger, error) {
	want := uint64(1)
	for _, v := range n.Verifiers.Clients() {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		text, err := v.Checkpoint(one)
		cancel()
		if err != nil {
			continue
		}
		if s, err := n.Policy.Verify(text); err == nil {
			want = max(want, s.Size)
		}
	}
	wait, cancel := context.WithTimeout(ctx, contactTimeout)
	if want > 1 {
		wait, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	l := &Ledger{Follower: f, Origin: n.Origin}
	err := f.Until(wait, func(s *fsm.State) bool {
		l.Size = s.Size()
		return l.Size >= want
	})
	if err != nil {
		return nil, &cli.Error{Code: cli.Unavailable, What: "read the ledger", Next: "statnet status", Err: err,
			Cause: fmt.Sprintf("%d of %d verifiers reachable, %d must sign", n.Verifiers.Reachable(ctx), n.Cluster.N(), n.Cluster.Q())}
	}
	return l, nil
}

// Line is one record of `statnet ledger log`.
type Line struct {
	Index   uint64 `json:"index"`
	Type    string `json:"type"`
	Signer  string `json:"signer"`
	Query   string `json:"query,omitempty"` // first 8 bytes
	Summary string `json:"summary,omitempty"`
}

// line describes a leaf for people.
func line(index uint64, leaf []byte) (Line, error) {
	e, err := record.Decode(leaf)
	if err != nil {
		return Line{}, fmt.Errorf("leaf %d: %w", index, err)
	}
	l := Line{Index: index, Type: e.Type.String(), Signer: e.Signer, Summary: summary(e.Payload)}
	if id := e.QueryID(); id != (record.Hash{}) {
		l.Query = hex.EncodeToString(id[:8])
	}
	return l, nil
}

func summary(p record.Payload) string {
	switch p := p.(type) {
	case *record.Genesis:
		return fmt.Sprintf("%s, n=%d f=%d q=%d", p.Name, p.N, p.F, p.Q)
	case *record.Query:
		return fmt.Sprintf("%s, %s to %s, %s", p.Params, clock(p.From), clock(p.To), p.Purpose)
	case *record.Answer:
		if p.Declined() {
			return "declined: " + (record.ExcludedDeclined + record.Code(p.Outcome)).String()
		}
		return fmt.Sprintf("%d ciphertexts, %d patients", len(p.Parts), p.Patients())
	case *record.Verdict:
		return fmt.Sprintf("phase %d: %s", p.Phase, verdicts(p))
	case *record.Aggregate:
		return fmt.Sprintf("attempt %d, active servers %v", p.Attempt, p.Active)
	case *record.KeySwitch:
		return fmt.Sprintf("share %x", p.Share[:8])
	case *record.Result:
		return fmt.Sprintf("%d participants, %d excluded", p.Participants, len(p.Excluded))
	case *record.Close:
		return p.Outcome.String()
	case *record.KeyGen:
		return fmt.Sprintf("epoch %d round %d set %#x", p.Epoch, p.Round, p.Set)
	case *record.Cut:
		return fmt.Sprintf("%d clocks", len(p.Claims))
	}
	return ""
}

func verdicts(v *record.Verdict) string {
	count := map[record.Code]uint64{}
	for _, r := range v.Items {
		count[r.Code] += r.Count
	}
	text := ""
	for c := record.CodeValid; c <= record.CodePolicy; c++ {
		if count[c] > 0 {
			text += fmt.Sprintf("%d %s ", count[c], c)
		}
	}
	return text
}

func clock(s uint64) string { return time.Unix(int64(s), 0).UTC().Format("2006-01-02 15:04") }

// Shown is one whole record.
type Shown struct {
	Line
	LeafHash string          `json:"leaf_hash"`
	Payload  json.RawMessage `json:"payload"`
	Leaf     string          `json:"leaf"` // hexadecimal
}

func show(index uint64, leaf []byte) (Shown, error) {
	l, err := line(index, leaf)
	if err != nil {
		return Shown{}, err
	}
	e, err := record.Decode(leaf)
	if err != nil {
		return Shown{}, err
	}
	payload, err := json.Marshal(readable(e.Payload))
	if err != nil {
		return Shown{}, fmt.Errorf("leaf %d: %w", index, err)
	}
	hash := record.LeafHash(leaf)
	return Shown{Line: l, LeafHash: hex.EncodeToString(hash[:]), Payload: payload, Leaf: hex.EncodeToString(leaf)}, nil
}

// verifyFile checks a receipt without a network.
func verifyFile(data []byte, policy note.Policy) (*bundle.Report, error) {
	report, err := bundle.Verify(newReader(data), policy)
	if f, ok := bundle.AsFailure(err); ok {
		return nil, &cli.Error{Code: cli.VerificationFailed, What: fmt.Sprintf("VERIFICATION FAILED: %s: %s", f.Check, f.Item),
			Cause: f.Err.Error(), Next: "do not use any number of this receipt", Err: err}
	}
	if err != nil {
		return nil, &cli.Error{Code: cli.VerificationFailed, What: "VERIFICATION FAILED: receipt: archive", Cause: err.Error(),
			Next: "do not use any number of this receipt", Err: err}
	}
	return report, nil
}
