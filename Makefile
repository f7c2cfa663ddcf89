# Two commands do all the set-up:  make lab  opens the course,  make test  passes the tests.
#
#   make lab                     LAB_ARGS="--port 9000" is handed to `minquant lab`
#   make test                    TEST_ARGS="tests/formats -x" is handed to pytest
#   make site                    all lessons as static pages, in site/
#   make clean-cache             remove compiled kernels and the like; they are made again when needed
#   make clean                   and remove the environment as well
#   make lab PYTHON=python3.12   choose the interpreter (3.11 or newer) that .venv is made from

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: lab test site clean clean-cache

lab: $(VENV)/lessons.stamp
	$(BIN)/python -m minquant lab $(LAB_ARGS)

# Several tests run at a time, so none may keep a core busy by waiting on it or by threads it does not need. They run in
# the order of tests/conftest.py: what is timed comes last and alone.
test: $(VENV)/test.stamp
	OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE \
	  $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadgroup --no-loadscope-reorder \
	  --durations=10 $(TEST_ARGS)

site: $(VENV)/lessons.stamp
	$(BIN)/python tools/build_site.py

# A stamp says that its extras are installed as pyproject.toml lists them now.
$(VENV)/lessons.stamp: EXTRAS := lessons
$(VENV)/test.stamp: EXTRAS := lessons,test
$(VENV)/%.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing minquant and what it needs into $(VENV) (once; a minute or so)"
	$(PIP) install --quiet --editable '.[$(EXTRAS)]'
	@touch $@

# A half-made environment is removed, so that the next try starts afresh.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo; echo "minquant needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo not there)."; \
	  echo "If a newer one is installed, name it:  make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; } >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo; echo "$(PYTHON) cannot make a virtual environment."; \
	  echo "On Debian and Ubuntu the part it lacks is a package of its own:  sudo apt install python3-venv"; exit 1; } >&2

clean: clean-cache
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .hypothesis .coverage

clean-cache:
	rm -rf "$${MINQUANT_CACHE_DIR:-$$HOME/.cache/minquant}" .pytest_cache/minquant
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
