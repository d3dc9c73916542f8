"""Every attack of the list has a test, every mark is of the list, and docs/attacks.md says what the list says."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.attacks import ATTACKS, table
from tests.support.server import ROOT

pytestmark = pytest.mark.no_database

#: Marks stand before a test, or before one of its parameters.
MARK = "pytest.mark.attack"


def marked() -> Iterator[tuple[Path, int]]:
    """The numbers of every mark in the tests, and where."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == MARK:
                assert node.args and not node.keywords, path
                yield from ((path, ast.literal_eval(argument)) for argument in node.args)


def test_every_attack_has_a_test_and_every_mark_is_in_the_list() -> None:
    made = {number for _, number in marked()}
    assert sorted(set(ATTACKS) - made) == [], "nobody makes these"
    assert sorted({(path.name, number) for path, number in marked() if number not in ATTACKS}) == []


def test_the_list_is_without_gaps_and_fits_a_table() -> None:
    assert list(ATTACKS) == list(range(1, len(ATTACKS) + 1))
    for attack in ATTACKS.values():
        assert attack.name and attack.expected and not set("|\n") & set("".join(attack))


def test_the_table_names_exactly_the_attacks_of_the_list() -> None:
    assert table.rows((ROOT / "docs" / "attacks.md").read_text()) == ATTACKS, f"make it again: {table.COMMAND}"


class Reporter(list[str]):
    """Collects what would be printed."""

    write_line = list.append


def report(test: str, *numbers: int, outcome: str = "passed") -> SimpleNamespace:
    properties = [("attack", number) for number in numbers]
    return SimpleNamespace(
        nodeid=f"tests/api/test_x.py::{test}",
        user_properties=properties,
        outcome=outcome,
        when="call",
        passed=outcome == "passed",
    )


def written(path: Path, *reports: SimpleNamespace) -> str:
    """What the writer made of these reports."""
    writer, printed = table.Writer(path), Reporter()
    for each in reports:
        writer.pytest_runtest_logreport(each)  # type: ignore[arg-type]
    writer.pytest_terminal_summary(printed)  # type: ignore[arg-type]
    assert path.name in printed[0]
    return path.read_text() if path.exists() else ""


def test_the_table_tells_held_from_failed_and_names_the_tests_once(tmp_path: Path) -> None:
    reports = [report("test_all[a]", *ATTACKS), report("test_all[b]", 2), report("test_more", 1, outcome="failed")]
    text = written(tmp_path / "table.md", *reports)
    assert table.rows(text) == ATTACKS
    assert f"| {ATTACKS[1].expected} | failed | api/test_x.py::test_all<br>api/test_x.py::test_more |" in text
    assert f"| {ATTACKS[2].expected} | held | api/test_x.py::test_all |" in text


def test_the_table_is_not_written_when_one_did_not_run(tmp_path: Path) -> None:
    assert written(tmp_path / "table.md", report("test_most", *list(ATTACKS)[:-1])) == ""
    assert written(tmp_path / "table.md", report("test_all", *ATTACKS), report("test_x", 5, outcome="skipped")) == ""
