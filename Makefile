# make demo and make test need Python 3.10 to 3.13, a C compiler and a package index; everything goes into .venv.
# Another interpreter: make demo PYTHON=/path/to/python3

VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.installed-base
DEV := $(VENV)/.installed-dev
DOCS := $(VENV)/.installed-docs

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Asking for its own newest version is the one thing that the type checker would use the network for.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-restorers check versions bench bench-rivals docs weights samples clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo     install, restore the sample portraits into out/, and draw out/sheet.jpg'
	@echo 'make test     install with the development tools, and run the tests'
	@echo 'make test-long  the tests that take long: a Ray cluster, kills, whole benchmarks'
	@echo 'make test-restorers  the tests of the extra restorers, in an environment of their own (5.5 GB): .venv-restorers'
	@echo 'make check    style (ruff), types (pyright, TypeScript for the page), layers (import-linter)'
	@echo 'make versions the wheel in every Python of this machine, with the newest and the oldest libraries'
	@echo 'make bench    measure speed, memory and scale (10 minutes); writes results.md, steps.md and scale.md in benchmarks/'
	@echo 'make bench-rivals  Likeness beside GPEN, GFPGAN, CodeFormer and others as their authors run them (half an hour)'
	@echo 'make docs     the documentation as a searchable site: build/site/index.html'
	@echo 'make weights  train the weights anew: make weights PORTRAITS=folder of sharp, aligned portraits'
	@echo 'make samples  make the sample pictures in examples/ again'
	@echo 'make clean    remove .venv, out/ and caches'

demo: $(BASE)
	@$(BIN)/likeness demo out --overwrite

# Compiled first, as the tests start hundreds of processes, and in some places none of them may write what it compiled.
test: $(DEV)
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest

test-long: $(DEV)
	@$(BIN)/python -m pytest -m long

RESTORERS := .venv-restorers

test-restorers: $(RESTORERS)/.installed
	@$(RESTORERS)/bin/python -m pytest -p no:cacheprovider -n 0 -W ignore::FutureWarning tests/restorers

$(RESTORERS)/.installed: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m venv $(RESTORERS)
	@$(RESTORERS)/bin/python -m pip install --quiet --editable '.[restorers]' pytest pytest-xdist
	@touch $@

check: $(DEV)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports
	@$(BIN)/pyright
	@$(BIN)/python tools/check_page.py

versions: $(DEV)
	@$(BIN)/python tools/versions.py

bench: $(DEV)
	@$(BIN)/python benchmarks/run.py
	@$(BIN)/python benchmarks/steps.py
	@$(BIN)/python benchmarks/scale.py

bench-rivals: $(DEV) $(RESTORERS)/.installed
	@$(BIN)/python benchmarks/rivals.py --restorers $(RESTORERS)/bin/python

docs: $(DOCS)
	@$(BIN)/python tools/site.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo 'Look at build/site/index.html'

# The runs in their order; one that was stopped goes on, one that is done is passed over in seconds.
weights: $(DEV)
	@test -n '$(PORTRAITS)' || { echo 'say which portraits: make weights PORTRAITS=folder' >&2; exit 1; }
	@for config in configs/likeness-512/*.toml; do $(BIN)/likeness train "$$config" --portraits '$(PORTRAITS)' || exit 1; done
	@$(BIN)/likeness evaluate '$(PORTRAITS)' --model "$$(ls -d runs/likeness-512/*/ | tail -n 1)weights.safetensors"

samples: $(BASE)
	@$(BIN)/python examples/make_samples.py

clean:
	rm -rf $(VENV) out build dist .pytest_cache .ruff_cache .import_linter_cache

# A stamp newer than pyproject.toml means that what it asks for is installed. The editable install follows the sources.
# The development install holds everything of the base install, so either may come first.

$(BASE): pyproject.toml | $(BIN)/python
	@echo 'Installing Likeness into $(VENV) (140 MB to download, 490 MB unpacked; once) ...'
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(DEV): pyproject.toml tools/typed-versions.txt | $(BIN)/python
	@echo 'Installing Likeness with its development tools into $(VENV) (a few minutes; once) ...'
	@$(BIN)/python -m pip install --quiet --editable '.[dev]' --constraint tools/typed-versions.txt
	@touch $(BASE) $@

$(DOCS): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $(BASE) $@

# python3.11 may be a pyenv shim without a Python behind it, so each candidate has to run to count.
$(BIN)/python:
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.11 python3 python3.12 python3.13 python3.10); do \
	  "$$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null || continue; \
	  "$$python" -m venv --clear $(VENV) && exit 0; \
	  echo "$$python could not make $(VENV); on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	done; \
	echo 'Likeness needs Python 3.10, 3.11, 3.12 or 3.13, and $(if $(PYTHON),$(PYTHON) is none,none was found as python3.11 or python3): install one, or say where: make PYTHON=/path/to/python3' >&2; \
	exit 1
