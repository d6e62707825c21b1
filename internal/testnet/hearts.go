package testnet

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"statnet/ecg"
	"statnet/ecg/wfdb"
	"statnet/stat"
)

const (
	epochSeconds   = 300
	microsPerEpoch = epochSeconds * 1_000_000
)

// heart is the RR list of one patient and the beats in it.
type heart struct {
	list  []byte // CSV time_ms,rr_ms, absolute Unix milliseconds
	rr    []int  // ms, as in the list
	beats []ecg.Beat
}

// newHeart makes up intervals that differ from patient to patient: a slow swing,
// differences on both sides of 50 ms, and now and then an early beat, which the
// 20 % rule rejects.
func newHeart(patient int, from time.Time, length time.Duration) (heart, error) {
	var h heart
	var b strings.Builder
	b.WriteString("time_ms,rr_ms\n")
	at, end := from.UnixMilli(), from.Add(length).UnixMilli()
	for k := 0; ; k++ {
		rr := 700 + 13*(patient%11) + (37*k+11*patient)%121
		switch {
		case k%97 == 60:
			rr = rr * 6 / 10
		case k%97 == 61:
			rr = rr * 14 / 10
		}
		if at += int64(rr); at >= end {
			break
		}
		h.rr = append(h.rr, rr)
		fmt.Fprintf(&b, "%d,%d\n", at, rr)
	}
	h.list = []byte(b.String())
	err := wfdb.ReadRR(bytes.NewReader(h.list), 0, func(beat ecg.Beat) error {
		h.beats = append(h.beats, beat)
		return nil
	})
	return h, err
}

// totals adds the accepted beats of the epochs [from, to) in the plainest way.
func (h heart) totals(from, to int64) stat.Totals {
	var t stat.Totals
	var prev int32
	for _, b := range h.beats {
		inside := b.At/microsPerEpoch >= from && b.At/microsPerEpoch < to
		switch {
		case b.Flags.Accepted():
			if inside {
				t.Accept(b.RR, prev)
			}
			prev = b.RR
			continue
		case b.Flags.Rejected() && inside:
			t.Reject()
		}
		prev = 0
	}
	// Whole seconds, counted from the first beat, in the epoch where each begins.
	last := h.beats[len(h.beats)-1].At
	for s := h.beats[0].At; s+1_000_000 <= last; s += 1_000_000 {
		if s/microsPerEpoch >= from && s/microsPerEpoch < to {
			t.OBS++
		}
	}
	return t
}

// Sums is what an answer to question must open when exactly the given gateways
// take part: plain integer arithmetic, no encryption.
func (n *Net) Sums(question stat.Question, gateways ...string) stat.Sums {
	n.t.Helper()
	total := make([]uint32, stat.K)
	for _, id := range gateways {
		g, ok := n.Cluster.Gateway(id)
		if !ok {
			n.t.Fatalf("no gateway %s", id)
		}
		var patients []stat.Totals
		for _, p := range g.Patients {
			patients = append(patients, n.hearts[p].totals(n.From.Unix()/epochSeconds, n.To.Unix()/epochSeconds))
		}
		part, err := stat.Encode(patients, question.Selection())
		if err != nil {
			n.t.Fatal(err)
		}
		for i, c := range part {
			total[i] += uint32(c)
		}
	}
	sums, err := stat.Decode(total, question.Selection())
	if err != nil {
		n.t.Fatal(err)
	}
	return sums
}
