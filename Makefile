# Everything a developer or a newcomer runs. `make` alone prints the list.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
export LICHEN_DATA ?= $(wildcard $(abspath ../shared/data))

.DEFAULT_GOAL := help
.PHONY: help setup packages demo test lint types unit format golden lock bench bench-layers bench-memory bench-learning bench-small prove clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: packages $(STAMP) ## set up .venv from requirements.lock, and the compilers and emulators

packages:
	@tools/install-packages $(PYTHON)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Lichen needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## train, quantise, compile and prove a digit classifier on two emulated chips
	$(BIN)/lichen demo digits

test: setup lint types unit ## check style and types, run all tests

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 15

format: $(STAMP) ## format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(STAMP) ## rewrite the golden files after a wanted change of the generated C
	$(BIN)/python -m pytest tests/backend/test_golden.py --update-golden

lock: ## write requirements.lock anew from pyproject.toml
	tools/lock $(PYTHON)

bench: setup ## the README's figures: RAM, flash, instructions and cycles on every emulated core, beside other compilers; also build/bench.json
	$(BIN)/python benchmarks/figures.py

bench-layers: setup ## single int8 layers of many shapes beside CMSIS-NN on the emulated Cortex-M4
	$(BIN)/python benchmarks/layers.py

bench-memory: setup ## every schedule of the reference models: arena and instructions on the emulated Cortex-M4
	$(BIN)/python benchmarks/memory.py

bench-learning: setup ## what learning on the chip costs beside inference, and published figures
	$(BIN)/python benchmarks/learning.py

bench-small: setup ## int8 layers on the emulated Arduino Uno and Raspberry Pi Pico, which have no DSP instructions
	$(BIN)/python benchmarks/small_cores.py

prove: setup ## all real inputs through interpreter, native C and the emulated Cortex-M4, against tflite-micro (slow)
	$(BIN)/python -m pytest tests/test_same_bytes.py -m 'slow or not slow'

clean: ## remove the virtual environment and what tests and tools leave behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build
