package he

import "testing"

func TestMemoryLog(t *testing.T) {
	log := new(MemoryLog)
	if err := TestShareLog(func() (ShareLog, error) { return log, nil }); err != nil {
		t.Error(err)
	}
	if err := TestShareLog(func() (ShareLog, error) { return new(MemoryLog), nil }); err == nil {
		t.Error("TestShareLog does not notice a log that forgets")
	}
}
