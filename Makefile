# run     set up, migrate, serve        test     everything quick, with a real browser and a real PostgreSQL
# check   ruff, mypy, import rules      faults   the slow faults, and on PostgreSQL all of them
# bench   the benchmarks
PYTHON ?= python3
PORT ?= 8501
# Who can reach it: this machine alone. 0.0.0.0 opens it to the network; put TLS in front then.
ADDRESS ?= localhost
export PORT

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test faults check bench
run: $(VENV)/.run
	$(BIN)/streamlit run app.py --server.port $(PORT) --server.address $(ADDRESS)

test: $(VENV)/.dev
	@command -v git >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq git; } \
		|| { echo 'The tests need git: install it and try again.'; exit 1; }
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m pytest --numprocesses 2 -m 'not slow'
	$(BIN)/python -m pytest --numprocesses 2 --postgresql --ignore=tests/faults

faults: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 2 -m slow
	$(BIN)/python -m pytest --numprocesses 2 --postgresql tests/faults

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
