// Package store keeps a gateway's heartbeats on disk: one bbolt file per
// gateway, one writer, one transaction a minute.
//
//	source ──Batch──▶ Buffer ──one flush a minute──▶ Append (one transaction, fsync)
//	                  (memory)                          │ beats · observed segments · gaps · source state
//	                                                    ▼ when the source's watermark passes an epoch's end
//	                                            CloseEpochs: scan the epoch's beats ▸ S_k = S_k−1 + contribution
//	                                                    │
//	question [a,b) ──▶ Window = S_b−1 − S_a−1 ◀─────────┘ two look-ups, whatever the number of beats
//	                      └▶ answer: ciphertext and spent budget in one transaction, before it is sent
//
// A power cut loses at most what Buffer held and never part of a transaction.
// Every row carries a CRC-32C over its place and its bytes, so a damaged or
// displaced row is an error that names it (ErrDamaged), never a wrong number.
//
// Units: beats and segments are in Unix microseconds, epochs in Unix seconds /
// 300. Ranges are half open.
//
// The store does not find beats, does not judge intervals (the flags do), does
// not encrypt anything on disk, and does not know which question is allowed.
package store
