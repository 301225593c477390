# The only vocabulary: each target sets up .venv by itself, then does its work.
# Needs make and Python 3.11 or newer (with its venv module), nothing else.

# A distribution builds its interpreter with profile-guided optimisation, pyenv by default does not: up
# to 1.2 times the SETs (docs/performance.md). Another one: make demo PYTHON=python3.13
SYSTEM_PYTHON := /usr/bin/python3
PYTHON ?= $(shell $(SYSTEM_PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $(SYSTEM_PYTHON) || echo python3)
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-slow test-multipaxos check lab nightly thousand format bench docs lock clean

help:
	@echo "make demo       a cluster of three nodes on this machine   (ARGS=\"--ephemeral\" passes options on)"
	@echo "make test       all tests but the slow ones                (ARGS=\"-k words\" passes options on)"
	@echo "make test-slow  the slow ones: minutes of faults under load"
	@echo "make test-multipaxos  the tests of real processes once more, on Multi-Paxos: half an hour"
	@echo "make check      format, lint, types, import contracts"
	@echo "make lab        every scenario at 4 seeds and on Multi-Paxos, then 5 minutes of drawn faults"
	@echo "make nightly    real processes on Multi-Paxos, every scenario at 50 seeds and on Multi-Paxos,"
	@echo "                the hunt for every planted bug, 5,000 swarm runs"
	@echo "make thousand   every scenario at 1,000 seeds: hours"
	@echo "make bench      pnyx beside redis-server and etcd          (ARGS=\"--quick\" for a short one)"
	@echo "make format     rewrite the code as ruff wants it"
	@echo "make docs       write the generated pages of docs/reference again"
	@echo "make lock       choose dependency versions again and write requirements.lock"

# exec: a signal to the shell that make waits for reaches the program itself.
demo: $(READY)
	@exec $(BIN)/pnyx demo $(ARGS)

test: $(READY)
	@$(BIN)/pytest -q -n 2 --dist loadgroup -m "not slow" $(ARGS)

test-slow: $(READY)
	@$(BIN)/pytest -q -m slow $(ARGS)

# A node takes a setting from its environment before its file.
test-multipaxos: $(READY)
	@PNYX_CONSENSUS=multipaxos $(BIN)/pytest -q -n 2 --dist loadgroup tests/real $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Fresh seeds are printed: pnyx lab campaign WHAT --seeds FIRST..LAST runs them again, and each failure
# has a line of its own. What the minutes leave of the swarm's seeds is not run.
lab: $(READY)
	$(BIN)/pnyx lab campaign scenarios --seeds 1..3,fresh:1
	$(BIN)/pnyx lab campaign engines --consensus multipaxos --seeds 1
	$(BIN)/pnyx lab campaign swarm --seeds 1..250,fresh:40 --seconds 180
	$(BIN)/pnyx lab campaign swarm --consensus multipaxos --seeds 1..60,fresh:20 --seconds 60
	$(BIN)/pnyx lab campaign S-X6 --seeds 4..60,fresh:20 --seconds 75

nightly: test-multipaxos
	$(BIN)/pnyx lab campaign scenarios --seeds 1..50
	$(BIN)/pnyx lab campaign engines --consensus multipaxos --seeds 1..10
	$(BIN)/pnyx lab zoo hunt --all
	$(BIN)/pnyx lab campaign swarm --seeds fresh:2000
	$(BIN)/pnyx lab campaign swarm --consensus multipaxos --seeds fresh:2000
	$(BIN)/pnyx lab campaign S-X6 --seeds fresh:500
	$(BIN)/pnyx lab campaign S-X6 --consensus multipaxos --seeds fresh:500

thousand: $(READY)
	$(BIN)/pnyx lab campaign scenarios --seeds 1..1000 --results lab-thousand.jsonl

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	@exec $(BIN)/pnyx bench $(ARGS)

docs: $(READY)
	$(BIN)/python -c "from pnyx.cli.pages import write; write('docs/reference')"

# uv resolves for Python 3.11-3.13 at once; it is installed apart, for it is no dependency of ours.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --quiet --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements.lock
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The build backend is pinned in the lock too, hence no build isolation.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "pnyx needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
		"Try: make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON) (once; takes about half a minute)"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; \
		exit 1; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@touch $(READY)
