# make run       sets everything up and serves http://localhost:8501
# make test      all but what is slow, on SQLite in a real browser, and core once more on PostgreSQL
# make quick     an answer in two minutes: on SQLite, as many tests as 90 seconds hold, the fastest first
# make faults    what is slow: faults, attacks in a browser, pages and API on PostgreSQL, the README's pictures
# make check     ruff, mypy, import rules, and whether the lock files are current
# make lock      pins every package again after a change of requirements*.txt; ARGS=--upgrade takes newer ones
# make bench     the benchmarks
# make coverage  which lines and branches the tests on SQLite reach
# Where tests run, ARGS has more words for pytest: make quick ARGS='-k cancel'

PYTHON ?= python3
PORT ?= 8501
# Who can reach it: this machine alone. 0.0.0.0 opens it to the network; put TLS in front then.
ADDRESS ?= localhost
export PORT

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Tests wait more than they compute: a third process makes two cores busier.
PROCESSES ?= 3
PYTEST := $(BIN)/python -m pytest -p tests.support.quick --numprocesses $(PROCESSES)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock'

# $(call add,package,program): succeeds when the program is there, or when root could add it on Debian.
add = { command -v $(or $2,$1) || { [ "$$(id -u)" = 0 ] && command -v apt-get && apt-get update -qq \
	&& apt-get install -y -qq --no-install-recommends $1; }; } >/dev/null
need = $(call add,$1,$2) || { echo 'The tests need Linux and $1: "apt install $1" and try again.'; exit 1; }

.PHONY: run test quick faults check lock bench coverage programs browser
run: $(VENV)/.run
	@$(call add,bubblewrap,bwrap) || true  # the server says at its start what follows
	$(BIN)/streamlit run app.py --server.port $(PORT) --server.address $(ADDRESS)

test: $(VENV)/.dev programs browser
	$(PYTEST) -m 'not slow' $(ARGS)
	$(PYTEST) -m 'not slow' --postgresql tests/core tests/test_*.py $(ARGS)

quick: $(VENV)/.dev programs
	$(PYTEST) -m 'not slow' --ignore=tests/browser --within 90 --failed-first $(ARGS)

faults: $(VENV)/.dev programs browser
	$(PYTEST) -m slow $(ARGS)
	$(PYTEST) --postgresql tests/faults tests/pages tests/browser tests/api tests/attacks $(ARGS)
	$(BIN)/python -m docs.screenshots --check

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --quiet tests/test_lock.py

lock: $(BIN)/python
	$(PIP) "$$(grep '^uv==' requirements-dev.txt)"
	$(COMPILE) requirements.txt --output-file requirements.lock $(ARGS)
	$(COMPILE) requirements-dev.txt --constraints requirements.lock --output-file requirements-dev.lock $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m bench.start_latency
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.queries

coverage: $(VENV)/.dev programs browser
	@$(BIN)/coverage erase
	-$(BIN)/coverage run -m pytest --numprocesses $(PROCESSES) -m 'not slow' $(ARGS)
	@$(BIN)/coverage combine --quiet
	@for part in core api pages; do \
		echo "$$part: $$($(BIN)/coverage report --include="$$part/*" --format=total) %"; done

# What the tests need beside Python packages.
programs:
	@$(call need,git)
	@$(call need,procps,ps)
	@$(call need,bubblewrap,bwrap)

browser: $(VENV)/.dev
	@$(call add,npm) || true  # tests.support.clis says it when it needs npm
	$(BIN)/python -m tests.support.chromium
	$(BIN)/python -m tests.support.clis

$(VENV)/.run: requirements.lock | $(BIN)/python
	@echo 'Setting up (about a minute)…'
	@$(PIP) --requirement requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(BIN)/python
	@echo 'Setting up (about a minute)…'
	@$(PIP) --requirement requirements-dev.lock
	@touch $@ $(VENV)/.run

# Debian keeps venv apart from Python; root can add it, others are told how.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Taskdeck needs Python 3.11 or newer.'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv; } \
		|| { echo 'This Python has no venv: install it with "apt install python3-venv" and try again.'; exit 1; }
	$(PYTHON) -m venv $(VENV)
