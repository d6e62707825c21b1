package provision

import "testing"

func TestSmoke(t *testing.T) {
	w, err := Write(t.TempDir()+"/ward", Spec{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(w.Nodes)
}
