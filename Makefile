# make demo: compress the included photograph and look at it.   make test: everything that takes seconds.
# make slow: the tests that take longer.                         Needs Python 3.11 or newer, git and make.
# make fuzz: a million hostile files, on Linux; see docs/security.md.   make audit: known holes in what is depended on.
# make docs: the manual as a site, in build/site.   make dist: wheel and sdist, in dist/.
# make viewer: the page of `imgcodec view`, with Node and npm.
# make soak: ten minutes of commands that are killed, full disks, threads; docs/security.md, too.

PYTHON ?= python3
BIN := .venv/bin
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile  # each process imports torch

.PHONY: demo test lint slow fuzz soak audit viewer docs dist clean

demo: .venv/ready
	$(BIN)/python examples/demo.py

test: lint
	$(BIN)/python -m pytest $(PARALLEL)

slow: .venv/ready
	$(BIN)/python -m pytest -m slow

fuzz: .venv/ready
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/run.py container --runs 1000000
	$(BIN)/python tests/fuzz/run.py decoder --runs 50000
	$(BIN)/python tests/fuzz/run.py exact --runs 100000

soak: .venv/ready
	$(BIN)/python benchmarks/soak.py

audit: .venv/ready
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[audit]'
	$(BIN)/bandit --quiet --recursive --severity-level medium imgcodec bitstream cli models
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

viewer:
	cd viewer && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build

# Strictly: a link to nowhere is an error.
docs: .venv/ready build/typed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

dist: .venv/ready viewer
	rm -rf dist build/lib
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[release]'
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*
	@! grep -q '\.invalid' pyproject.toml || echo "Not to be published yet: [project.urls] has no address."

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
	rm -rf .venv build demo dist viewer/node_modules imgcodec/viewer_page .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
