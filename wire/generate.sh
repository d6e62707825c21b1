#!/bin/sh
# Rewrites wire/pb from statnet.proto. Needs protoc on the PATH; the two
# generators are built at the versions below, so that the output does not
# depend on what a machine has installed.
set -eu
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOFLAGS= GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
GOFLAGS= GOBIN=$bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.1
PATH=$bin:$PATH protoc --go_out=pb --go_opt=paths=source_relative \
	--go-grpc_out=pb --go-grpc_opt=paths=source_relative,require_unimplemented_servers=true statnet.proto
