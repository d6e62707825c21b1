// Package e2e tests statnet as its users meet it: the built binary, one process
// per node, real files and sockets, exit codes and messages. Run it with
//
//	make e2e
//
// The tests themselves are behind the build tag e2e, because they take longer
// than a minute.
package e2e
