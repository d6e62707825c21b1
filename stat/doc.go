// Package stat defines the questions a querier may ask and the integer
// arithmetic that answers them.
//
//	gateway, per patient                    servers             querier
//	beats ─Accept─▶ Totals S_k             ciphertexts
//	      S_b − S_a ─Encode─▶ 256 limbs ─▶ add, add, add ─▶ 256 sums ─Decode─▶ Sums ─Compute─▶ Result
//	      (Sub)      (one vector a part)   (limb by limb)                       (exact rationals)
//
// Every quantity that crosses the network is an integer that adds up over
// beats, five-minute epochs, patients and gateways. Only the last arrow
// divides, and it does so with exact rational numbers that are rounded once,
// for printing. A value whose divisor would be zero is absent, never 0.
//
// Units: intervals are milliseconds, instantaneous heart rates tenths of a beat
// per minute, epochs five minutes (Unix seconds / 300), times Unix seconds.
//
// Everything here is pure: no I/O, no clocks, no randomness. The package does
// not know who asks, whether he may, or whether a vector that arrives was made
// by an honest gateway; Decode refuses what no honest sum can be, no more.
//
// Definitions follow Task Force of the European Society of Cardiology, Heart
// rate variability, Circulation 93:1043-1065 (1996), "Time domain methods".
package stat
