import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.agents.base import Done, Said
from core.agents.drivers.builtin import RESERVED, ROOT, BuiltIn, Events, python_bounds
from tests.core.agents.drivers.assignments import assignment

AGENT = BuiltIn("worker", "Worker", "Works.", "core.agents.worker")

LINES = {
    '{"type": "info", "message": "hello"}': Said("info", "hello"),
    '{"type": "command", "message": "ls"}': Said("command", "ls"),
    '{"type": "success", "message": "done"}': Said("success", "done"),
    '{"type": "error", "message": 7}': Said("error", "7"),
    '{"type": "progress", "done": 3, "total": 12}': Done(0.25),
    '{"type": "progress", "done": 0, "total": 0}': Done(0.0),
    '{"type": "progress", "done": 13, "total": 12}': Done(1.0),
    '{"type": "progress", "done": -1, "total": 12}': Done(0.0),
    '{"type": "progress", "done": NaN, "total": 1}': Done(0.0),
    '{"type": "progress", "done": Infinity, "total": 1}': Done(1.0),
}
NO_EVENTS = (
    "",
    "Traceback (most recent call last):",
    "7",
    "null",
    "[]",
    '"info"',
    "{}",
    '{"type": "info"}',
    '{"type": "shout", "message": "x"}',
    '{"type": [], "message": "x"}',
    '{"type": "progress"}',
    '{"type": "progress", "done": "3", "total": 12}',
    '{"type": "progress", "done": null, "total": 12}',
    '{"type": "progress", "done": 1, "total": "x"}',
    '{"type": "info", "message": "cut',
    '{"type": "progress", "done": 1' + "0" * 400 + ', "total": 1}',
    "[" * 100_000,
    "9" * 5_000,
)


@pytest.mark.parametrize("line", LINES)
def test_an_event_is_understood(line: str) -> None:
    assert list(Events("worker").hear(line)) == [LINES[line]]


@pytest.mark.parametrize("line", NO_EVENTS, ids=range(len(NO_EVENTS)))
def test_any_other_line_is_an_entry_as_it_is(line: str) -> None:
    assert list(Events("worker").hear(line)) == [Said("info", line)]


def test_the_last_error_entry_says_why_a_run_failed(tmp_path: Path) -> None:
    heard = AGENT.listen(assignment(tmp_path))
    assert heard.failure(3) == "worker ended with exit status 3."
    for message in ("The first.", "The last."):
        list(heard.hear(json.dumps({"type": "error", "message": message})))
    list(heard.hear('{"type": "info", "message": "and so on"}'))
    assert (heard.failure(1), heard.failure(137), heard.failure(0)) == ("The last.", "The last.", None)
    assert AGENT.listen(assignment(tmp_path)).failure(1) == "worker ended with exit status 1."


@pytest.mark.parametrize("with_repository", [True, False])
def test_the_command_names_the_folders_and_keeps_the_prompt_off_the_command_line(
    with_repository: bool, tmp_path: Path
) -> None:
    given = assignment(tmp_path, "a prompt; rm -rf /", repository=with_repository)
    command = AGENT.command(given)
    words = [sys.executable, "-m", "core.agents.worker", "--output", str(tmp_path / "output")]
    assert list(command.argv) == words + (["--input", str(tmp_path / "repository")] if with_repository else [])
    assert (command.stdin, command.cwd, command.box) == ("a prompt; rm -rf /", ROOT, given.box)
    assert command.env == {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home")}
    assert str(tmp_path) not in command.shown
    assert ("repository" in command.shown) == with_repository


def test_its_programs_start_in_the_folder_that_holds_them() -> None:
    assert (ROOT / "core" / "agents" / "data_processor" / "__main__.py").exists()


def test_an_agent_that_needs_a_repository_refuses_a_task_without_one() -> None:
    needing = replace(AGENT, needs_repository=True)
    assert needing.refusal("x", None) == "worker works on a repository: give its address."
    assert needing.refusal("x", "https://h/x") is None
    assert AGENT.refusal("x", None) is None


def test_it_can_run_on_every_machine_and_can_only_read_the_repository() -> None:
    assert AGENT.unavailable() is None
    assert not AGENT.changes_files


def test_what_a_python_program_only_reserves_is_not_counted_as_used() -> None:
    bounds = python_bounds(2**30)
    assert (bounds.memory, bounds.address_space) == (2**30, 2**30 + RESERVED)
