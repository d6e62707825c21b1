// Package chain keeps the ledger: an append-only Merkle log of signed records
// that verifiers order by raft and answer for by signature.
//
//	Submit ─▶ leader ─raft─▶ step (chain/fsm) ─▶ ledger.db ─▶ acknowledged
//	                                  │ CUT, posted by the leader
//	                                  ▼
//	            checkpoint ─▶ signer.journal ─▶ line ─▶ peers ─▶ note with q lines
//	                                                              │
//	             Follower ◀── leaves from any verifier, checked ──┘──▶ ticket
//
// Raft is believed for order only, and only until two quorums could disagree:
// one verifier's key is enough to rewrite a follower's raft log. So a Node
// remembers what it applied and signed, compares, and stops voting and signing
// for ever when that is contradicted. What readers rely on is q cosignatures.
//
// Nothing here reads a clock except through Config.Now, and nothing depends on a
// map's order or on randomness.
//
// It does not check what records mean (chain/fsm does), nor proofs or
// ciphertexts (verifiers do). See DESIGN.md beside this file.
package chain
