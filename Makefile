# From Saliency to Semantics. `make help` lists the commands.

# 3.11 and 3.12 have the versions that everything is tested with; numpy 2, which comes from 3.13 on, is tested less often.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c '' 2>/dev/null && echo $$python && break; done)
TORCH ?= $(shell sed -n '/^torch==/p' requirements.txt)
SIGNXAI2 := $(shell sed -n '/^signxai2==/p' requirements.txt)
VENV ?= .venv

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
UNPINNED := .venv-unpinned/$(notdir $(BIN))
STAMP := $(VENV)/.installed
NOTEBOOKS := $(BIN)/python tools/notebooks.py
# NB=06 restricts course and notebooks to the notebooks whose name starts so.
NB ?=
# REPO=owner/name on GitHub, for badges.
REPO ?=
# A folder that `make wheelhouse` has filled: everything is installed from there, and nothing from the network.
WHEELHOUSE ?=
HOUSE := build/wheelhouse
HOUSEPIP = build/pip/$(notdir $(BIN))/python -m pip wheel -q -w $(HOUSE) --find-links $(HOUSE)

export PIP_DISABLE_PIP_VERSION_CHECK = 1
ifneq ($(WHEELHOUSE),)
export PIP_NO_INDEX = 1
export PIP_FIND_LINKS = $(abspath $(WHEELHOUSE))
endif

.DEFAULT_GOAL := help
.PHONY: help course lab test lint js notebooks slides wheelhouse dist route stamp badges constraints data book links types coverage lock audit unpinned clean

help:
	@echo "make course     install, then run every notebook: figures in plots/, pages in build/, a table at the end"
	@echo "make lab        install, then open JupyterLab at the first notebook"
	@echo "make test       install, lint, unit tests, and all notebooks checked and run"
	@echo "make notebooks  install, then rebuild notebooks/*.ipynb from notebooks/src/*.py"
	@echo "make badges     print the repository's address; with REPO=owner/name, write another one everywhere"
	@echo "make wheelhouse fill build/wheelhouse, from which WHEELHOUSE=folder installs without a network"
	@echo "make dist       wheel and source distribution in dist/, checked"
	@echo "make book       install, then put the course into one web site, build/book/index.html"
	@echo "make slides     build/slides/index.html; npm fetches reveal.js, once"
	@echo "make clean      remove build/, plots of runs and caches; 'rm -r $(VENV)' removes the installation"
	@echo
	@echo "PYTHON=python3.12 chooses the Python, TORCH='torch==2.13.0 --index-url URL' the build of PyTorch,"
	@echo "NB='06 07' the notebooks. Real recordings and weights: $(BIN)/python -m leadwise download all"

course: $(STAMP) data
	$(NOTEBOOKS) run $(NB) --variant exercises

lab: $(STAMP)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir=$(CURDIR) notebooks/00_start_here.ipynb

test: $(STAMP) lint data
	$(NOTEBOOKS) check
	$(BIN)/python -m pytest
	$(NOTEBOOKS) run 0 1 --variant solutions # appendices are executed by make notebooks and make course

lint: $(STAMP) js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The explorers' JavaScript: a linter and types. Where node is not at hand nothing is checked, and that is said.
js:
	@if ! command -v npm >/dev/null; then echo "JavaScript is not checked: no npm here (https://nodejs.org)"; \
	elif ! { test -d node_modules || npm ci --silent --no-audit --no-fund; }; then \
		echo "JavaScript is not checked: npm could not fetch the linter"; \
	else npm run --silent lint && npm run --silent types && npm test --silent; fi

notebooks: $(STAMP)
	$(NOTEBOOKS) build $(NB)
	$(BIN)/ruff check notebooks
	$(BIN)/ruff format --check notebooks
	$(BIN)/python tools/readme.py

badges: $(STAMP)
	$(BIN)/python tools/badges.py $(REPO)

# What a workflow runs on a push: a repository whose address is not written yet gets it, in a commit of its own.
stamp:
	@test -n "$(REPO)" || { echo "Name the repository: make stamp REPO=owner/name"; exit 1; }
	@if grep -q '^Repository = "https://github.com/$(REPO)"$$' pyproject.toml; then echo "$(REPO) is written already"; else \
		$(PYTHON) -m venv build/stamp && build/stamp/bin/pip install -q nbformat -c constraints.txt && \
		build/stamp/bin/python tools/badges.py $(REPO) && \
		git -c user.name=stamp -c user.email=stamp@users.noreply.github.com commit -qam "The repository's own address" && \
		git push "https://x-access-token:$$GITHUB_TOKEN@github.com/$(REPO)" HEAD:main; fi

# Public functions agree with their type hints.
types: $(STAMP)
	$(BIN)/mypy

# Which lines no test runs: a table, and pages in build/coverage.
coverage: $(STAMP) data
	$(BIN)/python -m pytest --cov=leadwise --cov-report=term-missing:skip-covered --cov-report=html:build/coverage

book: $(VENV)/.book
	$(BIN)/python tools/book.py

slides: $(STAMP) slides/node_modules/.package-lock.json
	$(BIN)/python tools/slides.py

slides/node_modules/.package-lock.json: slides/package-lock.json
	cd slides && npm ci --no-audit --no-fund && touch node_modules/.package-lock.json

# Looks up every external link of the book; needs a network.
links: $(VENV)/.book
	$(BIN)/python tools/book.py --links

$(VENV)/.book: requirements-book.txt $(STAMP)
	$(BIN)/python -m pip install -q -r requirements-book.txt -c constraints.txt -c $(VENV)/torch.txt
	@touch $@

# A mirror (a folder with the files, for a lecture room without a network) is used without being asked for. It need not
# hold everything: exit status 1 says that something is missing, and the notebooks say what they use instead.
data: $(STAMP)
ifneq ($(LEADWISE_MIRROR),)
	$(BIN)/python -m leadwise download --offline ecg-models ecgs || test $$? = 1
endif

# torch comes first and alone, so that TORCH may name another version or, by --index-url, another build of it. What
# follows keeps the version found there, and its torchvision follows from it. signxai2 0.5.0 asks for numpy < 2, which
# ends with Python 3.12, and runs with numpy 2: it comes last, without what it declares to need. All of that is here.
$(STAMP): requirements.txt requirements-dev.txt constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python found. Install Python 3.11, or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 14) else \
		"$(PYTHON) is Python %d.%d; the pinned packages need 3.11 to 3.14. Name one: make PYTHON=/path/to/python3.11" % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) can't create a virtual environment (Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }
	@echo "Installing PyTorch and the course into $(VENV): some minutes, once."
	$(BIN)/python -m pip install $(TORCH) -c constraints.txt
	@$(BIN)/python -c 'import importlib.metadata as m; print("torch==" + m.version("torch").split("+")[0])' > $(VENV)/torch.txt
	@sed -e '/^torch==/d' -e '/^signxai2==/d' requirements.txt > $(VENV)/requirements.txt
	$(BIN)/python -m pip install -q -r $(VENV)/requirements.txt -r requirements-dev.txt -c constraints.txt -c $(VENV)/torch.txt
	$(BIN)/python -m pip install -q -e . $(SIGNXAI2) --no-deps --no-build-isolation
	@$(BIN)/python -c 'from leadwise.compat import write_startup; write_startup()'
	@touch $@

# For a room without a network. The folder fits the system and the Python that filled it; there:
#   make course WHEELHOUSE=/path/to/wheelhouse
wheelhouse:
	rm -rf $(HOUSE) build/pip && $(PYTHON) -m venv build/pip
	$(HOUSEPIP) $(TORCH) -c constraints.txt
	@ls $(HOUSE) | sed -n 's/^torch-\([0-9.]*\).*/torch==\1/p' > build/pip/torch.txt
	@sed -e '/^torch==/d' -e '/^signxai2==/d' requirements.txt > build/pip/requirements.txt
	$(HOUSEPIP) -r build/pip/requirements.txt -r requirements-dev.txt -c constraints.txt -c build/pip/torch.txt
	$(HOUSEPIP) --no-deps . $(SIGNXAI2)
	-git archive --format=zip --prefix=leadwise/ -o $(HOUSE)/leadwise-course.zip HEAD
	@du -sh $(HOUSE)

# The package as PyPI gets it, looked through by twine.
dist: $(VENV)/.dist
	rm -rf dist && $(BIN)/python -m build -q
	$(BIN)/python -m twine check --strict dist/*

$(VENV)/.dist: $(STAMP)
	$(BIN)/python -m pip install -q build twine
	@touch $@

# One of the README's ways without make, to the letter: ROUTE=pip, uv, conda or Windows.
route:
	$(PYTHON) tools/route.py $(ROUTE)

# After a change of requirements: in a new virtual environment, `pip install` -r each of requirements*.txt, then
# `make constraints VENV=that_environment` writes what came with them.
constraints:
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --all --exclude-editable \
		| grep -v -i -E '^(pip|torch|torchvision|numpy|pyarrow|triton|nvidia-.*|cuda-.*|leadwise)(==| @)'; } > constraints.new
	@mv constraints.new constraints.txt

# requirements.lock: every package with the hashes of its files, for Linux and the Python of the tests.
#   pip install --require-hashes -r requirements.lock
# installs what the course imports and nothing else, or stops. It holds PyTorch from PyPI, with CUDA.
lock: $(VENV)/.audit
	$(BIN)/uv pip compile -q --generate-hashes --no-annotate --python-version 3.11.2 \
		--python-platform x86_64-manylinux_2_28 --custom-compile-command "make lock" -c constraints.txt -o requirements.lock requirements.txt

# Has any pinned version a known vulnerability? Asks PyPI's advisory service, so it needs a network.
audit: $(VENV)/.audit
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock
	$(BIN)/pip-audit --no-deps --disable-pip -r constraints.txt

$(VENV)/.audit: requirements-audit.txt $(STAMP)
	$(BIN)/python -m pip install -q -r requirements-audit.txt -c constraints.txt -c $(VENV)/torch.txt
	@touch $@

# The tests with the newest version of everything but the linters, which know new complaints with every version,
# signxai2, whose version 0.5.0 notebook 05 examines, and zennit, whose 1.0.0 leaves a merged batch normalisation in the
# network's parameters (benchmarks/peers.json).
unpinned:
	$(PYTHON) -m venv .venv-unpinned
	$(UNPINNED)/python -m pip install -q $(TORCH)
	sed -E -e '/^(torch|signxai2)==/d' -e '/^(ruff|mypy|zennit)==/b' -e 's/==.*//' \
		requirements.txt requirements-dev.txt > .venv-unpinned/requirements.txt
	$(UNPINNED)/python -m pip install -q -r .venv-unpinned/requirements.txt
	$(UNPINNED)/python -m pip install -q -e . $(SIGNXAI2) --no-deps --no-build-isolation
	$(UNPINNED)/python -m pip freeze > .venv-unpinned/.installed
	$(MAKE) test VENV=.venv-unpinned

clean:
	rm -rf build plots/[0-9]* .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
