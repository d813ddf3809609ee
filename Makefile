# setup, serve, test, check, train: one word each; every one makes .venv where it is missing.
# HOST and PORT are short for LATENTD_HOST and LATENTD_PORT; every LATENTD_* variable passes through.
PYTHON ?= python3
RECIPE ?= digits
# Tests start services, browsers and trainings; more at a time wait for each other.
TESTS_AT_ONCE ?= 2
BIN := .venv/bin
SETUP := .venv/.set-up

ifdef HOST
export LATENTD_HOST := $(HOST)
endif
ifdef PORT
export LATENTD_PORT := $(PORT)
endif
# A variable given as `make serve LATENTD_DEVICE=cpu` is make's; this hands it on as the environment's.
export $(filter LATENTD_%,$(.VARIABLES))

.PHONY: setup serve test test-slow check format train

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "latentd needs Python 3.11 or newer; name one: make setup PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt \
		--editable '.[compress,neighbours,training,dev]'
	@touch $(SETUP)

serve: setup
	@exec $(BIN)/python -m app serve

test: setup
	$(BIN)/pytest --numprocesses $(TESTS_AT_ONCE) --dist loadgroup

test-slow: setup
	$(BIN)/pytest -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: setup
	$(BIN)/python -m training run $(RECIPE)
