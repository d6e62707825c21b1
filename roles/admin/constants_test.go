package admin

import (
	"encoding/hex"
	"slices"
	"testing"

	"statnet/chain/record"
	"statnet/config"
	"statnet/crypto/he"
	"statnet/stat"
)

// config imports nothing of ours, so it repeats a few constants. Here they are
// held to their owners.

func TestParamsIDIsTheEncryptions(t *testing.T) {
	ctx, err := he.New(he.Std4096())
	if err != nil {
		t.Fatal(err)
	}
	if id := ctx.ID(); hex.EncodeToString(id[:]) != config.ParamsID {
		t.Errorf("config.ParamsID = %s, crypto/he has %x", config.ParamsID, id)
	}
}

func TestStatisticsAreThoseOfStat(t *testing.T) {
	var want []string
	for _, s := range stat.Statistics() {
		want = append(want, string(s))
	}
	got := config.Statistics()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("config names %v, stat computes %v", got, want)
	}
}

func TestModesAreThoseOfTheLedger(t *testing.T) {
	for _, tt := range []struct {
		config config.Mode
		ledger record.FaultMode
	}{
		{config.ModeByzantine, record.ModeByzantine}, {config.ModeNotLive, record.ModeNotLive}, {config.ModeCrashOnly, record.ModeCrashOnly},
	} {
		if int(tt.config) != int(tt.ledger) {
			t.Errorf("mode %s is %d in config and %d on the ledger", tt.config.Describe(1), tt.config, tt.ledger)
		}
	}
	if config.MaxPatientsOfGateway != record.MaxSamples {
		t.Errorf("a gateway may have %d patients, a SAMPLE %d", config.MaxPatientsOfGateway, record.MaxSamples)
	}
}

func TestVersionSaysThatNothingIsProven(t *testing.T) {
	if ProofSystem != record.ProofNone {
		t.Errorf("version says proofs %q, the ledger %q", ProofSystem, record.ProofNone)
	}
}
