# `make demo`: install and run the whole chain on simulated data.
# `make test`: install and run all checks.  `make quick`: the same with only the tests that take no time.
# `make dist`: build the sdist and the wheel into dist/ and check them.
# `make docs`: build the site in docs/_build/html; a warning is an error.
# All work in .venv in this folder; PYTHON names another Python 3.11 or later.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
# Python compiles what is imported, once; compiling all of the packages takes a minute.
PIP_ARGS := --quiet --disable-pip-version-check --no-compile
PYTEST_ARGS ?=

.PHONY: venv demo test quick dist docs clean

venv: $(STAMPS)/installed

demo: venv
	$(BIN)/scinfill demo -o demo

test: $(STAMPS)/installed-test
	BIN=$(BIN) bash tests/run_checks.sh $(PYTEST_ARGS)

quick: $(STAMPS)/installed-test
	BIN=$(BIN) bash tests/run_checks.sh -m 'not slow and not pipeline' --hypothesis-profile quick $(PYTEST_ARGS)

dist: $(STAMPS)/installed-test
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

docs: $(STAMPS)/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) demo dist docs/_build docs/reference/commands docs/reference/python .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"scinfill needs Python 3.11 or later, this is {v.major}.{v.minor}; name another: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# A stamp is as new as the installation, so neither target installs twice until pyproject.toml changes.
$(STAMPS)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_ARGS) --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_ARGS) --editable '.[test,docs]'
	@mkdir -p $(STAMPS) && touch $(STAMPS)/installed $@

$(STAMPS)/installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_ARGS) --editable '.[docs]'
	@mkdir -p $(STAMPS) && touch $(STAMPS)/installed $@
