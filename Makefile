# Everything a newcomer types. Needs make and Python 3.11 or later, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test explore docs test-lowest test-timm lint types clean

demo: $(VENV)/.demo
	$(BIN)/nassearch run --data synthetic --preset demo --out $(DEMO)
	$(BIN)/nascompile $(DEMO)/best.json --weights $(DEMO)/best.safetensors --target onnx --output $(DEMO)/best.onnx
	$(BIN)/nassearch report $(DEMO)

test: $(VENV)/.test lint types
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The laws on more examples, which were never drawn before.
explore: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal --hypothesis-profile=explore

# The site, with warnings as errors, in build/site.
DOCS := .venv-docs

docs: $(DOCS)/.made
	$(DOCS)/bin/python -m sphinx -W --keep-going -q docs build/site
	@echo "written build/site/index.html"

$(DOCS)/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

# The lower bounds of pyproject.toml, each installed exactly, under the core of the suite.
LOWEST := .venv-lowest
CORE := tests/genotype tests/compiler $(addprefix tests/backends/test_,onnx.py int8.py reference.py null.py) \
	$(addprefix tests/search/test_,run.py searchers.py) \
	$(addprefix tests/auxnas/,test_console.py test_drawing.py test_terminal.py nasspace) \
	$(addprefix tests/auxnas/,nascompile/test_nascompile.py nassearch/test_cli.py)

test-lowest: $(LOWEST)/.made
	$(LOWEST)/bin/python -m pytest -n 2 --dist worksteal $(CORE)

$(LOWEST)/.made: pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) .ci/lowest.py torch ort openvino ncnn litert rtx mat coco hf report tensorboard optuna ray bench dev > $(LOWEST)/pins.txt
	$(LOWEST)/bin/python -m pip install --quiet --requirement $(LOWEST)/pins.txt --editable .
	touch $@

# timm's own networks: it needs torchvision, which the processor's build of torch has none of.
TIMM := .venv-timm

test-timm: $(TIMM)/.made
	$(TIMM)/bin/python -m pytest tests/backends/test_timm.py tests/backends/test_tracing.py tests/auxnas/completion

$(TIMM)/.made: pyproject.toml
	$(PYTHON) -m venv $(TIMM)
	$(TIMM)/bin/python -m pip install --quiet --editable '.[timm,ort,dev]'
	touch $@

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

# A source distribution has the rooms within auxnas/ alone, where a checkout has links to them.
$(VENV)/.made:
	for room in genotype compiler backends search; do \
		test -L auxnas/$$room || { mv auxnas/$$room $$room && ln -s ../$$room auxnas/$$room; } || exit 1; \
	done
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[torch,ort,report]'
	touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[torch,ort,openvino,ncnn,litert,rtx,mat,coco,hf,report,tensorboard,optuna,ray,dev]'
	touch $@
	-command -v npm chromium >/dev/null && npm install --silent --fetch-retries 1 --fetch-timeout 30000 --no-audit --no-fund --prefix $(VENV)/node playwright-core@1.65.1 onnxruntime-web@1.30.0

clean:
	rm -rf $(VENV) $(LOWEST) $(TIMM) $(DOCS) docs/made build *.egg-info .mypy_cache .ruff_cache .pytest_cache
