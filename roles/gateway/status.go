package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"statnet/chain/fsm"
	"statnet/chain/record"
)

const (
	linkPoll    = 100 * time.Millisecond // until the link is up for the first time
	statusEvery = 5 * time.Minute        // between two lines about the gateway's health
)

// Status is how the gateway is, for operators. Patients appear by pseudonym.
type Status struct {
	Path       string
	Ready      bool
	LinkUp     bool
	LedgerSize uint64
	Patients   []PatientStatus
}

// PatientStatus is how current one patient's data are.
type PatientStatus struct {
	Pseudonym     string    // 32 hexadecimal digits
	Patch         string    // "running", "ended", "failed"; "none" without a patch
	ClosedThrough time.Time // epochs before it are closed; zero if none is
	LastBeat      time.Time // to the second; zero if there is none
}

// Status reads the current state.
func (g *Gateway) Status() (Status, error) {
	s := Status{Path: g.planner.path, Ready: g.ready.Load(), LinkUp: g.Link.Up()}
	g.Ledger.View(func(l *fsm.State) { s.LedgerSize = l.Size() })
	own, _ := g.Config.Cluster.Gateway(g.Config.ID)
	for _, id := range own.Patients {
		ps := record.PseudonymOf(g.Config.Cluster.Name, id)
		p := PatientStatus{Pseudonym: hex.EncodeToString(ps[:]), Patch: g.collector.describe(id)}
		closed, err := g.closed(id)
		if err != nil {
			return s, err
		}
		if closed > 0 {
			p.ClosedThrough = time.Unix(closed*record.WindowGrain, 0).UTC()
		}
		if b, ok, err := g.Store.LastBeat(id); err == nil && ok {
			p.LastBeat = time.UnixMicro(b.At).UTC().Truncate(time.Second)
		}
		s.Patients = append(s.Patients, p)
	}
	return s, nil
}

// Detail is the status as key and value, for StatusService and logs.
func (s Status) Detail() map[string]string {
	d := map[string]string{"ready": fmt.Sprint(s.Ready), "link": "down", "patients": fmt.Sprint(len(s.Patients))}
	if s.LinkUp {
		d["link"] = "up"
	}
	for _, p := range s.Patients {
		d["patient "+p.Pseudonym] = fmt.Sprintf("patch %s, closed through %s, last beat %s", p.Patch, when(p.ClosedThrough), when(p.LastBeat))
	}
	return d
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.RFC3339)
}

// watch says when the gateway is ready, then now and then how the gateway is.
func (g *Gateway) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-g.collector.caughtUp:
	}
	if err := g.Ledger.Until(ctx, func(s *fsm.State) bool { return s.Size() > 0 }); err != nil {
		return err
	}
	for !g.Link.Up() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(linkPoll):
		}
	}
	g.ready.Store(true)
	if g.Ready != nil {
		g.Ready()
	}
	g.Config.Log.Info("ready", "gateway", g.Config.ID, "patches", len(g.collector.patches))
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			g.report()
		}
	}
}

func (g *Gateway) report() {
	s, err := g.Status()
	if err != nil {
		g.Config.Log.Error("read status", "err", err)
		return
	}
	states := map[string]int{}
	for _, p := range s.Patients {
		states[p.Patch]++
	}
	g.Config.Log.Info("status", "link_up", s.LinkUp, "ledger_size", s.LedgerSize,
		"running", states["running"], "ended", states["ended"], "failed", states["failed"])
}
