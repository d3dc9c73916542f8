"""``pytest -p tests.support.quick --within SECONDS``: the fastest tests first, and after that time no more of them.

How long a test takes is learned from every run on SQLite. One that never ran counts as the others of its file do, or
as any other; among equals each file has its turn. So the first run on a new machine asks a little of every file, and
the next is already most of the suite.
"""

import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import pytest

KNOWN = "taskdeck/seconds"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--within", type=float, metavar="SECONDS", help="start no test later than this; fastest first")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Learning(config))
    if config.getoption("--within") is not None:
        config.pluginmanager.register(Within(config, config.getoption("--within")))


class Learning:
    """Keeps in pytest's cache how many seconds each test took."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        if hasattr(self.config, "workerinput") or self.config.getoption("--postgresql"):
            return
        took = {test: round(seconds, 3) for test, seconds in self.seconds.items()}
        self.config.cache.set(KNOWN, self.config.cache.get(KNOWN, {}) | took)


class Within:
    """Orders the tests, and lets go of those for which no time is left."""

    def __init__(self, config: pytest.Config, seconds: float) -> None:
        self.config, self.seconds = config, seconds
        self.until = time.monotonic() + seconds
        self.left_out = 0

    @pytest.hookimpl(tryfirst=True)  # before --failed-first, which moves to the front
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = self.config.cache.get(KNOWN, {})
        by_file: dict[Path, list[pytest.Item]] = defaultdict(list)
        for item in items:
            by_file[item.path].append(item)
        anywhere = median(known.values()) if known else 0.0
        keys = {}
        for tests in by_file.values():
            took = [known[item.nodeid] for item in tests if item.nodeid in known]
            usual = median(took) if took else anywhere
            for turn, item in enumerate(tests):
                keys[item] = known.get(item.nodeid, usual), turn
        items.sort(key=keys.__getitem__)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        if time.monotonic() < self.until:
            return None
        self.left_out += 1
        return True

    def pytest_sessionfinish(self) -> None:
        if hasattr(self.config, "workerinput"):
            self.config.workeroutput["left_out"] = self.left_out  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.left_out += getattr(node, "workeroutput", {}).get("left_out", 0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.left_out:
            terminalreporter.line(f"{self.left_out} tests did not begin within {self.seconds:g} seconds.")
