# `make help` lists the targets. Each makes the environment that it needs on first use.
PY ?= python3
VENV ?= .venv
# Twice the number of cores: many tests wait for programs that they start.
WORKERS ?= 4
# The short form of what takes long: make world QUICK=1
QUICK ?=
BIN := $(VENV)/bin
# Each target has its own list of failed tests: the gate runs several at once.
PYTEST = $(BIN)/python -m pytest -q -o cache_dir=$(VENV)/pytest-$@
SHORT := $(if $(QUICK),--quick)
# Otherwise each worker, and each program that a test starts, compiles all modules again: a third of the time.
unexport PYTHONDONTWRITEBYTECODE

# Tests that failed beside others run once more alone, and their first report stays visible: a test that
# passes only alone has to be corrected, but the whole gate of half an hour is not repeated for it.
ONCE_MORE = || { test $$? = 1 && echo "== by themselves:" && $(1) --last-failed --last-failed-no-failures none $(2); }

.PHONY: help test check demo docs openapi long wheel compatibility conformance audit gate nightly environments agent examples \
	fleet paying-once repetitions matrix model mutants world bench million scripts lost-reply lock dist sbom clean
.DEFAULT_GOAL := help

help: ## this list
	@awk '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z-]*:.*## / { split($$0, part, ":.*## "); printf "  %-18s %s\n", part[1], part[2] }' Makefile

##@ Every day

SHORT_TESTS := -m "not torture and not long"
test: $(VENV)/.made ## the test suite, in about three minutes on two cores
	$(PYTEST) -n $(WORKERS) --dist worksteal $(SHORT_TESTS) tests $(call ONCE_MORE,$(PYTEST),$(SHORT_TESTS) tests)

check: $(VENV)/.made ## ruff, import-linter, mypy strict, pyright strict, and zizmor for the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/zizmor --offline --quiet .github/workflows

demo: .venv-demo/.made ## the demonstration: real tasks on the bundled server
	.venv-demo/bin/browser-use-async demo

docs: .venv-docs/.made ## the documentation site, in site/; a dead link is an error
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

openapi: $(VENV)/.made ## the OpenAPI documents in the package, after a change of a row or a model
	$(BIN)/python -m docs.openapi

##@ Before a change lands

gate: ## all checks before a change lands (GOES_ON=1: all, also after one that failed)
	@$(MAKE) -f scripts/gate.mk --no-print-directory PY=$(PY) run

# Tests that take long, of the suites that scripts/changed.py names: SUITES=all are all; without it those of
# the rooms whose files differ from the last change that landed.
LONG := -m "(torture or long) and not nightly"
long: $(VENV)/.made ## the long tests of what changed (SUITES=all, or names of folders in tests/)
	@paths=$$($(BIN)/python scripts/changed.py paths $(SUITES)) || exit 1; \
	if [ -z "$$paths" ]; then echo "what changed has no long tests"; exit; fi; \
	$(PYTEST) -n 3 --dist worksteal --durations 20 $(LONG) $$paths $(call ONCE_MORE,$(PYTEST),$(LONG) $$paths)

wheel: $(VENV)/.made ## the built wheel, used away from the checkout, and the blocks of docs against it
	scripts/wheel.sh $(BIN)/python $(PY)

# Pickling, typing, errors and imports are what differs between Pythons; developers have the oldest one.
COMPATIBILITY := $(SHORT_TESTS) tests/test_*.py tests/api tests/types
compatibility: $(VENV)/.made ## what may differ on another Python (PY=python3.13 VENV=.venv-3.13)
	$(PYTEST) -n $(WORKERS) --dist worksteal $(COMPATIBILITY) $(call ONCE_MORE,$(PYTEST),$(COMPATIBILITY))

conformance: .venv-conformance/.made ## statements and generated requests, of the bundled server; with URL=… statements of that one
	.venv-conformance/bin/python -m tests.proofs.conformance$(if $(URL),.statements $(URL) $(WORDS),.run)

# Where the advisory service cannot be reached it says so, and fails for nothing else.
audit: .venv-audit/.made ## known vulnerabilities of what is installed (STRICT=1: unknown packages fail, too)
	.venv-audit/bin/python scripts/audit.py $(if $(STRICT),--strict)

##@ Every night

nightly: ## all the rest, to its end
	@$(MAKE) -f scripts/gate.mk --no-print-directory PY=$(PY) NIGHT=1 run

agent: .venv-agent/.made $(VENV)/.made ## real tasks of the browser-use agent, with a model that follows a script
	.venv-agent/bin/python -m pytest -n 2 --dist worksteal -q tests/agent \
		$(call ONCE_MORE,.venv-agent/bin/python -m pytest -q,tests/agent)
	tests/agent/wheel.sh $(BIN)/python $(PY) .venv-agent/bin/python

world: $(VENV)/.made ## promises under faults, wrong lists, wrong clocks and crashes, with controls (QUICK=1)
	$(BIN)/python -m tests.proofs.world $(SHORT)

model: $(VENV)/.made ## a model of paying once, all its states searched, and weaker ones refuted (QUICK=1: small scopes)
	$(BIN)/python -m tests.proofs.model $(SHORT)

fleet: $(VENV)/.made ## servers that share a database, and a queue: kills, restarts, cuts, with controls (QUICK=1)
	$(BIN)/python -m tests.proofs.fleet $(SHORT)
	$(BIN)/python -m tests.proofs.fleet.queue $(SHORT)

paying-once: $(VENV)/.made ## submissions broken at each byte and statement, and what was paid, with controls (QUICK=1)
	$(BIN)/python -m tests.proofs.paying_once $(SHORT)

repetitions: $(VENV)/.made ## tests that repeat a promise of the gate at a larger scale
	$(PYTEST) -n 2 --dist worksteal --durations 20 -m nightly tests \
		$(call ONCE_MORE,$(PYTEST),-m nightly tests)

matrix: ## the transport's tests on the oldest supported, a middle and the newest aiohttp
	PY=$(PY) scripts/matrix.sh

examples: .venv-examples/.made ## every example, with the libraries that single ones need
	.venv-examples/bin/python -m pytest -n 2 --dist worksteal -q tests/examples

mutants: $(VENV)/.made ## each defence removed alone must make its tests fail
	$(BIN)/python -m tests.mutants

##@ Measures

bench: .venv-peers/.made ## everything measured beside other clients: 45 minutes (QUICK=1: a rough guide in 4)
	.venv-peers/bin/python -m benchmarks.run $(SHORT)

million: $(VENV)/.made ## a million items with a ledger, killed twice, and what is paid and kept (QUICK=1: 3,000; ITEMS=50000)
	$(BIN)/python -m tests.proofs.million $(if $(ITEMS),--items $(ITEMS),$(SHORT))

scripts: .venv-agent/.made ## recorded scripts on twelve sites that change, with a control (QUICK=1: 50 rows instead of 500)
	.venv-agent/bin/python -m benchmarks.scripts $(SHORT)

lost-reply: .venv-peers/.made ## one lost answer to a creating call, through this and other clients
	.venv-peers/bin/python -m benchmarks.lost_reply

##@ Releases

# Versions stay where they are unless pyproject.toml says otherwise. The agent has a lock of its own, since
# browser-use wants exactly mcp 2.1.1, and the extra mcp a newer one.
LOCK = echo "$(1) @ file://$(CURDIR)" | .venv-lock/bin/uv pip compile - --universal --python-version 3.11 \
	--generate-hashes --no-annotate --quiet --no-emit-package browser-use-async --custom-compile-command "make lock"
LOCKED := dev conformance docs image peers audit build lock sbom
lock: .venv-lock/.made ## the files that may be installed, with their hashes, after a change of pyproject.toml
	$(call LOCK,browser-use-async) $(LOCKED:%=--group pyproject.toml:%) --output-file constraints.txt
	$(call LOCK,browser-use-async[local-agent]) --output-file deploy/agent.txt

dist: $(VENV)/.made ## the source archive and the wheel made from it, in dist/
	$(BIN)/python -m build --no-isolation --outdir dist .

sbom: .venv-image/.made .venv-sbom/.made ## the packages of the image, in dist/sbom.cdx.json
	mkdir -p dist
	.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json .venv-image

clean: ## remove environments, caches and what was built
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site

# Environments: one for each dependency group, made again when the groups or the lock change.
ENVIRONMENTS ?= docs conformance demo audit
environments: $(VENV)/.made $(ENVIRONMENTS:%=.venv-%/.made)

.venv-%/.made: pyproject.toml constraints.txt scripts/environment.sh
	scripts/environment.sh .venv-$* $* $(PY)

$(VENV)/.made: pyproject.toml constraints.txt scripts/environment.sh
	scripts/environment.sh $(VENV) dev $(PY)
