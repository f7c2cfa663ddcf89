# Two commands do all the set-up:  make lab  opens the course,  make test  passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: lab test clean clean-cache

lab: $(VENV)/lessons.stamp
	$(BIN)/python -m minquant lab

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(if $(filter test,$*),lessons$(comma)test,$*)]'
	touch $@

comma := ,

clean: clean-cache
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis

clean-cache:
	rm -rf $${MINQUANT_CACHE_DIR:-$$HOME/.cache/minquant}
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
