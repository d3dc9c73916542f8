import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.agents.base import LogLine, Progress
from core.agents.drivers.builtin import RESERVED, ROOT, BuiltIn, Events, python_limits
from tests.core.agents.drivers.assignments import assignment

AGENT = BuiltIn("worker", "Worker", "Works.", "core.agents.registry.worker")

LINES = {
    '{"type": "info", "message": "hello"}': LogLine("info", "hello"),
    '{"type": "command", "message": "ls"}': LogLine("command", "ls"),
    '{"type": "success", "message": "done"}': LogLine("success", "done"),
    '{"type": "error", "message": 7}': LogLine("error", "7"),
    '{"type": "progress", "done": 3, "total": 12}': Progress(0.25),
    '{"type": "progress", "done": 0, "total": 0}': Progress(0.0),
    '{"type": "progress", "done": 13, "total": 12}': Progress(1.0),
    '{"type": "progress", "done": -1, "total": 12}': Progress(0.0),
    '{"type": "progress", "done": NaN, "total": 1}': Progress(0.0),
    '{"type": "progress", "done": Infinity, "total": 1}': Progress(1.0),
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
    assert list(Events("worker").feed(line)) == [LINES[line]]


@pytest.mark.parametrize("line", NO_EVENTS, ids=range(len(NO_EVENTS)))
def test_any_other_line_is_an_entry_as_it_is(line: str) -> None:
    assert list(Events("worker").feed(line)) == [LogLine("info", line)]


def test_the_last_error_entry_says_why_a_run_failed(tmp_path: Path) -> None:
    heard = AGENT.output_parser(assignment(tmp_path))
    assert heard.failure(3) == "worker ended with exit status 3."
    for message in ("The first.", "The last."):
        list(heard.feed(json.dumps({"type": "error", "message": message})))
    list(heard.feed('{"type": "info", "message": "and so on"}'))
    assert (heard.failure(1), heard.failure(137), heard.failure(0)) == ("The last.", "The last.", None)
    assert AGENT.output_parser(assignment(tmp_path)).failure(1) == "worker ended with exit status 1."


@pytest.mark.parametrize("with_repository", [True, False])
def test_the_command_names_the_folders_and_keeps_the_prompt_off_the_command_line(
    with_repository: bool, tmp_path: Path
) -> None:
    given = assignment(tmp_path, "a prompt; rm -rf /", repository=with_repository)
    command = AGENT.command(given)
    words = [sys.executable, "-m", "core.agents.registry.worker", "--output", str(tmp_path / "output")]
    assert list(command.argv) == words + (["--input", str(tmp_path / "repository")] if with_repository else [])
    assert (command.stdin, command.cwd, command.sandbox) == ("a prompt; rm -rf /", ROOT, given.sandbox)
    assert command.env == {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home")}
    assert str(tmp_path) not in command.shown
    assert ("repository" in command.shown) == with_repository


def test_its_programs_start_in_the_folder_that_holds_them() -> None:
    assert (ROOT / "core" / "programs" / "data_processor" / "__main__.py").exists()


def test_an_agent_that_needs_a_repository_refuses_a_task_without_one() -> None:
    needing = replace(AGENT, needs_repository=True)
    assert needing.why_not_accepted("x", None) == "worker works on a repository: give its address."
    assert needing.why_not_accepted("x", "https://h/x") is None
    assert AGENT.why_not_accepted("x", None) is None


def test_it_can_run_on_every_machine_and_can_only_read_the_repository() -> None:
    assert AGENT.unavailable() is None
    assert not AGENT.changes_files


def test_what_a_python_program_only_reserves_is_not_counted_as_used() -> None:
    limits = python_limits(2**30)
    assert (limits.memory, limits.address_space) == (2**30, 2**30 + RESERVED)
