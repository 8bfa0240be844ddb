# make demo: compress the included photograph and look at it.   make test: everything that takes seconds.
# make slow: the tests that take longer.                         Needs Python 3.11 or newer, git and make.
# make fuzz: a million hostile files, on Linux; see docs/security.md.   make audit: known holes in what is depended on.
# make soak: ten minutes of commands that are killed, full disks, threads; docs/security.md, too.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint slow fuzz soak audit clean

demo: .venv/ready
	$(BIN)/python examples/demo.py

test: lint
	$(BIN)/python -m pytest

slow: .venv/ready
	$(BIN)/python -m pytest -m slow

fuzz: .venv/ready
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/run.py container --runs 1000000
	$(BIN)/python tests/fuzz/run.py decoder --runs 50000

soak: .venv/ready
	$(BIN)/python benchmarks/soak.py

audit: .venv/ready
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[audit]'
	$(BIN)/bandit --quiet --recursive --severity-level medium imgcodec bitstream cli models
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

lint: .venv/ready build/typed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd build/typed && $(CURDIR)/$(BIN)/lint-imports --no-cache --no-logo $(CURDIR)/pyproject.toml

# An editable install with every dependency as pinned, anew when the pins change.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "imgcodec needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

# The package as it is installed, made of links: mypy and import-linter do not follow an editable install to its folders.
.PHONY: build/typed
build/typed:
	rm -rf $@
	mkdir -p $@/imgcodec
	ln -s $(CURDIR)/imgcodec/* $(CURDIR)/bitstream $(CURDIR)/cli $(CURDIR)/models $(CURDIR)/recipes $@/imgcodec

clean:
	rm -rf .venv build demo dist .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
