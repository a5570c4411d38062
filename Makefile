# make demo    a bundled example video becomes demo/*.glb and demo/contact_sheet.png
# make test    the test suite
# make lint    ruff
# make bench   the benchmarks
# make micro   ten clips, fifty steps of a new adapter on the bundled model, a report: the training path in minutes
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
MICRO ?= micro

BIN := $(VENV)/bin
RUN := $(BIN)/python -m shapegen4d_core
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINS := $(VENV)/constraints.txt

.PHONY: demo test lint bench micro table install clean

demo: $(VENV)/base.stamp
	$(BIN)/python -m shapegen4d_core demo --output $(DEMO)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q

lint: $(VENV)/test.stamp
	$(BIN)/python -m ruff check .

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks

micro: $(VENV)/test.stamp
	$(RUN) curate --output $(MICRO)/data --clips 10 --test 4 --unseen 0
	$(RUN) train latents --model tiny --data $(MICRO)/data --folder $(MICRO)/run
	$(RUN) train adapter --model tiny --data $(MICRO)/data --folder $(MICRO)/run --steps 50 --batch 2
	mkdir -p $(MICRO)/model
	cp -R shapegen4d_core/assets/tiny/. $(MICRO)/model
	$(RUN) train export --model tiny --folder $(MICRO)/run --output $(MICRO)/model
	$(RUN) evaluate --model $(MICRO)/model --clips 2 --output $(MICRO)/report

table: $(VENV)/test.stamp
	$(RUN) curate --output $(DATA) --clips 8800
	$(RUN) evaluate --data $(DATA) --seeds 0,1,2 --output $(DATA)/report

install: $(VENV)/test.stamp

clean:
	rm -rf $(VENV) $(DEMO) $(MICRO) build *.egg-info

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
