# Everything here needs cargo; the pinned compiler comes with rustup. The tests need the servers that
# scripts/test-servers.sh installs, and valgrind, too.

# Debug: the first start takes well under half as long as with --release, whose optimisation is for
# deployments, and a change shows after seconds instead of a minute. Password hashing
# is optimised in either (see the profiles in Cargo.toml).
RUN_PROFILE ?= dev
# Further flags, such as: make run ARGS="--listen 127.0.0.1:0"
ARGS ?=

# Of `make load`: one or several of benches/load/scenarios.
SCENARIO ?= fan-out
# How a scenario is to differ, such as: make load LOAD="--rounds 9 --case 1,000"
LOAD ?=

# Of `make cluster`: the broker (nats or redis), and the address.
BROKER ?= nats
LISTEN ?= 127.0.0.1:8080

# Of `make mutants`: the file whose code is changed, and further flags of cargo-mutants, such as:
# make mutants FILE=chat-core/src/hub/floors.rs MUTANTS="--re lets_pass"
FILE ?=
MUTANTS ?=

.DEFAULT_GOAL := help
.PHONY: help run cluster test fmt bench instructions instructions-baseline load performance mutants check-tools test-servers

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

run: check-tools ## start a development server on http://127.0.0.1:8080
	cargo run --locked --profile $(RUN_PROFILE) --package chat-server -- serve --dev $(ARGS)

cluster: check-tools test-servers ## start three servers as one, with Postgres and NATS (or BROKER=redis)
	cargo build --locked --profile $(RUN_PROFILE) --package chat-server
	BROKER=$(BROKER) LISTEN=$(LISTEN) cargo run --locked --profile $(RUN_PROFILE) --package chat-test-servers --example cluster

# The last step builds the engine once more, optimised, and from nothing the runner that counts: some
# five minutes of processor time the first time, and what has changed later.
test: check-tools test-servers ## everything that CI checks, in its order
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --all-features
	cargo test --locked --workspace --all-features --all-targets
	cargo test --locked --workspace --all-features --doc
	sh scripts/floors.sh
	sh scripts/instructions.sh check

fmt: check-tools ## format all code
	cargo fmt --all

bench: check-tools ## run the microbenchmarks
	cargo bench --locked --package chat-benches

instructions: check-tools ## count the instructions of the hot paths, fail where they have grown
	sh scripts/instructions.sh check

instructions-baseline: check-tools ## write down what the hot paths take now
	sh scripts/instructions.sh accept

load: check-tools ## measure the server beside the limits of any (SCENARIO=fan-out)
	cargo build --locked --release --package chat-server
	cargo build --locked --release --package chat-load
	$${CARGO_TARGET_DIR:-target}/release/chat-load run $(LOAD) $(SCENARIO)

performance: ## play every scenario and write docs/performance.md
	$(MAKE) load SCENARIO="$(basename $(notdir $(wildcard benches/load/scenarios/*.toml)))"
	$${CARGO_TARGET_DIR:-target}/release/chat-load report

# Each change is compiled and tested by itself, with the tests of the file's own package: minutes to hours.
mutants: check-tools ## change one file's code in many ways, list what no test notices (FILE=...)
	@cargo mutants --version >/dev/null 2>&1 || { \
	  echo "cargo-mutants is missing: 'cargo install cargo-mutants --locked' installs it"; exit 1; }
	@test -f "$(FILE)" || { echo "which file? such as: make mutants FILE=chat-core/src/hub/floors.rs"; exit 1; }
	cargo mutants --package $(firstword $(subst /, ,$(FILE))) --file $(FILE) --all-features \
	  --output $${CARGO_TARGET_DIR:-target} $(MUTANTS)

check-tools:
	@command -v cargo >/dev/null || { \
	  echo "cargo is missing: install Rust from https://rustup.rs, then open a new shell"; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "a C compiler is missing (cc): install gcc or clang, such as with 'apt-get install build-essential'"; exit 1; }
	@cargo --version >/dev/null || { \
	  echo "cargo does not start: with rustup, 'rustup toolchain install' gets the version in rust-toolchain.toml; without it, cargo must be 1.95 or newer"; exit 1; }

test-servers:
	@sh scripts/test-servers.sh
