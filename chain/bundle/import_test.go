package bundle_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A receipt is checked on a machine without a network: no package that could
// open a connection may be linked in.
func TestNoNetwork(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "statnet/chain/bundle").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, bad := range []string{"net/http", "crypto/tls", "google.golang.org/grpc", "github.com/hashicorp/raft", "statnet/wire", "statnet/roles"} {
			if dep == bad || strings.HasPrefix(dep, bad+"/") {
				t.Errorf("bundle imports %s", dep)
			}
		}
	}
}
