# `make help` lists the targets. Each makes the environment that it needs on first use.
PY ?= python3
VENV ?= .venv
# Twice the number of cores: many tests wait for programs that they start.
WORKERS ?= 4
# The short form of what takes long: make proof-world QUICK=1
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

# Words behind test-, proof- and bench-; conformance has an environment of its own.
TESTS_APART := agent compatibility examples matrix wheel
PROOFS := fleet million model mutants paying-once world
BENCHES := lost-reply scripts

.PHONY: help test check demo docs openapi long bench gate nightly audit environments lock dist \
	$(TESTS_APART:%=test-%) $(PROOFS:%=proof-%) proof-conformance $(BENCHES:%=bench-%)
.DEFAULT_GOAL := help

help:
	@awk '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^(## )?[a-z][]a-zA-Z[-]*:.*## / { sub(/^## /, ""); split($$0, part, ":.*## "); printf "  %-14s %s\n", part[1], part[2] }' Makefile

##@ Every day

TESTS ?= tests
SHORT_TESTS := -m "not torture and not long"
test: $(VENV)/.made ## the test suite, in about three minutes on two cores (TESTS=tests/polling: some of it)
	$(PYTEST) -n $(WORKERS) --dist worksteal $(SHORT_TESTS) $(TESTS) $(call ONCE_MORE,$(PYTEST),$(SHORT_TESTS) $(TESTS))

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

# Tests that take long, of the suites that scripts/changed.py names; without SUITES those of the rooms whose
# files differ from the last change that landed. All are also the ones that repeat a promise at a larger scale.
LONG := -m "$(if $(filter all,$(SUITES)),torture or long or nightly,(torture or long) and not nightly)"
long: $(VENV)/.made ## the long tests of what changed (SUITES=all, or names of folders in tests/)
	@paths=$$($(BIN)/python scripts/changed.py paths $(SUITES)) || exit 1; \
	if [ -z "$$paths" ]; then echo "what changed has no long tests"; exit; fi; \
	$(PYTEST) -n 3 --dist worksteal --durations 20 $(LONG) $$paths $(call ONCE_MORE,$(PYTEST),$(LONG) $$paths)

## bench[-NAME]: ## what is measured beside other clients; NAME is lost-reply or scripts (QUICK=1: a rough guide)
bench: .venv-peers/.made # 45 minutes; with QUICK=1 four
	.venv-peers/bin/python -m benchmarks.run $(SHORT)

bench-lost-reply: .venv-peers/.made # one lost answer to a creating call
	.venv-peers/bin/python -m benchmarks.lost_reply

bench-scripts: .venv-agent/.made # recorded scripts on sites that change
	.venv-agent/bin/python -m benchmarks.scripts $(SHORT)

##@ Before a change lands

gate: ## all checks before a change lands (GOES_ON=1: all, also after one that failed)
	@$(MAKE) -f scripts/gate.mk --no-print-directory PY=$(PY) run

nightly: ## all the rest, to its end
	@$(MAKE) -f scripts/gate.mk --no-print-directory PY=$(PY) NIGHT=1 run

## test-NAME: ## tests with an environment of their own: agent, compatibility, examples, matrix, wheel
test-agent: .venv-agent/.made $(VENV)/.made # real tasks of the browser-use agent, with a model that follows a script
	.venv-agent/bin/python -m pytest -n 2 --dist worksteal -q tests/agent \
		$(call ONCE_MORE,.venv-agent/bin/python -m pytest -q,tests/agent)
	tests/agent/wheel.sh $(BIN)/python $(PY) .venv-agent/bin/python

# Pickling, typing, errors and imports are what differs between Pythons; developers have the oldest one.
COMPATIBILITY := $(SHORT_TESTS) tests/test_*.py tests/api tests/types
test-compatibility: $(VENV)/.made # what may differ on another Python (PY=python3.13 VENV=.venv-3.13)
	$(PYTEST) -n $(WORKERS) --dist worksteal $(COMPATIBILITY) $(call ONCE_MORE,$(PYTEST),$(COMPATIBILITY))

test-examples: .venv-examples/.made # every example, with the libraries that single ones need
	.venv-examples/bin/python -m pytest -n 2 --dist worksteal -q tests/examples

test-matrix: # the transport's tests on the oldest supported, a middle and the newest aiohttp
	PY=$(PY) scripts/matrix.sh

test-wheel: $(VENV)/.made # the built wheel, used away from the checkout, and the blocks of docs against it
	scripts/wheel.sh $(BIN)/python $(PY)

## proof-NAME: ## promises, each with a control: conformance (URL=…), fleet, million, model, mutants, paying-once, world (QUICK=1)
$(PROOFS:%=proof-%): proof-%: $(VENV)/.made
	$(BIN)/python -m tests.proofs.$(subst -,_,$*) $(SHORT) $(WORDS)
	$(if $(filter fleet,$*),$(BIN)/python -m tests.proofs.fleet.queue $(SHORT))

proof-conformance: .venv-conformance/.made # statements and generated requests; with URL=… statements of that server
	.venv-conformance/bin/python -m tests.proofs.conformance$(if $(URL),.statements $(URL) $(WORDS),.run)

# Where the advisory service cannot be reached it says so, and fails for nothing else.
audit: .venv-audit/.made ## known vulnerabilities of what is installed (STRICT=1: unknown packages fail, too)
	.venv-audit/bin/python scripts/audit.py $(if $(STRICT),--strict)

##@ Releases

# Versions stay where they are unless pyproject.toml says otherwise. The agent has a lock of its own, since
# browser-use wants exactly mcp 2.1.1, and the extra mcp a newer one.
LOCK = echo "$(1) @ file://$(CURDIR)" | .venv-lock/bin/uv pip compile - --universal --python-version 3.11 \
	--generate-hashes --no-annotate --quiet --no-emit-package browser-use-async --custom-compile-command "make lock"
LOCKED := dev conformance docs image peers audit build lock sbom
lock: .venv-lock/.made ## the files that may be installed, with their hashes, after a change of pyproject.toml
	$(call LOCK,browser-use-async) $(LOCKED:%=--group pyproject.toml:%) --output-file constraints.txt
	$(call LOCK,browser-use-async[local-agent]) --output-file deploy/agent.txt

dist: $(VENV)/.made .venv-image/.made .venv-sbom/.made ## the source archive, its wheel and the packages of the image, in dist/
	$(BIN)/python -m build --no-isolation --outdir dist .
	.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json .venv-image

# Environments: one for each dependency group, made again when the groups or the lock change.
ENVIRONMENTS ?= docs conformance demo audit
environments: $(VENV)/.made $(ENVIRONMENTS:%=.venv-%/.made) # what the gate installs, at once

.venv-%/.made: pyproject.toml constraints.txt scripts/environment.sh
	scripts/environment.sh .venv-$* $* $(PY)

$(VENV)/.made: pyproject.toml constraints.txt scripts/environment.sh
	scripts/environment.sh $(VENV) dev $(PY)
