GO ?= go
LINT_VERSION ?= v2.15.0
OLLAMA_VERSION ?= v0.9.6
FUZZTIME ?= 10s
export CGO_ENABLED ?= 0

.PHONY: help build test test-slow test-arm64 test-browser race lint bench bench-serve bench-peers demo fuzz test-llama test-ollama test-data reference man release

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## one static binary in bin/
	$(GO) build -trimpath -o bin/mllmrec ./cmd/mllmrec

test: ## all tests; those that need data, weights or a server skip and say why
	$(GO) test ./...

test-slow: ## storms, kills and many workers at full length; 'make test' runs short ones
	$(GO) test -count=1 -tags slow -run 'Killed|Mutated|Hostile|Storm|DatabaseAway|ManyAnswers|SecretsOfWorkers|WrongModelOnce' ./internal/cli ./internal/texts/queue ./internal/live/sqlite ./internal/live/postgres

test-browser: ## the pages of a served shop in Chromium; MLLMREC_SCREENSHOTS names a folder for pictures
	$(GO) test -count=1 -v ./internal/web/pages

test-arm64: ## the kernels for arm64, autograd on them and the models' golden numbers, under emulation unless this is an arm64
	@exec=; \
	if [ "$$($(GO) env GOHOSTARCH)" != arm64 ]; then \
	  exec="-exec qemu-aarch64-static"; \
	  command -v qemu-aarch64-static >/dev/null || { echo "skipped: no qemu-aarch64-static here; Debian has it in qemu-user-static"; exit 0; }; \
	fi; set -x; \
	GOARCH=arm64 $(GO) vet ./internal/nn/... && \
	GOARCH=arm64 $(GO) test -count=1 -short $$exec ./internal/nn/tensor ./internal/nn/autograd ./internal/nn/svd && \
	GOARCH=arm64 $(GO) test -count=1 $$exec -run Golden ./internal/model

test-data: ## tests on real data: make test-data MLLMREC_DATA_DIR=...
	$(GO) test -run 'Real|Baby|MicroLens|Popularity' ./dataset/... ./internal/eval/... ./internal/audit/...

test-llama: ## fetch a real llama.cpp server with a small model and talk to it (needs Python; minutes)
	scripts/fetch_llama.sh "$${MLLMREC_LLAMA_DIR:-bin/llama}"
	MLLMREC_LLAMA_DIR="$$(cd "$${MLLMREC_LLAMA_DIR:-bin/llama}" && pwd)" $(GO) test -count=1 -run RealLlama -v ./internal/cli

test-ollama: ## build a real Ollama server from its Go module and talk to it (needs cgo; minutes)
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	CGO_ENABLED=1 GOBIN="$$tmp" $(GO) install github.com/ollama/ollama@$(OLLAMA_VERSION) && \
	MLLMREC_OLLAMA_BIN="$$tmp/ollama" $(GO) test -count=1 -run RealOllama -v ./internal/mllm/ollama ./internal/cli

race: ## all tests under the race detector (needs cgo)
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./...

lint: ## the linter with the architecture's import rules
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION) run ./...

fuzz: ## every fuzz target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$pkg || exit 1; \
	  done; \
	done

bench: ## kernels beside OpenBLAS (libopenblas-dev, cgo), training epoch, ranking, serving, encoder
	CGO_ENABLED=1 $(GO) run -tags openblas ./internal/nn/tensor/gemmbench
	$(GO) test -run '^$$' -bench 'Epoch|Evaluation' -benchtime 5x ./internal/train
	$(GO) test -run '^$$' -bench . -benchtime 3x ./internal/eval ./internal/itemgraph ./internal/encoder/sentence ./internal/encoder/lsa
	$(GO) test -run '^$$' -bench . ./internal/serving

bench-serve: ## a served shop under load from the same machine: 3,000 requests a second, 20,000 items
	$(GO) test -run '^$$' -bench Serve -benchtime 1x ./internal/web/api

bench-peers: ## the same mathematics in PyTorch, and Sentence-Transformers (python3 with torch)
	python3 scripts/peer_mllmrec.py
	python3 scripts/peer_graph.py
	python3 scripts/peer_encoder.py $(MLLMREC_MINILM_DIR)

demo: ## the main job on the built-in shop
	$(GO) run ./cmd/mllmrec demo

reference: ## docs/reference/commands, written from the command tree
	$(GO) run ./scripts/reference -pages docs/reference/commands

man: ## man pages in man/, written from the command tree
	$(GO) run ./scripts/reference -man man

release: ## static binaries for all platforms and their SHA-256 sums in dist/; HEAD must carry a tag
	bash scripts/release.sh dist
