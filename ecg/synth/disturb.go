package synth

import (
	"fmt"
	"math"

	"statnet/ecg/wfdb"
)

// noisyGain is the counts per millivolt of a disturbed record.
const noisyGain = 800

// Disturb returns signal 0 of a record with noise added, as a record of its own
// in format 16 with 800 counts per millivolt. ann says where its normal beats
// are; samples beyond the format's range saturate.
func Disturb(rec *wfdb.Record, ann []wfdb.Annotation, kind Kind, snrDB float64, seed uint64, name string) (*wfdb.Record, error) {
	counts, err := rec.Counts(0)
	if err != nil {
		return nil, err
	}
	sig := rec.Signals[0]
	perMV := sig.Gain
	if sig.Units == "uV" {
		perMV *= 1000
	}
	mv := make([]float64, len(counts))
	for i, c := range counts {
		if c == wfdb.Missing {
			return nil, fmt.Errorf("disturb record %s: sample %d is missing", rec.Name, i)
		}
		mv[i] = (float64(c) - float64(sig.Baseline)) / perMV
	}
	var normal []int64
	for _, a := range ann {
		if a.IsNormal() {
			normal = append(normal, a.Sample)
		}
	}
	if err := AddNoise(mv, normal, float64(rec.RateMilliHz)/1000, kind, snrDB, seed); err != nil {
		return nil, fmt.Errorf("disturb record %s: %w", rec.Name, err)
	}
	out := make([]int32, len(mv))
	for i, v := range mv {
		out[i] = int32(min(max(math.Round(noisyGain*v), -32767), 32767))
	}
	return wfdb.NewRecord(wfdb.OneSignal(name, rec.RateMilliHz, noisyGain, sig.Name), [][]int32{out})
}
