# Everything a newcomer needs. Each target makes the environment if it is missing.

.DEFAULT_GOAL := help
.PHONY: help run test lint web bench fuzz pin clean

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WEB := hub/web
PAGES := $(WEB)/dist/index.html
NAME ?=
ARGS ?=

help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making the environment in $(VENV) (about a minute, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

# Node from the machine if it is new enough, else from a wheel into the environment.
$(PAGES): $(READY) $(shell find $(WEB)/src $(WEB)/public -type f 2>/dev/null) $(wildcard $(WEB)/*.json $(WEB)/*.html $(WEB)/*.ts)
	@$(BIN)/python $(WEB)/build.py

run: $(READY) $(PAGES) ## Start the whole product with demo data (Ctrl-C stops it)
	@$(BIN)/hub up

test: $(READY) $(PAGES) ## Run every test
	@$(BIN)/python -m pytest $(ARGS)

lint: $(READY) ## Format, lint, types and the floors of the house
	@$(BIN)/ruff format --check hub channels workers tests
	@$(BIN)/ruff check hub channels workers tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python $(WEB)/build.py --check

web: $(PAGES) ## Build the pages

bench: $(READY) ## Measure; NAME=fanout, storm or invest picks one
	@$(BIN)/python tests/benchmarks/run.py $(NAME) $(ARGS)

fuzz: $(READY) ## Try the decoders of frames and commands with a fuzzer, for two minutes
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	@PYTHONPATH=. $(BIN)/python tests/fuzz/commands.py -max_total_time=120 -max_len=3000 $(ARGS)

pin: $(READY) ## Pin the requirements anew, with hashes and without addresses
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements-dev.in -c requirements.txt -o requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements-fuzz.in -o requirements-fuzz.txt

clean: ## Remove what was built; data in .hub stays
	@rm -rf $(VENV) $(WEB)/dist $(WEB)/node_modules *.egg-info
