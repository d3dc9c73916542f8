"""docs/faults.md: every fault, what must happen, and what happened when all of them ran."""

import importlib
import inspect
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
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
            for name, expected in _faults_of(test):
                assert name not in found, f"two tests are called {name}"
                found[name] = expected
    return found


def _faults_of(test: object) -> Iterator[tuple[str, str]]:
    """What a test is marked with, and what its parameters are."""
    for mark in getattr(test, "pytestmark", ()):
        of_parameters = mark.args[1] if mark.name == "parametrize" else []
        inner = (each.mark for value in of_parameters for each in getattr(value, "marks", ()))
        yield from (each.args for each in (mark, *inner) if each.name == "fault")


def cells(text: str) -> list[list[str]]:
    """The rows of a written table."""
    lines = text.partition("| --- |")[2].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def rows(text: str) -> dict[str, str]:
    """The faults of a written table, with what is expected."""
    return {name: expected for name, expected, *_ in cells(text)}


class ReportListener(ABC):
    """Listens to the reports of this process or, with pytest-xdist, of all of them, and writes a file at the end.

    A report belongs to each value of the property ``kind`` that its test has.
    """

    def __init__(self, kind: str, path: Path) -> None:
        self._kind = kind
        self._path = path
        self.reports: dict[object, list[pytest.TestReport]] = defaultdict(list)

    @abstractmethod
    def expected(self) -> list[object]:
        """The values that must have been tried."""

    @abstractmethod
    def text(self) -> str:
        """What to write."""

    def result(self, value: object) -> str:
        """Whether every test of this value passed."""
        return "failed" if "failed" in self._outcomes(value) else "held"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            for name, value in report.user_properties:
                if name == self._kind:
                    self.reports[value].append(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        missing = [
            value
            for value in self.expected()
            if not self._outcomes(value) or self._outcomes(value) - {"passed", "failed"}
        ]
        if missing:
            names = ", ".join(map(str, missing))
            terminalreporter.write_line(f"{self._path} was not written, because these did not run: {names}")
            return
        self._path.write_text(self.text())
        terminalreporter.write_line(f"{self._path} was written")

    def _outcomes(self, value: object) -> set[str]:
        return {report.outcome for report in self.reports[value]}


class Writer(ReportListener):
    """Writes the table of faults."""

    def __init__(self, path: Path) -> None:
        super().__init__("fault", path)

    def expected(self) -> list[object]:
        return list(faults())

    def text(self) -> str:
        return HEAD + "".join(
            f"| {name} | {must} | {self.result(name)} | {'; '.join(self._measured(name))} |\n"
            for name, must in faults().items()
        )

    def _measured(self, fault: str) -> list[str]:
        calls = (report for report in self.reports[fault] if report.when == "call")
        return [str(text) for report in calls for name, text in report.user_properties if name == "measured"]
