// Package gateway is the data provider: it turns the signals of its patients'
// patches into heartbeats, keeps them on its own disk, and answers questions
// with encrypted sums.
//
//	patch ──source──▶ ecg.Line ──▶ gather ──batch──▶ store.Buffer ──▶ store (bbolt)
//	                                                                     │ S_to − S_from
//	home server ──Task{ticket}──▶ ticket ▸ ledger ▸ own policy ──────────┤
//	                                                                     ▼
//	home server ◀─ciphertext─┬─ save ◀─ seal ANSWER ◀─ encrypt ◀─ encode
//	q verifiers ◀─ciphertext─┤
//	one verifier ◀──ANSWER───┘
//
// What leaves this process is a ciphertext, its digest, a signed record, and
// the pseudonyms that the question itself names. Log lines, errors and status
// carry counts and pseudonyms, never a heartbeat, a key or a patient id.
//
// The package does not find R peaks (ecg), does not know how sums are laid out
// (stat) and does not speak Bluetooth: patches that need a radio are refused.
package gateway
