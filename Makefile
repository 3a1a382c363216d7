GO ?= go
LINT_VERSION ?= v2.15.0
export CGO_ENABLED ?= 0

.PHONY: help build test race lint bench demo fuzz test-ollama test-postgres

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## one static binary in bin/
	$(GO) build -trimpath -o bin/mllmrec ./cmd/mllmrec

test: ## all tests; those that need data, weights or a server skip and say why
	$(GO) test ./...

race: ## all tests under the race detector (needs cgo)
	CGO_ENABLED=1 $(GO) test -race -short ./...

lint: ## the linter with the architecture's import rules
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION) run ./...

demo: ## the main job on the built-in shop
	$(GO) run ./cmd/mllmrec demo
