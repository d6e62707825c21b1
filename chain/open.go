package chain

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hashicorp/raft"

	"statnet/chain/blob"
	"statnet/chain/note"
	"statnet/chain/raftstore"
	"statnet/chain/record"
	"statnet/chain/signer"
	"statnet/internal/disk"
)

const defaultMaxBlobs = 16 << 30 // bytes

// Open checks every file of the data directory and starts from them. It refuses
// a directory that GENESIS does not name (ErrInstance), and damage by the name of
// the file (*disk.DamageError). A directory that contradicts itself opens as
// diverged: it serves reads, and Run neither votes nor signs.
func Open(cfg Config) (*Node, error) { return open(cfg, realState) }

func open(cfg Config, fresh newState) (*Node, error) {
	n := &Node{cfg: cfg, log: cfg.Log, stop: make(chan struct{}), lines: map[string][]held{}, owed: map[string]bool{}}
	if n.log == nil {
		n.log = slog.Default()
	}
	n.log = n.log.With("verifier", cfg.ID)
	if n.cfg.Heartbeat == 0 {
		n.cfg.Heartbeat = defaultHeartbeat
	}
	if n.cfg.MaxBlobs == 0 {
		n.cfg.MaxBlobs = defaultMaxBlobs
	}
	self, err := n.readGenesis()
	if err != nil {
		return nil, err
	}
	if err := n.openFiles(self, fresh); err != nil {
		if n.ledger != nil {
			err = errors.Join(err, n.ledger.db.Close())
		}
		if n.store != nil {
			err = errors.Join(err, n.store.Close())
		}
		return nil, fmt.Errorf("open verifier %s: %w", cfg.ID, err)
	}
	return n, nil
}

// readGenesis takes the roster from leaf 0 and finds the own entry.
func (n *Node) readGenesis() (self record.GenesisVerifier, err error) {
	g, origin, err := genesisOf(n.cfg.Genesis)
	if err != nil {
		return self, err
	}
	n.verifiers, n.origin, n.policy = g.Verifiers, origin, policyOf(g, origin)
	for _, v := range g.Verifiers {
		if v.ID == n.cfg.ID {
			self = v
		}
	}
	switch {
	case n.cfg.Cluster == nil || n.cfg.Listener == nil || n.cfg.Dial == nil || n.cfg.Peers == nil || n.cfg.Now == nil:
		return self, errors.New("open verifier: Cluster, Listener, Dial, Peers and Now are required")
	case g.Cluster != n.cfg.Cluster.Digest:
		return self, fmt.Errorf("open verifier %s: GENESIS names cluster.yaml %x, this one is %x", n.cfg.ID, g.Cluster[:8], n.cfg.Cluster.Digest[:8])
	case self.ID == "":
		return self, fmt.Errorf("open verifier %q: not in GENESIS", n.cfg.ID)
	case n.cfg.RecordKey == nil || n.cfg.RecordKey.Path() != "verifier/"+self.ID || n.cfg.RecordKey.KeyID() != record.KeyID(self.RecordKey[:]):
		return self, fmt.Errorf("open verifier %s: the record key is not the roster's", self.ID)
	case !bytes.Equal(n.cfg.CosignKey.Public().(ed25519.PublicKey), self.CosignKey[:]):
		return self, fmt.Errorf("open verifier %s: the cosign key is not the roster's", self.ID)
	}
	return self, nil
}

// genesisOf decodes leaf 0. Its signature is checked when it is folded.
func genesisOf(leaf []byte) (*record.Genesis, string, error) {
	e, err := record.Decode(leaf)
	if err != nil {
		return nil, "", fmt.Errorf("read GENESIS: %w", err)
	}
	g, ok := e.Payload.(*record.Genesis)
	if !ok {
		return nil, "", fmt.Errorf("read GENESIS: leaf 0 is %s", e.Type)
	}
	return g, record.Origin(g.Name, leaf), nil
}

// policyOf says whose cosignatures count, by the roster of GENESIS.
func policyOf(g *record.Genesis, origin string) note.Policy {
	p := note.Policy{Origin: origin, Quorum: int(min(g.Q, 1<<16))}
	for _, v := range g.Verifiers {
		p.Cosigners = append(p.Cosigners, note.NewCosigner(origin, v.ID, v.CosignKey[:]))
	}
	return p
}

// openFiles opens the four files in the order that makes a lost one show: the
// ledger is created last, so a ledger without votes or journal has lost them.
func (n *Node) openFiles(self record.GenesisVerifier, fresh newState) (err error) {
	if err := checkInstance(n.cfg.Dir, self.Instance); err != nil {
		return err
	}
	id := signer.Identity{Origin: n.origin, Cosigner: note.NewCosigner(n.origin, self.ID, self.CosignKey[:]), Instance: self.Instance}
	if !exists(n.file("ledger.db")) {
		if err := n.createFiles(id); err != nil {
			return err
		}
	}
	for _, name := range []string{"raft.db", "signer.journal"} {
		if !exists(n.file(name)) {
			return disk.Damaged(n.file(name), "missing beside ledger.db; what was voted and signed is forgotten, set the node up anew under a new id")
		}
	}
	if n.store, err = raftstore.Open(n.file("raft.db")); err != nil {
		return err
	}
	if n.ledger, err = openLedger(n.file("ledger.db"), n.cfg.Genesis, n.cfg.Cluster, fresh); err != nil {
		return err
	}
	n.replayTo = n.ledger.applied
	n.store.Applied(n.ledger.applied)
	if err := n.openSnapshots(); err != nil {
		return err
	}
	if n.blobs, err = blob.Open(n.file("blobs"), n.cfg.MaxBlobs); err != nil {
		return err
	}
	if err := n.checkMemory(); err != nil {
		if !errors.Is(err, ErrDiverged) {
			return err
		}
		return n.diverge(err) // no signer: a diverged node signs nothing
	}
	if n.signer, err = signer.Open(n.file("signer.journal"), id, n.cfg.CosignKey, n.ledger.root); err != nil {
		return err
	}
	if err = n.checkJournal(); err == nil {
		n.bootstrap, err = n.firstStart()
	}
	if err != nil {
		return errors.Join(err, n.signer.Close())
	}
	n.signLastCut()
	return nil
}

// createFiles makes what must exist before the ledger does. A start that was
// cut short here is taken up again.
func (n *Node) createFiles(id signer.Identity) error {
	if !exists(n.file("signer.journal")) {
		if err := signer.Create(n.file("signer.journal"), id); err != nil {
			return err
		}
	}
	s, err := raftstore.Open(n.file("raft.db"))
	if err != nil {
		return err
	}
	return s.Close()
}

func (n *Node) firstStart() (bool, error) {
	has, err := raft.HasExistingState(n.store, n.store, n.snapshots)
	if err != nil {
		return false, fmt.Errorf("read raft state: %w", err)
	}
	return !has, nil
}
