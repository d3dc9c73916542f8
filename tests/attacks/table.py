"""docs/attacks.md: every attack, what must happen, and what happened when all of them were made."""

from pathlib import Path

from tests.attacks import ATTACKS
from tests.faults.table import ReportListener, cells

COMMAND = "pytest tests --numprocesses 2 -m attack --attack-table=docs/attacks.md"
HEAD = f"""# Attacks

What somebody might try against sign-in, sessions, tokens, other people's tasks and the browser, and what a repository
or an agent might try against the machine, the keys and the tasks beside it; and what Taskdeck answers. Each row is made
by the tests that it names; [security.md](security.md) says how it is built.
Made by `{COMMAND}`, on SQLite.

| # | attack | what must happen | result | tests |
| --- | --- | --- | --- | --- |
"""


def rows(text: str) -> dict[int, tuple[str, str]]:
    """The attacks of a written table, with what is expected."""
    return {int(number): (name, expected) for number, name, expected, *_ in cells(text)}


class Writer(ReportListener):
    """Writes the table at the end."""

    def __init__(self, path: Path) -> None:
        super().__init__("attack", path)

    def expected(self) -> list[object]:
        return list(ATTACKS)

    def text(self) -> str:
        lines = []
        for number, (name, must) in ATTACKS.items():
            tests = sorted({_short(report.nodeid) for report in self.reports[number]})
            lines.append(f"| {number} | {name} | {must} | {self.result(number)} | {'<br>'.join(tests)} |\n")
        return HEAD + "".join(lines)


def _short(nodeid: str) -> str:
    """A test's file and name, without its parameters."""
    return nodeid.removeprefix("tests/").partition("[")[0]
