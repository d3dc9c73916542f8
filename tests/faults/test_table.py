"""docs/faults.md is what the fault tests say, and is only written when all of them ran."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults import table
from tests.support.server import ROOT


class Reporter(list[str]):
    """Collects what would be printed."""

    write_line = list.append


def report(fault: str, outcome: str = "passed", when: str = "call", **more: str) -> SimpleNamespace:
    properties = [("fault", fault), *more.items()]
    return SimpleNamespace(user_properties=properties, outcome=outcome, when=when, passed=outcome == "passed")


def written(path: Path, *reports: SimpleNamespace) -> str:
    """What the writer made of these reports."""
    writer, printed = table.Writer(path), Reporter()
    for each in reports:
        writer.pytest_runtest_logreport(each)  # type: ignore[arg-type]
    writer.pytest_terminal_summary(printed)  # type: ignore[arg-type]
    assert path.name in printed[0]
    return path.read_text() if path.exists() else ""


def test_the_table_names_exactly_the_faults_that_have_a_test_with_what_they_expect() -> None:
    assert table.rows((ROOT / "docs" / "faults.md").read_text()) == table.faults(), f"make it again: {table.COMMAND}"


def test_every_test_of_a_fault_is_in_a_file_of_its_folder_and_says_something_that_fits_a_table() -> None:
    assert len(table.faults()) >= 20
    for name, expected in table.faults().items():
        assert not set("|\n") & set(name + expected)


def test_the_table_is_written_when_every_fault_ran_and_tells_held_from_failed(tmp_path: Path) -> None:
    first, *others = table.faults()
    reports = [report(first, measured="1 s"), report(first, "failed"), *(report(each) for each in others)]
    text = written(tmp_path / "table.md", *reports)
    assert table.rows(text) == table.faults()
    assert f"| {first} | {table.faults()[first]} | failed | 1 s |" in text
    assert text.count("| held |") == len(others)


@pytest.mark.parametrize("last", [[], [("skipped", "setup")]], ids=["missing", "skipped"])
def test_the_table_is_not_written_when_one_did_not_run(tmp_path: Path, last: list[tuple[str, str]]) -> None:
    *others, final = table.faults()
    assert written(tmp_path / "table.md", *map(report, others), *(report(final, *each) for each in last)) == ""
