package fsm_test

import (
	"testing"

	"statnet/chain/fsm"
	"statnet/chain/fsm/fsmtest"
	"statnet/chain/record"
)

// BenchmarkStep folds whole queries; one operation is one record, most of it
// the check of its signature.
func BenchmarkStep(b *testing.B) {
	l := fsmtest.New(b, fsmtest.Options{})
	l.Keygen()
	for range 20 {
		l.Run(l.QueryRecord())
	}
	cmds := make([][]byte, len(l.Leaves))
	for i, leaf := range l.Leaves {
		cmds[i], _ = record.Command(leaf)
	}
	b.ResetTimer()
	for i := 0; i < b.N; {
		s := fsm.New(l.Cluster)
		for j := 0; j < len(cmds) && i < b.N; j++ {
			if _, err := s.Step(uint64(j), cmds[j]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	}
}
