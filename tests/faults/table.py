"""docs/faults.md: every fault, what must happen, and what happened when all of them ran."""

import importlib
import inspect
from collections import defaultdict
from pathlib import Path

import pytest

COMMAND = "pytest tests/faults --numprocesses 2 --fault-table=docs/faults.md"
HEAD = f"""# Faults

Each row is a test in [tests/faults](../tests/faults) that makes the fault happen to real processes on a real database.
Made by `{COMMAND}`, on SQLite.

| fault | what must happen | result | measured |
| --- | --- | --- | --- |
"""


def faults() -> dict[str, str]:
    """Each fault that has a test, with what is expected, in the order of the files."""
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"tests.faults.{path.stem}")
        for test in filter(inspect.isfunction, vars(module).values()):
            for mark in getattr(test, "pytestmark", ()):
                if mark.name == "fault":
                    name, expected = mark.args
                    assert name not in found, f"two tests are called {name}"
                    found[name] = expected
    return found


def rows(text: str) -> dict[str, str]:
    """The faults of a written table, with what is expected."""
    lines = text.partition("| --- |")[2].splitlines()[1:]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|"))
    return {name: expected for name, expected, *_ in cells}


class Writer:
    """Listens to the reports of this process or, with pytest-xdist, of all of them, and writes at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, list[str]] = defaultdict(list)
        self._measured: dict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        fault = dict(report.user_properties).get("fault")
        if fault is None or (report.when != "call" and report.passed):
            return
        self._outcomes[str(fault)].append(report.outcome)
        if report.when == "call":
            self._measured[str(fault)] += [str(text) for name, text in report.user_properties if name == "measured"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        expected = faults()
        missing = [
            name for name in expected if set(self._outcomes[name]) - {"passed", "failed"} or not self._outcomes[name]
        ]
        if missing:
            terminalreporter.write_line(
                f"{self._path} was not written, because these did not run: {', '.join(missing)}"
            )
            return
        lines = []
        for name, must in expected.items():
            result = "failed" if "failed" in self._outcomes[name] else "held"
            lines.append(f"| {name} | {must} | {result} | {'; '.join(self._measured[name])} |\n")
        self._path.write_text(HEAD + "".join(lines))
        terminalreporter.write_line(f"{self._path} was written")
