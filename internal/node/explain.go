package node

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"statnet/chain"
	"statnet/config"
	"statnet/internal/cli"
	"statnet/internal/disk"
)

// Explain gives an error of a node's start the three lines of a command, where
// its reader can do something about it: a port or a data directory that is in
// use, a file that is damaged, a wiped verifier. Other errors pass unchanged.
func (n *Node) Explain(err error) error {
	var known *cli.Error
	var damaged *disk.DamageError
	what := "start " + n.Config.Path()
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, syscall.EADDRINUSE):
		return &cli.Error{Code: cli.Usage, What: what + ": its address is in use", Cause: err.Error(), Err: err,
			Next: "end the process that listens there (ss -ltnp shows it), or change listen in " + n.Config.File + " and cluster.yaml"}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return &cli.Error{Code: cli.Usage, What: what + ": its address is not one of this machine", Cause: err.Error(), Err: err,
			Next: "change listen in " + n.Config.File + ", e.g. listen: 0.0.0.0:7001"}
	case errors.Is(err, disk.ErrLocked):
		return n.InUse(err)
	case errors.Is(err, chain.ErrInstance):
		return &cli.Error{Code: cli.Usage, What: what + ": its data directory is not the one that the cluster knows", Cause: err.Error(), Err: err,
			Next: "check data_dir in " + n.Config.File + "; a verifier that lost its data may only come back under a new id"}
	case errors.As(err, &damaged):
		return &cli.Error{Code: cli.Unexpected, What: what + ": a file is damaged", Cause: err.Error(), Err: err, Next: n.mend(damaged.File)}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOSPC):
		return &cli.Error{Code: cli.Usage, What: what + ": its data directory cannot be written", Cause: err.Error(), Err: err,
			Next: "df -h " + n.Config.DataDir + "; ls -ld " + n.Config.DataDir}
	}
	return err
}

// InUse is the error of a data directory that another process has open. For a
// person it will pass: her other command ends soon.
func (n *Node) InUse(err error) error {
	path := n.Config.Path()
	if n.Config.Role == config.RoleQuerier || n.Config.Role == config.RoleOperator {
		return &cli.Error{Code: cli.Unavailable, What: "another statnet command of " + path + " is running", Cause: err.Error(), Err: err,
			Next: "run it again when the other one has ended, or give this one a --data-dir of its own"}
	}
	return &cli.Error{Code: cli.Usage, What: "start " + path + ": its data directory is in use", Cause: err.Error(), Err: err,
		Next: "end the other statnet process of this node, or give this one a --data-dir of its own"}
}

// mend says what may be done about a damaged file. A reader's copy of the ledger
// can be fetched again; what a verifier has signed cannot.
func (n *Node) mend(file string) string {
	copied := strings.HasPrefix(filepath.Base(file), "ledger")
	if n.Config.Role != config.RoleVerifier && copied {
		return "rm " + file + " (it is a copy and is downloaded again)"
	}
	return "restore " + n.Config.DataDir + " from a whole disk; a verifier that lost its data may only come back under a new id"
}
