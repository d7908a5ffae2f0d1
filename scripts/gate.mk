# The stages of the gate, and of the night (NIGHT=1), in two lanes:
#     make -f scripts/gate.mk run          (GOES_ON=1: all stages, also after one that failed)
# What computes uses both cores, one stage after another. What mostly waits runs beside it, one at a time:
# two jobs of make, of which one has all that computes until that has ended.
PY ?= python3
NIGHT ?=
export PY
export GOES_ON ?= $(NIGHT)
export LOGS := build/$(if $(NIGHT),night,gate)
# The newest Python, if it is another one than PY.
NEWEST ?=
# The long suites of what changed. The lanes get them from `run`, which asks once.
ifeq ($(origin SUITES),undefined)
SUITES := $(shell $(PY) scripts/changed.py suites)
ifneq ($(.SHELLSTATUS),0)
$(error scripts/changed.py failed, so it is not known which long tests are needed)
endif
endif
LONG := $(filter-out test-% proof-%,$(SUITES))
# Tests that passed only in the second run, alone: more of them fail the gate.
FORGIVEN := 3

ifdef NIGHT
COMPUTES := long proof-world proof-model proof-mutants bench
WAITS := proof-fleet proof-paying-once proof-conformance test-agent test-examples test-matrix
words-long := SUITES=all
words-bench := QUICK=1
else
COMPUTES := check test docs $(if $(LONG),long) proof-world $(if $(NEWEST),test-compatibility)
WAITS := test-wheel demo audit proof-fleet proof-paying-once $(filter test-agent,$(SUITES)) proof-conformance \
	$(filter test-matrix,$(SUITES))
words-long := SUITES='$(LONG)'
words-test-compatibility := PY=$(NEWEST) VENV=.venv-newest
$(foreach each,world fleet paying-once,$(eval words-proof-$(each) := QUICK=1))
endif
# One stage makes the environments of all others: two that make the same one would collide.
words-environments := ENVIRONMENTS='$(filter docs conformance demo audit agent examples,$(COMPUTES) $(patsubst proof-%,%,$(WAITS:test-%=%))) $(if $(NIGHT),peers)'
STAGE = scripts/stage.sh $(1) $(words-$(1))

.PHONY: run stages lanes computes $(WAITS)

run:
	@rm -rf $(LOGS) && mkdir -p $(LOGS) && date +%s >$(LOGS)/began
	@$(PY) scripts/programs.py --install
	@$(if $(NIGHT),,$(PY) scripts/changed.py)
	@$(call STAGE,environments) && $(MAKE) -f scripts/gate.mk --no-print-directory --jobs 2 \
		$(if $(GOES_ON),--keep-going) SUITES='$(SUITES)' lanes || echo "the lanes" >>$(LOGS)/failed
	@scripts/report.sh $(FORGIVEN) $(words environments $(COMPUTES) $(WAITS)); \
		code=$$?; $(PY) scripts/programs.py; exit $$code

stages: # the commands, for tests
	$(foreach each,$(COMPUTES) $(WAITS),$(info make $(each) $(words-$(each))))@:

lanes: computes $(WAITS)

computes:
	@$(foreach each,$(COMPUTES),$(call STAGE,$(each)) || bad=1;) exit $${bad:-0}

$(WAITS):
	@$(call STAGE,$@)
