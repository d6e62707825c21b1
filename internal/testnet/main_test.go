package testnet_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs more networks at once than there are processors, as most of
// them wait for a deadline, and fails when one left a goroutine behind.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
