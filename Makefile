# Everything runs in .venv, which the first target that needs it creates. Needs only Python 3.11
# and make. The project is installed as a user would, never in editable mode, and again when one
# of its files changes, so that tests and benchmarks use the code that we ship.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# also directories, whose time changes when a file is removed
PACKAGE := pyproject.toml README.md scripts/envkit $(shell find envkit -name __pycache__ -prune -o -print)

.DEFAULT_GOAL := help
.PHONY: help demo test test-extra torture lint format bench docs clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

demo: $(VENV)/.installed  ## Run apps, and rotate a secret of one: no server, no account
	@PATH="$(abspath $(BIN)):$$PATH" sh scripts/demo.sh

# four at once even on two cores: tests mostly wait for servers. Every worker rewrites the assertions
# of every test, half of the time until the first one runs, unless it may write them to __pycache__.
test: $(VENV)/.test  ## Run every test against real servers on this machine
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-extra: $(VENV)/.test  ## Run the tests that need a browser, Node, podman, systemd or several shells
	sh scripts/install-extra.sh
	$(BIN)/pytest -m extra tests/extra $(PYTEST_ARGS)

torture: $(VENV)/.test  ## Kill rotations at every instruction while readers log in: two hours
	$(BIN)/python tests/torture/kill.py $(TORTURE_ARGS)
	$(BIN)/python tests/torture/races.py
	$(BIN)/python tests/torture/in_use.py
	$(BIN)/python tests/torture/fleet.py
	$(BIN)/python tests/torture/pauses.py
	$(BIN)/python tests/torture/foreign.py
	$(BIN)/python tests/torture/dead_client.py
	$(BIN)/python tests/torture/edits.py
	$(BIN)/python tests/torture/records.py
	$(BIN)/python tests/torture/answers.py
	$(BIN)/python tests/torture/survive.py

lint: $(VENV)/.lint  ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.lint  ## Fix style and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.test  ## Measure start-up time against its limits, and write bench.json
	$(BIN)/python tests/bench/run.py $(BENCH_ARGS)

docs: $(VENV)/.installed  ## Write docs/reference/api.md and cli.md again
	$(BIN)/python scripts/api_reference.py
	$(BIN)/python scripts/cli_reference.py

clean:  ## Remove what the other targets created
	rm -rf $(VENV) build dist bench.json .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# like an environment of uv, pipx or Python 3.12: setuptools adds 0.4 ms to every start of Python
$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "envkit needs Python 3.11 or later; run: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(BIN)/python -m pip uninstall --quiet --yes setuptools 2>/dev/null
	@touch $@

$(VENV)/.installed: $(VENV)/.pip $(PACKAGE)
	$(PIP) .
	@touch $@

$(VENV)/.test: $(VENV)/.pip $(PACKAGE)
	$(PIP) '.[test]'
	@touch $(VENV)/.installed $@

$(VENV)/.lint: $(VENV)/.pip pyproject.toml
	$(PIP) '.[lint]'
	@touch $@
