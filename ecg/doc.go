// Package ecg turns the samples of one ECG lead into R-peak times, RR intervals
// and flags.
//
//	samples ──Detector──▶ Peak ──Cleaner──▶ Beat{At, RR, Flags}
//	   │  band-pass ▸ slope ▸ square ▸ window ▸ thresholds ▸ parabola on the raw signal
//	   └─ a gap ends the segment: End, and everything starts anew
//
// The detector is that of Pan and Tompkins (IEEE Trans. Biomed. Eng. 32(3):
// 230-236, 1985) with the improvements of Hamilton and Tompkins (same journal
// 33(12):1157-1165, 1986), with filters given in milliseconds, so that any rate
// from 100 to 1000 Hz is served. It computes with integers only: every platform
// finds the same beats, and a saved state resumes bit-identically.
//
// Nothing here reads a clock, does I/O or knows where samples come from. The
// package does not classify beats by shape, and it does not check that samples
// come from a heart.
package ecg
