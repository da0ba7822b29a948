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

test: $(STAMP)   ## Run all tests.
	$(BIN)/python -m pytest -n auto

fast: $(STAMP)   ## Run the tests that need no Prefect server.
	$(BIN)/python -m pytest -m "not prefect" -n 2

lint: $(STAMP)   ## Check style, types and the import graph.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## Measure every sink beside its floor; writes benchmarks/SINKS.md.
	$(BIN)/python -m benchmarks.sinks

lock:            ## Resolve the pins anew (needs uv); look at what changed before committing.
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock
	uv pip compile pyproject.toml --all-extras --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-dev.lock

.PHONY: help setup demo test fast lint bench lock
