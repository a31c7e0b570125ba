# Two commands are all a newcomer needs: `make demo` and `make test`.
.PHONY: demo test simulate lint bench docs build clean

build: ## Builds everything (debug).
	@scripts/install-needs build
	swift build

demo: ## Sends a manifest of 96 tubes through engine and laboratory on this machine.
	@scripts/install-needs build
	swift build --product saga
	@.build/debug/saga demo

test: ## Unit, conformance and system tests, with a throwaway Postgres; and the style of the source.
	@scripts/install-needs test
	@$(MAKE) --no-print-directory lint
	swift build --build-tests
	scripts/run-examples
	@# Sixteen tests at a time, see Tests/TestSupport/Turn.swift, hold more files open than many systems allow at first.
	ulimit -S -n 8192 2>/dev/null; scripts/with-postgres scripts/run-tests --skip-build

SEEDS ?= 1
SEED ?= 1
MODE ?= release
simulate: ## Runs the engine in simulation: `make simulate SEEDS=1000`, or one seed again with `SEED=279 TRACE=1`.
	@scripts/install-needs build
	swift build -c $(MODE) --product saga-simulate
	.build/$(MODE)/saga-simulate --seed $(SEED) --count $(SEEDS) $(if $(WORKERS),--workers) $(if $(WITHOUT),--without $(WITHOUT)) \
	  $(if $(FAULT),--fault $(FAULT)) $(if $(TRACE),--trace) $(if $(ALL),--all) $(if $(COUNTS),--counts)

lint: ## The source's style.
	swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks Examples

bench: ## The figures of docs/performance.md.
	@scripts/install-needs test
	Benchmarks/run
	Benchmarks/kafka

docs: ## The modules' documentation, warnings as errors, in .build/docs.
	scripts/build-docs

clean:
	rm -rf .build
