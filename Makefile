# run     set up, migrate, serve        test     everything quick, with a real browser and a real PostgreSQL
# check   ruff, mypy, import rules      faults   what is slow: faults, attacks in a browser, pages on PostgreSQL
# bench   the benchmarks
PYTHON ?= python3
PORT ?= 8501
# Who can reach it: this machine alone. 0.0.0.0 opens it to the network; put TLS in front then.
ADDRESS ?= localhost
export PORT

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The box around tasks; root can add it on Debian. There is none outside Linux.
BUBBLEWRAP := command -v bwrap >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq bubblewrap; }

.PHONY: run test faults check bench
run: $(VENV)/.run
	@$(BUBBLEWRAP) || true  # the server says at its start what follows
	$(BIN)/streamlit run app.py --server.port $(PORT) --server.address $(ADDRESS)

test: $(VENV)/.dev
	@command -v git >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq git; } \
		|| { echo 'The tests need git: install it and try again.'; exit 1; }
	@$(BUBBLEWRAP) || { echo 'The tests need Linux and bubblewrap: "apt install bubblewrap" and try again.'; exit 1; }
	$(BIN)/python -m tests.support.chromium
	$(BIN)/python -m tests.support.clis
	$(BIN)/python -m pytest --numprocesses 2 -m 'not slow'
	$(BIN)/python -m pytest --numprocesses 2 -m 'not slow' --postgresql \
		--ignore=tests/faults --ignore=tests/pages --ignore=tests/browser

faults: $(VENV)/.dev
	@$(BUBBLEWRAP) || { echo 'The tests need Linux and bubblewrap: "apt install bubblewrap" and try again.'; exit 1; }
	$(BIN)/python -m tests.support.chromium
	$(BIN)/python -m tests.support.clis
	$(BIN)/python -m pytest --numprocesses 2 -m slow
	$(BIN)/python -m pytest --numprocesses 2 --postgresql \
		tests/faults tests/pages tests/browser tests/api/test_events_server.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev
	$(BIN)/python -m bench.start_latency
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.queries

$(VENV)/.run: requirements.txt | $(BIN)/python
	$(PIP) --requirement requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(BIN)/python
	$(PIP) --requirement requirements-dev.txt
	@touch $@ $(VENV)/.run

# Debian keeps venv apart from Python; root can add it, others are told how.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Taskdeck needs Python 3.11 or newer.'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv; } \
		|| { echo 'This Python has no venv: install it with "apt install python3-venv" and try again.'; exit 1; }
	$(PYTHON) -m venv $(VENV)
