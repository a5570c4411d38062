# make demo    a bundled example video becomes demo/*.glb and demo/contact_sheet.png
# make test    the test suite
# make lint    ruff
# make bench   the benchmarks
# make table   the bundled model on held-out clips; makes its training clips in data/ first (half an hour)
# Each makes its own virtual environment in .venv on the first call; variables can be given on the line:
#   PYTHON       the interpreter to build it from
#   TORCH        what to ask pip for; TORCH_INDEX is the index that carries builds without CUDA
#   TORCH_INDEX  may be out of reach: pip then takes what its own configuration finds

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
DEMO ?= demo
DATA ?= data

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINS := $(VENV)/constraints.txt

.PHONY: demo test lint bench table install clean

demo: $(VENV)/base.stamp
	$(BIN)/python -m shapegen4d_core demo --output $(DEMO)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q

lint: $(VENV)/test.stamp
	$(BIN)/python -m ruff check .

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks

table: $(VENV)/test.stamp
	$(BIN)/python -m shapegen4d_core curate --output $(DATA)
	$(BIN)/python -m shapegen4d_core evaluate --data $(DATA)

install: $(VENV)/test.stamp

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info

# torch comes first and alone (--no-deps): the pin step refuses a CUDA build before pip draws its packages in.
$(PINS):
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-deps --retries 1 --timeout 30 --extra-index-url $(TORCH_INDEX) "$(TORCH)"
	$(BIN)/python .ci/pin_torch.py $(PINS)

$(VENV)/base.stamp: $(PINS) pyproject.toml
	$(PIP) install --quiet --constraint $(PINS) torch --editable .
	touch $@

$(VENV)/test.stamp: $(VENV)/base.stamp
	$(PIP) install --quiet --constraint $(PINS) --editable ".[test]"
	touch $@
