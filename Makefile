# make            lists the targets
# make test       is run before every commit
# Nothing but Go 1.26 is needed; race needs a C compiler, lint fetches staticcheck
# and uses golangci-lint if it is installed.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X statnet/internal/cli.version=$(VERSION)
FUZZTIME ?= 20s
# Fetched and built by the go command, at this version; not a dependency of statnet.
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.7.0
DIST     = armv6 armv7 arm64 amd64

.DEFAULT_GOAL := help
.PHONY: help build test race test32 fuzz lint generate demo e2e bench dist $(addprefix dist-,$(DIST))

help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

build: ## the binary for this machine: ./statnet
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o statnet .

test: ## all tests that take under a minute
	$(GO) test ./...

race: ## the tests with the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

test32: ## the tests on 32 bit, in place of a Raspberry Pi Zero
	CGO_ENABLED=0 GOARCH=386 $(GO) test ./...

fuzz: ## every fuzz target for FUZZTIME (20s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$pkg || exit 1; \
	  done; \
	done

lint: ## format, vet, staticcheck, and golangci-lint if it is installed
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt -w these files:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags e2e ./test/e2e/ ./internal/testnet/
	$(GO) run $(STATICCHECK) -tags e2e ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; \
	else echo "golangci-lint is not installed: .golangci.yml was not applied"; fi

generate: ## write generated files again; the tree must stay clean
	$(GO) generate ./...
	$(GO) run . config schema node > deploy/node.schema.json
	$(GO) run . config schema cluster > deploy/cluster.schema.json

demo: ## the whole system on this machine, and one question
	$(GO) run . demo

e2e: ## real processes, and a network with a cheater in every role
	$(GO) test -count=1 -p 1 -timeout 20m -tags e2e ./test/e2e/... ./internal/testnet/...

bench: ## benchmarks of every package
	$(GO) test -run '^$$' -bench . -benchmem ./...

dist: $(addprefix dist-,$(DIST)) ## static binaries for the Raspberry Pi and for servers

dist-armv6: export GOARM = 6
dist-armv7: export GOARM = 7
dist-armv6 dist-armv7: export GOARCH = arm
dist-arm64: export GOARCH = arm64
dist-amd64: export GOARCH = amd64
$(addprefix dist-,$(DIST)): export GOOS = linux
$(addprefix dist-,$(DIST)): export CGO_ENABLED = 0
$(addprefix dist-,$(DIST)): dist-%:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/statnet-linux-$* .
