# Two commands do everything: `make app` and `make test`. `make help` lists the rest.
PYTHON ?= python3
PORT ?= 8501
ADDRESS ?= 127.0.0.1
VENV := .venv
BIN := $(VENV)/bin
GPU_PYTHON ?= $(BIN)/python
# One worker a core, at most four: the slow part of a test is loading torch, and each worker loads its own.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)

.DEFAULT_GOAL := help
.PHONY: help app test lint format e2e test-real reliability audit image-check bench gpu-check demo-run lock clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

app: $(VENV)/installed ## install, fetch the embedded model, serve the app (PORT=8600 to serve elsewhere)
	$(BIN)/medqa serve --port $(PORT) --address $(ADDRESS)

test: $(VENV)/installed-dev ## the default test suite (COVERAGE=1: and the floor of its branch coverage)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q $(if $(COVERAGE),--cov --cov-report=term)

lint: $(VENV)/installed-dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev ## put the code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

e2e: $(VENV)/installed-dev ## every page in a real browser (needs chromium)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m e2e tests/e2e

test-real: $(VENV)/installed-dev ## tests on the real model, on MedQuAD where it is available, and of an installation
	$(BIN)/python -m pytest -q -m real

reliability: $(VENV)/installed-dev ## many visitors, kills and damages, long attacks
	$(BIN)/python -m pytest -q -m reliability tests/reliability tests/security

audit: $(VENV)/installed-dev ## known vulnerabilities in the pinned packages, where an advisory database can be reached
	$(BIN)/python .ci/audit.py

image-check: ## build the image, run it read-only with 3 GB, ask, stop (docker or podman; BASE=debootstrap makes a base image)
	$(PYTHON) .ci/image_check.py $(if $(BASE),--base $(BASE)) $(if $(ENGINE),--engine $(ENGINE)) -- $(BUILD)

bench: $(VENV)/installed-dev ## training, evaluation and answering speed against the plain way; the verdict against simulated truth; the dashboard at scale and its start
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/answering.py
	$(BIN)/python benchmarks/verdict.py
	$(BIN)/python benchmarks/dashboard.py
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/data.py

gpu-check: $(VENV)/installed-dev ## eight minutes on a CUDA device; results to OUT (DRY=1: a minute on the CPU; GPU_PYTHON=… that has torch)
	$(GPU_PYTHON) benchmarks/gpu_check.py $(if $(DRY),--dry-run)

demo-run: $(VENV)/installed ## a real fine-tune of the embedded model on the starter set, evaluated
	$(BIN)/medqa train --preset starter --evaluate

lock: $(VENV)/installed-dev ## write constraints.txt from the environment
	@{ echo "# Every package of a tested environment (Python 3.11, Linux). Written by \`make lock\`."; \
	  $(BIN)/pip freeze --exclude-editable | sed -E 's/\+cpu$$//' | sort -f; } > constraints.txt.new
	@mv constraints.txt.new constraints.txt

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis

# `-e .` brings what requirements.txt lists, and the command `medqa` as a link to this checkout: nothing is compiled.
$(VENV)/installed: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make app PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@
