package testnet_test

import (
	"testing"

	"statnet/internal/testnet"
	"statnet/stat"
)

func TestHonestNetworkAnswers(t *testing.T) {
	t.Parallel()
	n := testnet.Start(t, testnet.Options{})
	a, err := n.Ask(t.Context(), n.Question(stat.Variance, stat.RR))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", a.Result)
}
