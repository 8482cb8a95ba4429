# Needs: Python >= 3.11 (with venv), make, and a package index that pip reaches. Nothing is installed by hand.
PYTHON ?= python3
# One more than the two cores of a small machine: most tests wait for processes and servers.
WORKERS ?= 3
# The status that says: containers cannot run here. Every other is a fault of ours.
UNABLE := 3
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
WHEEL_VENV := .wheel-venv
WHEEL_TREE := $(WHEEL_VENV)/tree
PIP := pip --disable-pip-version-check --quiet
PINNED = $(BIN)/uv pip compile --quiet $(UPGRADE) --generate-hashes --no-annotate --custom-compile-command 'make lock' \
	--python-version 3.11 --python-platform linux

IMAGE_BUILD ?= docker build --build-arg REVISION=$$(git rev-parse HEAD)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test campaign lint format bench manifests wheel wheel-test image-test images services lock clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.runtime  ## set up, and watch an embedded provider run dry and be topped up (a minute, no credentials)
	$(BIN)/python -m token_monitor demo

test: $(VENV)/.dev services  ## set up, and run every test but the campaigns
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not campaign and not image" $(PYTEST_ARGS)

campaign: $(VENV)/.dev services  ## the long runs (many kills, many jumps of the clock)
	$(BIN)/pytest -m campaign --timeout 3600 $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## print every figure
	$(BIN)/python benchmarks/run.py

manifests: $(VENV)/.dev  ## render deploy/kubernetes/ from the chart
	$(BIN)/python scripts/manifests.py

wheel: $(VENV)/.dev  ## build sdist and wheel into dist/
	rm -rf build dist
	$(BIN)/python -m build >/dev/null

# The wheel must start with its own dependencies alone, before the test tools bring more. The tests then run in a copy
# of the tree that has no token_monitor/ in it, so that nothing can be imported from the checkout.
wheel-test: wheel services  ## run the tests against the built wheel
	$(BIN)/python -m venv --clear $(WHEEL_VENV)
	$(WHEEL_VENV)/bin/$(PIP) install dist/*.whl
	$(WHEEL_VENV)/bin/token-monitor --help >/dev/null
	$(WHEEL_VENV)/bin/$(PIP) install "$$(echo dist/*.whl)[dev]"
	mkdir $(WHEEL_TREE)
	tar -c --exclude=./token_monitor --exclude=./.git --exclude=./$(VENV) --exclude=./$(WHEEL_VENV) --exclude=./dist \
		--exclude='./.*_cache' --exclude=./.hypothesis --exclude=__pycache__ . | tar -x -C $(WHEEL_TREE)
	cd $(WHEEL_TREE) && TOKEN_MONITOR_TESTED=wheel $(CURDIR)/$(WHEEL_VENV)/bin/pytest \
		-n $(WORKERS) --dist worksteal -m "not campaign and not image" $(PYTEST_ARGS)

# Where containers cannot run, one line says why, and that is no failure.
image-test: $(VENV)/.dev  ## build the images and run them, without a Docker engine (Debian, as root)
	@scripts/install-test-services images
	@PYTHONPATH=tests $(BIN)/python -m support.containers; case $$? in \
		0) $(BIN)/pytest -m image $(PYTEST_ARGS) tests/images ;; \
		$(UNABLE)) ;; \
		*) exit 1 ;; esac

images:  ## build token-monitor:slim and token-monitor:full; IMAGE_BUILD="podman build --format docker" for podman
	$(IMAGE_BUILD) --target slim -t token-monitor:slim -t token-monitor .
	$(IMAGE_BUILD) --target full -t token-monitor:full .

# Versions that are pinned already stay as they are; UPGRADE=--upgrade takes the newest.
lock: $(VENV)/.dev  ## pin what the images install, with hashes, from pyproject.toml and deploy/docker/*.in
	$(BIN)/$(PIP) install uv
	$(PINNED) pyproject.toml --extra all -o deploy/docker/requirements-full.txt
	$(PINNED) pyproject.toml -c deploy/docker/requirements-full.txt -o deploy/docker/requirements-slim.txt
	$(PINNED) deploy/docker/build.in -o deploy/docker/requirements-build.txt
	$(PINNED) deploy/docker/bundled.in -o deploy/docker/requirements-bundled.txt

services:
	@scripts/install-test-services

clean:  ## remove everything that was made here
	rm -rf $(VENV) $(WHEEL_VENV) build dist .hypothesis .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "make: '$(PYTHON)' is not Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "make: $(PYTHON) cannot make a virtual environment (on Debian: apt-get install python3-venv)" >&2; exit 1; }

$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	$(BIN)/$(PIP) install -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/$(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/.runtime
