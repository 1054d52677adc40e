# Everything a newcomer types. `make demo` and `make test` each set up all they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# A worker for each core; more than eight would only wait for each other's servers.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8

.DEFAULT_GOAL := help
.PHONY: help venv system demo test check format lint types contracts torture fuzz bench clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Yamabiko needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || $(MAKE) --no-print-directory system-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

.PHONY: system-venv
system-venv:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
	else echo "Python's venv module is missing: install the package python3-venv"; exit 1; fi

venv: $(STAMP) ## make the virtual environment

system: ## install the system packages the tests use (Postfix, nginx, gcc)
	@bash tests/system/install.sh

demo: $(STAMP) ## see it work: a simulated world, and every figure compared with the truth
	$(BIN)/yamabiko demo

test: $(STAMP) system ## run all tests
	$(PYTEST)

check: $(STAMP) system ## format, lint, types, contracts, tests: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/yamabiko rules check
	$(PYTEST)

format: $(STAMP) ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

torture: $(STAMP) system ## the long fault tests: one JSON object each
	$(BIN)/python -m tests.torture

fuzz: $(STAMP) ## fuzz the classifier for ten minutes
	$(BIN)/python -m fuzz.classify --seconds 600

bench: $(STAMP) system ## compare speed with nginx, smtp-sink and others in one run
	$(BIN)/python -m bench all

clean: ## remove what was built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .bytecode
