# MediaFlow: `make run` and `make test` are all a fresh machine needs (CPython 3.11+ and make).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 4

# What takes half the time of all tests: a browser, and real processes killed at every point. A run
# that must not leave anything out (CI) has them too.
ifneq ($(MEDIAFLOW_TEST_SERVICES),required)
DEFAULT_TESTS := -m "not e2e and not thorough"
endif

.PHONY: setup run test test-all demo bench lint lock clean

setup: $(VENV)/.run-stamp

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "MediaFlow needs Python 3.11 or newer; set PYTHON=python3.11 (found %s)." % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev-stamp: requirements-dev.lock $(VENV)/.run-stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

run: setup
	@exec $(BIN)/python manage.py serve

demo: setup
	@$(BIN)/python manage.py demo

test: $(VENV)/.dev-stamp
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(DEFAULT_TESTS) $(ARGS)

test-all: $(VENV)/.dev-stamp
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(ARGS)

bench: $(VENV)/.dev-stamp
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.dev-stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/djade --check --target-version 5.2 $$(git ls-files 'templates/*.html')
	$(BIN)/python manage.py makemigrations --check --dry-run
	MEDIAFLOW_PUBLIC_URL=https://mediaflow.example $(BIN)/python manage.py check --deploy --fail-level WARNING

# Needs uv (`pip install uv`). Lock files carry hashes and name no package index. Extras are kept:
# pip refuses `coverage[toml]` beside a bare `coverage==` pin as soon as a newer release is out.
lock:
	uv pip compile --quiet --upgrade --generate-hashes --no-strip-extras --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile --quiet --upgrade --generate-hashes --no-strip-extras --no-emit-index-url --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
