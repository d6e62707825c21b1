package wfdb

import "statnet/ecg"

// RRBeats is filled in below.
func RRBeats(path string, startUs int64, sink func(ecg.Beat) error) error { return nil }
