# The commands of the project, one line each; CI calls the same ones.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Where it is set, every start of paisctl would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo demo-down test test-fast check format golden bench docs lock

help:            ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .venv/.ready  ## Make the virtual environment from the locked dependencies

.venv/.ready: requirements.lock pyproject.toml scripts/make-venv
	@scripts/make-venv

demo: setup      ## Show the main job on a lab fleet: plan, apply, plan again, plan a change
	@scripts/ensure-docker
	@scripts/demo

demo-down:       ## Remove every trace of the demo
	@scripts/demo-down

test: setup      ## All tests: unit, golden, properties, end to end on the lab
	@scripts/ensure-docker
	@scripts/ensure-tools
	$(PYTHON) -m pytest -q -m 'not e2e' -n auto --dist loadfile
	$(PYTHON) -m pytest -m e2e

test-fast: setup ## The tests that need no Docker: minutes
	@scripts/ensure-tools
	$(PYTHON) -m pytest -q -m 'not e2e' -n auto --dist loadfile

check: setup     ## Formatting, lint, types, layering, the reference inventory
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	paisctl lint --strict

format: setup    ## Format the code and mend what ruff can mend
	ruff format .
	ruff check --fix .

golden: setup    ## Rewrite the expected outputs, to be reviewed with git diff
	PAISCTL_GOLDEN=1 $(PYTHON) -m pytest -q -m 'not e2e' tests/golden tests/cli tests/cases tests/unit

bench: setup     ## Measure against other tools on a lab of 5 to 30 hosts, and alone: hours
	@scripts/ensure-docker
	@benchmarks/make-peers
	$(PYTHON) -m benchmarks

docs: setup      ## Rewrite the generated reference pages and the inventory's schema
	$(PYTHON) scripts/generate-docs
	paisctl schema > inventory/pais.schema.json

lock: setup      ## Lock the newest dependencies that pyproject.toml allows
	uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 \
	    --generate-hashes --no-annotate --no-header --upgrade -o requirements.lock
