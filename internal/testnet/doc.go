// Package testnet runs a whole network in one process, for tests.
//
//	Start ─▶ provision (files as deployed) ─▶ verifiers, servers, gateways: real Open and Run
//	                                            │ real TLS on loopback, real files, real ledger
//	Ask ─▶ querier ◀────────────────────────────┘
//
// Every node is the one that ships; a test makes one cheat by replacing a part
// of it before it runs (see Double and the doubles in cheat_*.go). Nothing here
// waits for time: Start returns when every node says that it is ready.
//
// When the test ends, every node is stopped and every log is searched for
// heartbeats, sums, keys and patients, whatever the test was about.
//
// It does not show what a power cut does: Kill cancels a node and waits for it,
// as SIGTERM would. Processes are killed in test/e2e.
package testnet
