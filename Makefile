# Set-up and the two commands of the README. Needs python3 (3.11 or newer) with venv, git and make.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

help:            ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

$(STAMP): requirements-dev.lock pyproject.toml
	python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP)  ## Make the virtual environment and install what is pinned.

demo: $(STAMP)   ## Run everything once against the stand-in, into ./demo.
	$(BIN)/live-traffic demo

# Much of a test is waiting, for a server or for a process: one worker more than there are cores.
test reliability: WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
test: $(STAMP)   ## Run all tests.
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

fast: $(STAMP)   ## Run the tests that need no Prefect server.
	$(BIN)/python -m pytest -m "not prefect" -n 2

nights: $(STAMP) ## Simulate 400 nights with outages, moves and restatements.
	SOAK_NIGHTS=400 $(BIN)/python -m pytest tests/flows/test_many_nights.py -n 2

reliability: FAULTS ?= long
reliability: $(STAMP) ## Do everything to it that tests can; writes docs/reliability.md.
	rm -rf .figures
	status=0; FAULTS=$(FAULTS) FIGURES=$(CURDIR)/.figures $(BIN)/python -m pytest -m figures -n $(WORKERS) --dist worksteal --timeout=3600 || status=$$?; \
	FAULTS=$(FAULTS) $(BIN)/python -m tests.reliability .figures && exit $$status

soak: reliability nights ## Both of these: everything that is tried only now and then.

automations: $(STAMP)  ## Try the automations on a real Prefect server (two minutes).
	PREFECT_AUTOMATIONS=1 $(BIN)/python -m pytest tests/flows/test_prefect_automations.py

lint: $(STAMP)   ## Check style, types and the import graph.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## Measure everything beside peers and floors; writes RESULTS.md, SINKS.md and SCALING.md.
	$(BIN)/python -m benchmarks $(BENCH)

lock:            ## Resolve the pins anew (needs uv); look at what changed before committing.
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.lock
	uv pip compile pyproject.toml --all-extras --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements-dev.lock

.PHONY: help setup demo test fast nights soak automations reliability lint bench lock
