# Every command of this project. Recipes are short: the work is in tools/, readable on its own.
PYTHON ?= python3
# Test files that run side by side; 0: one after the other, as on two cores, which Chromium fills.
JOBS ?= 0
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo test check bench fuzz matrix soak docs build

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

demo: ## a real kernel and a real page, to watch comms open from both ends
	@$(PYTHON) tools/prepare.py demo
	@.venv/bin/tsushin demo

test: ## every test; installs all it needs, Chromium too; JOBS=4: side by side
	@$(PYTHON) tools/prepare.py test
	@$(RUN) tools/node.py test
	@$(RUN) -m pytest -n $(JOBS) --dist loadfile

check: ## linters, type checkers, import contracts and the project's own rules
	@$(PYTHON) tools/prepare.py check
	@$(RUN) tools/check.py

bench: ## measure against the stock stack; a table, and build/bench.json
	@$(PYTHON) tools/prepare.py bench
	@$(RUN) -m bench

fuzz: ## random bytes into every decoder (long)
	@$(PYTHON) tools/prepare.py fuzz
	@$(RUN) -m pytest -m fuzz

matrix: ## other frontends, other kernels, other projects' tests (long)
	@$(PYTHON) tools/prepare.py matrix
	@$(RUN) -m pytest -m matrix tests/browser tests/faults tests/interop tests/kernel tests/profile tests/upstream
	@$(RUN) tools/make_support_table.py

soak: ## long traffic: 20 min. beside cells, 30 by a lane; SOAK_S=60 for one
	@$(PYTHON) tools/prepare.py soak
	@$(RUN) -m pytest -m soak tests/soak

docs: ## build the documentation into docs/_build/html
	@$(PYTHON) tools/prepare.py docs
	@$(RUN) -m sphinx --fail-on-warning docs docs/_build/html

build: ## the wheel and the sdist into dist/
	@$(PYTHON) tools/prepare.py build
	@$(RUN) -m build
