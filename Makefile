# Kohort's one list of commands. Everything runs inside .venv; nothing else on the machine is changed
# (the test set-up may install Debian's postgresql and chromium when run as root and they are missing).
PYTHON ?= python3
SIZE ?= S
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

.PHONY: help demo test test-long test-fast check format bench bench-ingest bench-studio docs lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/run.stamp: requirements/demo.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Kohort needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1)
	@test -x $(BIN)/python || (echo "Creating $(VENV) ..." && $(PYTHON) -m venv $(VENV))
	@echo "Installing what Kohort needs ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "Installing what the tests and checks need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/run.stamp ## Run the main job on real retail data (Complete Journey, 2017) and show the audiences
	@$(BIN)/python -m examples.complete_journey.demo

test: $(VENV)/dev.stamp ## Run every test but those that take minutes each; what fails runs once more, alone
	@$(BIN)/python -m kohort.testing.postgres
	@$(BIN)/python -m kohort.testing.browser
	@$(BIN)/python -c "from kohort.index.warming import warm_up; warm_up()"
	@$(BIN)/python -m tools.run_tests -n 2 -m "not long" --durations=15

test-long: $(VENV)/dev.stamp ## Run the tests that take minutes each: many crashes, many random rules
	@$(BIN)/python -m pytest -n 2 -m long

test-fast: $(VENV)/dev.stamp ## Run the tests that take no more than a moment
	@$(BIN)/python -m pytest -n 2 -m "not slow and not long"

check: $(VENV)/dev.stamp ## Run ruff, mypy --strict, the layer contract and the generated-docs check
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/python -m tools.reference --check

format: $(VENV)/dev.stamp ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp ## Measure evaluations, previews and builds beside DuckDB, ClickHouse and Polars (SIZE=S, M or L)
	@$(BIN)/python -m bench.evaluate --size $(SIZE)

bench-ingest: $(VENV)/dev.stamp ## Measure the server: calls a second, latency, memory, tables keeping up
	@$(BIN)/python -m bench.ingest $(INGEST)

bench-studio: $(VENV)/dev.stamp ## Measure the studio: fifty people at once; pages and edits in a browser (STUDIO=WORKSPACE, default: the demo's)
	@$(BIN)/python -m bench.load_studio $(or $(STUDIO),demo); held=$$?; \
	$(BIN)/python -m bench.studio_browser $(or $(STUDIO),demo) $(RECORD) && exit $$held

docs: $(VENV)/dev.stamp ## Write the reference pages and the outputs shown in guides again from the code
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.transcripts

lock: $(VENV)/dev.stamp ## Resolve the locked requirement files again (needs uv)
	@tools/lock

clean: ## Remove the environment and everything the demo and the bench made
	rm -rf $(VENV) demo bench/data
