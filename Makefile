# Two commands: `make demo` and `make test`. Each is complete on a machine that has only Python and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check slow bench docs clean

# A set-up is done when it has been done to its end with these files.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q torch==2.13.0
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/polymodal demo

check: $(VENV)/.ready
	$(BIN)/ruff format --check src tests examples benchmarks docs/_ext docs/*.py
	$(BIN)/ruff check src tests examples benchmarks docs/_ext docs/*.py
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -m "not slow" -n 2

slow: $(VENV)/.ready
	$(BIN)/python -m pytest -q -m slow -n 2 --maxschedchunk=1

test: check slow

# The speed as ratios, with files in benchmarks/results.
bench: $(VENV)/.ready
	$(BIN)/python benchmarks/bench.py

# The documentation site, in build/site. A dead link, a missing reference or any other warning fails the build.
docs: $(VENV)/.ready
	$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going -b html docs build/site

clean:
	rm -rf $(VENV) build dist *.egg-info
