# Two commands for everybody: `make demo` and `make test`. The rest is for contributors.
PY ?= python3
VENV ?= .venv
# Twice the two cores: many tests wait for programs that they start.
WORKERS ?= 4
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# Of locked packages nothing but the recorded files is installed, whoever serves them.
LOCKED := -m pip install --quiet --require-hashes --requirement
OURSELVES := -m pip install --quiet --no-deps --no-build-isolation --editable .
# Else each worker, and each of the programs that tests start, compiles all modules anew: a third of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test torture simulate forwarding hosted-documents chaos mutants matrix cases fleet check bench lost-reply conformance agent examples docs lock audit dist sbom clean

demo: $(VENV)/.for-demo
	$(BIN)/browser-use-async demo

test: $(VENV)/.for-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "not torture and not long" tests $(LESS)

# All that takes long: the slow tests, a third of the simulation, the short fleet and chaos benches, and the
# versions of aiohttp. By fewer workers, since these use whole cores. The mutants have a command of their own:
# they take as long as all of these. What failed beside others runs once more by itself, and its first report
# stays to be read: a test that passes only alone needs mending, but is no reason to repeat half an hour.
torture: $(VENV)/.for-test
	$(BIN)/python -m pytest -n 3 --dist worksteal -q --durations 20 -m "torture or long" tests \
		--ignore tests/simulator/test_worlds.py --ignore tests/fleet $(addprefix --deselect ,$(FORWARDED)) \
		$(addprefix --deselect ,$(EVERY_EVENT)) || { test $$? = 1 && echo "== by themselves:" && \
		$(BIN)/python -m pytest -q --last-failed --last-failed-no-failures none -m "torture or long" tests; }
	$(BIN)/python -m tests.fleet --quick
	$(BIN)/python -m tests.simulator --seeds 300
	$(BIN)/python -m tests.chaos --quick
	PY=$(PY) tests/matrix.sh

# 300 tasks forwarded to another service, whose server is killed again and again, and what is paid without the
# fence: ten minutes.
FORWARDED := $(addprefix tests/server/remote/test_paying_once.py::, \
	test_a_server_that_is_killed_again_and_again test_without_the_fence_many_tasks_are_paid_twice)
forwarding: $(VENV)/.for-test
	$(BIN)/python -m pytest -n 2 -q $(FORWARDED)

# What is sent to the hosted service and what its fakes answer, judged by Prism with its published documents:
# DOCUMENTS is a folder with v2.json and v4.json, which are the service's and not part of this project.
PRISM := $(VENV)/prism/node_modules/.bin/prism
hosted-documents: $(VENV)/.for-test $(PRISM)
	HOSTED_DOCUMENTS="$(abspath $(DOCUMENTS))" PRISM="$(abspath $(PRISM))" \
		$(BIN)/python -m pytest -n 2 -q tests/server/remote/test_published_documents.py

$(PRISM):
	npm install --no-audit --no-fund --prefix $(VENV)/prism @stoplight/prism-cli@5.14.2

# 1,000 seeds of faults and crashes in virtual time, and the control that must fail.
EVERY_EVENT := $(addprefix tests/batch/test_worlds.py::test_the_machine_may_die_at_any_event,[1-1] [4-1])
simulate: $(VENV)/.for-test
	$(BIN)/python -m tests.simulator
	$(BIN)/python -m pytest -n 2 -q $(EVERY_EVENT)
	$(BIN)/python -m pytest -n $(WORKERS) -q -m "torture or long" tests/simulator/test_worlds.py \
		--deselect tests/simulator/test_worlds.py::test_a_thousand_worlds

# Waits, submissions and budgets under faults, against a server of its own, in virtual time.
chaos: $(VENV)/.for-test
	$(BIN)/python -m tests.chaos

# Servers that share a database: processes are killed, PostgreSQL restarted, networks cut.
fleet: $(VENV)/.for-test
	$(BIN)/python -m tests.fleet $(if $(QUICK),--quick)
	$(BIN)/python -m tests.fleet.batches $(if $(QUICK),--quick)

# Each defence removed by itself must make the tests of its cases fail.
mutants: $(VENV)/.for-test
	$(BIN)/python -m tests.mutants

# The transport's tests on the oldest supported, a middle and the newest aiohttp.
matrix:
	PY=$(PY) tests/matrix.sh

# Every case of the catalogue: its test, its figure, and what makes it fail.
cases: $(VENV)/.for-test
	$(BIN)/python -m tests.cases

check: $(VENV)/.for-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

# Beside other clients from the registry: about 25 minutes, or 4 with QUICK=1.
bench: .venv-peers/.made
	.venv-peers/bin/python -m benchmarks.run $(if $(QUICK),--quick)

# One lost answer to a creating call, through this client and through others from the registry.
lost-reply: .venv-peers/.made
	.venv-peers/bin/python -m benchmarks.lost_reply

conformance: .venv-conformance/.made
	.venv-conformance/bin/python -m tests.conformance.run

# Real tasks of the browser-use agent in Chromium, with a model that follows a script; again as above.
agent: .venv-agent/.made
	.venv-agent/bin/python -m pytest -n 2 --dist worksteal -q tests/agent || { test $$? = 1 && \
		echo "== by themselves:" && .venv-agent/bin/python -m pytest -q --last-failed \
		--last-failed-no-failures none tests/agent; }

# Every example, with the libraries that single ones are about.
examples: .venv-examples/.made
	.venv-examples/bin/python -m pytest -n 2 --dist worksteal -q tests/examples

# The documentation site, in `site/`. A link that leads nowhere is an error.
docs: .venv-docs/.made
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

# The files that may be installed, with their hashes: after a change of pyproject.toml's groups or
# of constraints.txt. Versions stay where they are unless one of these two says otherwise.
lock:
	$(PY) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet "uv>=0.9"
	for group in test dev conformance docs; do \
		.venv-lock/bin/uv pip compile pyproject.toml --group $$group --constraint constraints.txt \
			--universal --python-version 3.11 --generate-hashes --no-annotate --quiet \
			--custom-compile-command "make lock" --output-file locks/$$group.txt || exit 1; \
	done

# Known vulnerabilities of all that the locks and constraints.txt name. STRICT=1: what nothing is known of is one, too.
audit: .venv-audit/.made
	.venv-audit/bin/python -m tests.audit $(if $(STRICT),--strict)

# The source archive, and the wheel made from it, in dist/; with the build tools of locks/test.txt.
dist: $(VENV)/.for-test
	$(BIN)/python -m build --no-isolation --outdir dist .

# What an installation with the command line and the server consists of, as a CycloneDX document.
sbom:
	$(PY) -m venv --clear .venv-sbom
	.venv-sbom/bin/python -m pip install --quiet --constraint constraints.txt ".[cli,server]"
	$(PY) -m venv --clear .venv-cyclonedx
	.venv-cyclonedx/bin/python -m pip install --quiet "cyclonedx-bom>=7"
	mkdir -p dist
	.venv-cyclonedx/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json .venv-sbom

clean:
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site

# Stamp files: each command installs what it needs once, and again when the lists change.
$(VENV)/.for-demo: $(VENV)/.made pyproject.toml constraints.txt
	$(INSTALL) --editable ".[cli,server]"
	@touch $@

$(VENV)/.for-test: $(VENV)/.made pyproject.toml locks/test.txt
	$(BIN)/python $(LOCKED) locks/test.txt
	$(BIN)/python $(OURSELVES)
	@touch $@

$(VENV)/.for-check: $(VENV)/.made pyproject.toml locks/dev.txt
	$(BIN)/python $(LOCKED) locks/dev.txt
	$(BIN)/python $(OURSELVES)
	@touch $@

# In an environment of its own, because it brings a web framework's worth of packages along.
.venv-conformance/.made: pyproject.toml locks/conformance.txt
	$(PY) -m venv --clear .venv-conformance
	.venv-conformance/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-conformance/bin/python $(LOCKED) locks/conformance.txt
	.venv-conformance/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

# In an environment of its own: a site generator is nothing that the tests need.
.venv-docs/.made: pyproject.toml locks/docs.txt
	$(PY) -m venv --clear .venv-docs
	.venv-docs/bin/python $(LOCKED) locks/docs.txt
	@touch $@

# In an environment of its own: browser-use pins what it needs, a hundred packages.
.venv-agent/.made: pyproject.toml
	$(PY) -m venv --clear .venv-agent
	.venv-agent/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-agent/bin/python -m pip install --quiet --group suite --editable ".[local-agent]"
	@touch $@

# In an environment of its own: the examples bring agents' and notebooks' worth of packages along.
.venv-examples/.made: pyproject.toml
	$(PY) -m venv --clear .venv-examples
	.venv-examples/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-examples/bin/python -m pip install --quiet --group examples --editable .
	@touch $@

.venv-audit/.made:
	$(PY) -m venv --clear .venv-audit
	.venv-audit/bin/python -m pip install --quiet "pip-audit>=2.10"
	@touch $@

# In an environment of its own: no other client becomes a dependency of ours.
.venv-peers/.made: benchmarks/peers.txt pyproject.toml
	$(PY) -m venv --clear .venv-peers
	.venv-peers/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/peers.txt --editable .
	@touch $@

# pip older than 25.1 does not know --group, so it is upgraded inside the environment first.
$(VENV)/.made:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PY) is not Python 3.11 or newer; name another one: make PY=python3.12" >&2; exit 1; }
	@$(PY) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PY) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PY) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@
