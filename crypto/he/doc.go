// Package he lets many gateways encrypt vectors of small integers so that only
// their sum can ever be read, and only by the one who asked.
//
//	gateway                        servers 1..n                              querier
//	m ──Encrypt──▶ (c0, c1) ──▶ Sum: add, add, add ──▶ c0[0..K) ───────────▶ Open ──▶ Σm
//	   under the collective key      │                                        ▲
//	                                 └─▶ Opener, t of n, each with sub-keys ──┘
//	                                     (gate, smudging, key switch)  t shares
//
// The scheme is additive BFV over Z_Q[X]/(X^4096+1) with a collective key made
// of short sub-keys, each known to n-t+1 servers (replicated secret sharing).
// Any t servers can switch a sum to the querier's key; t-1 cannot, and learn
// nothing. DESIGN.md tells why it is built this way and what it does not do.
//
// Arithmetic comes from package ring of lattigo v2, behind ring.go; samplers,
// bytes, key generation, decoding and opening are ours. Nothing a peer sent
// reaches the library before it went through a Parse function of this package.
//
// What this package does not check: signatures, who is who, proofs that a
// ciphertext, a sub-key or a share is well formed, and which queries may be
// opened. The roles supply these; an Opener cannot be built without a Gate.
//
// Go gives no hard constant-time guarantee. Samplers and reductions here avoid
// branches on secrets, the library's reductions usually compile to conditional
// moves; a process that holds keys must not share its machine with strangers.
package he
