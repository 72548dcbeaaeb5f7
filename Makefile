# Every verb works from a clean clone and installs what it needs; long steps say how long they take.

.DEFAULT_GOAL := help
.PHONY: help run build test test-peers bench attack fuzz lint dev
MAKEFLAGS += --no-print-directory
# Tools that scripts/tools.sh built for this clone.
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: build ## Build what changed, then start the demo on 127.0.0.1:3030
	@exec target/release/hyperscope demo --listen 127.0.0.1:3030

build: ## Build the release binary, target/release/hyperscope, and the browser bundle, dist/
	@scripts/build.sh

test: ## Run every test: Rust, real Prometheus and Alertmanager, Chromium
	@scripts/test.sh

test-peers: ## Run the comparison tests with current releases of other programs
	@scripts/test-peers.sh

bench: ## Run every benchmark; also writes bench/results.json
	@scripts/bench.sh

attack: ## Attack servers as holders of tokens could, about five minutes
	@scripts/attack.sh

fuzz: ## Fuzz every parser of external input, SECONDS=60 per target
	@scripts/fuzz.sh $(SECONDS)

lint: ## Check format, lints (host and wasm), licences, spelling, the browser tests' types
	@scripts/lint.sh

dev: ## Run the demo from a debug build, rebuilt on change
	@scripts/dev.sh
