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
	"sync"
	"time"

	"statnet/chain"
	"statnet/chain/bundle"
	"statnet/chain/fsm"
	"statnet/chain/merkle"
	"statnet/chain/note"
	"statnet/chain/record"
	"statnet/internal/cli"
	"statnet/internal/node"
)

// contactTimeout bounds how long a verifier may take to show its checkpoint,
// readTimeout how long the ledger may take to be read up to it.
const (
	contactTimeout = 3 * time.Second
	readTimeout    = 5 * time.Minute
)

// Ledger is a ledger that was read and checked up to its newest checkpoint.
type Ledger struct {
	*chain.Follower
	Origin string
	Policy note.Policy
	Size   uint64  // leaves below the newest checkpoint of any verifier
	Shown  []Shows // what each verifier showed, roster order
}

// Shows is the checkpoint of one verifier.
type Shows struct {
	Verifier string
	Note     note.Signed // zero if it showed none with a quorum's signatures
}

// read follows the ledger until it has all that the newest checkpoint of any
// verifier covers, calls use, and stops. Every leaf is hashed, every record
// applied to the rules, every checkpoint's signatures counted.
func read(ctx context.Context, n *node.Node, use func(*Ledger) error) error {
	f, err := n.Follower()
	if err != nil {
		return n.Explain(err)
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
	ran := <-stopped
	if !errors.Is(ran, chain.ErrFork) && errors.Is(err, chain.ErrFork) {
		ran = err
	}
	if errors.Is(ran, chain.ErrFork) {
		return &cli.Error{Code: cli.VerificationFailed, What: "VERIFICATION FAILED: two ledgers: checkpoint", Cause: ran.Error(),
			Next: "keep the files and call the operators of the verifiers", Err: ran}
	}
	return err
}

// newest waits until the follower is where the furthest verifier is. Without a
// checkpoint that a quorum signed nothing is shown: the pinned first record
// alone is not a ledger.
func newest(ctx context.Context, n *node.Node, f *chain.Follower) (*Ledger, error) {
	l := &Ledger{Follower: f, Origin: n.Origin, Policy: n.Policy, Shown: shown(ctx, n)}
	for _, s := range l.Shown {
		l.Size = max(l.Size, s.Note.Size)
	}
	if l.Size == 0 {
		return nil, unread(ctx, n, errors.New("no verifier shows a checkpoint with enough signatures"))
	}
	err := f.Until(ctx, func(s *fsm.State) bool { return s.Size() >= l.Size && f.Checkpoint() != nil })
	if err != nil {
		return nil, unread(ctx, n, err)
	}
	return l, nil
}

func unread(ctx context.Context, n *node.Node, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return &cli.Error{Code: cli.Unavailable, What: "read the ledger", Next: "statnet status", Err: err,
		Cause: fmt.Sprintf("%d of %d verifiers reachable, %d must sign", n.Verifiers.Reachable(ctx), n.Cluster.N(), n.Cluster.Q())}
}

// shown asks every verifier for its newest checkpoint, all at once.
func shown(ctx context.Context, n *node.Node) []Shows {
	ctx, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	clients := n.Verifiers.Clients()
	out := make([]Shows, len(clients))
	var wg sync.WaitGroup
	for i, v := range clients {
		out[i].Verifier = v.Path()
		wg.Go(func() {
			text, err := v.Checkpoint(ctx)
			if err != nil {
				return
			}
			if s, err := n.Policy.Verify(text); err == nil {
				out[i].Note = s
			}
		})
	}
	wg.Wait()
	return out
}

// rehash hashes every leaf of the copy again and compares the root with that of
// each checkpoint on the way. It returns how many verifiers' checkpoints agree.
func (l *Ledger) rehash() (agree int, err error) {
	var tree merkle.Frontier
	for i := range l.Size {
		leaf, err := l.Leaf(i)
		if err != nil {
			return 0, err
		}
		tree.Append(merkle.LeafHash(leaf))
		for _, s := range l.Shown {
			if s.Note.Size != i+1 {
				continue
			}
			if tree.Root() != s.Note.Root {
				return 0, &chain.ForkError{First: l.Checkpoint(), Second: s.Note.Note}
			}
			agree++
		}
	}
	return agree, nil
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
		cause := f.Err.Error()
		if f.Check == "policy" {
			cause += ": the receipt is of another cluster than --config or --policy names, or was altered"
		}
		return nil, &cli.Error{Code: cli.VerificationFailed, What: fmt.Sprintf("VERIFICATION FAILED: %s: %s", f.Check, f.Item),
			Cause: cause, Next: "do not use any number of this receipt", Err: err}
	}
	if err != nil {
		return nil, &cli.Error{Code: cli.VerificationFailed, What: "VERIFICATION FAILED: receipt: archive", Cause: err.Error(),
			Next: "do not use any number of this receipt", Err: err}
	}
	return report, nil
}
