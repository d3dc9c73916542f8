import json
import sys
from pathlib import Path

import pytest

from core.agents.base import LogLine, Progress
from core.agents.drivers.builtin import RESERVED, ROOT, BuiltIn, Events, python_limits
from core.agents.registry import agents
from core.log_text import LogType
from core.programs.__main__ import PROGRAMS
from tests.core.agents.drivers.assignments import Given, parse

AGENT = BuiltIn("worker", "Worker", "Works.", "core.agents.worker")

#: What is done, of a total, and the share.
SHARES = {
    '3, "total": 12': 0.25, '0, "total": 0': 0.0, '13, "total": 12': 1.0, '-1, "total": 12': 0.0,
    'NaN, "total": 1': 0.0, 'Infinity, "total": 1': 1.0,
}  # fmt: skip
LINES = {
    '{"type": "info", "message": "hello"}': LogLine(LogType.INFO, "hello"),
    '{"type": "command", "message": "ls"}': LogLine(LogType.COMMAND, "ls"),
    '{"type": "success", "message": "done"}': LogLine(LogType.SUCCESS, "done"),
    '{"type": "error", "message": 7}': LogLine(LogType.ERROR, "7"),
    **{f'{{"type": "progress", "done": {done}}}': Progress(share) for done, share in SHARES.items()},
}
NO_EVENTS = (
    *("", "Traceback (most recent call last):", "7", "null", "[]", '"info"', "{}", '{"type": "info"}'),
    *('{"type": "shout", "message": "x"}', '{"type": [], "message": "x"}', '{"type": "info", "message": "cut'),
    *('{"type": "progress"}', '{"type": "progress", "done": "3", "total": 12}'),
    *('{"type": "progress", "done": null, "total": 12}', '{"type": "progress", "done": 1, "total": "x"}'),
    *('{"type": "progress", "done": 1' + "0" * 400 + ', "total": 1}', "[" * 100_000, "9" * 5_000),
)


def test_an_event_is_understood_and_any_other_line_is_an_entry_as_it_is() -> None:
    for line, meaning in (LINES | {line: LogLine(LogType.INFO, line) for line in NO_EVENTS}).items():
        (found,) = Events("worker").feed(line)
        assert (found, type(found)) == (meaning, type(meaning)), line[:80]
        assert not isinstance(found, LogLine) or isinstance(found.type, LogType)


def test_the_last_error_entry_says_why_a_run_failed(given: Given) -> None:
    assert AGENT.output_parser(given()).failure(3) == "worker ended with exit status 3."
    events = [("error", "The first."), ("error", "The last."), ("info", "and so on")]
    parsed = parse(AGENT.output_parser(given()), (json.dumps({"type": kind, "message": text}) for kind, text in events))
    assert [parsed.failure(status) for status in (1, 137, 0)] == ["The last.", "The last.", None]
    assert AGENT.output_parser(given()).failure(1) == "worker ended with exit status 1."


@pytest.mark.parametrize("with_repository", [True, False])
def test_the_command_line_has_the_folders_and_no_prompt(with_repository: bool, given: Given, tmp_path: Path) -> None:
    task = given("a prompt; rm -rf /", repository=with_repository)
    command = AGENT.command(task)
    words = [sys.executable, "-m", "core.agents.worker", "--output", str(tmp_path / "output")]
    assert list(command.argv) == words + (["--input", str(tmp_path / "repository")] if with_repository else [])
    assert (command.stdin, command.cwd, command.sandbox) == ("a prompt; rm -rf /", ROOT, task.sandbox)
    assert command.env == {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home")}
    assert str(tmp_path) not in command.shown
    assert ("repository" in command.shown) == with_repository


@pytest.mark.parametrize("name", ["data-processor", "code-review"])
def test_our_own_programs_start_by_their_one_entry(name: str, given: Given) -> None:
    command = agents()[name].command(given())
    assert list(command.argv)[:5] == [sys.executable, "-m", "core.programs", name.replace("-", "_"), "--output"]
    assert name.replace("-", "_") in PROGRAMS


def test_an_agent_that_needs_a_repository_refuses_a_task_without_one() -> None:
    needing = BuiltIn("worker", "Worker", "Works.", "worker", needs_repository=True)
    assert needing.why_not_accepted("x", None) == "worker works on a repository: give its address."
    assert needing.why_not_accepted("x", "https://h/x") is None
    assert (AGENT.why_not_accepted("x", None), AGENT.unavailable(), AGENT.info.changes_files) == (None, None, False)


def test_what_a_plugin_says_of_its_agent_by_name_is_known_of_it() -> None:
    agent = BuiltIn("x", "X", "Y.", "x", models=["m"], idle=5, secrets=["hush"], limits=python_limits(2**20))
    assert (agent.info.models, agent.info.idle, agent.secrets) == (["m"], 5, ["hush"])
    # What a Python program only reserves is not counted as used.
    assert (agent.info.limits.memory, agent.info.limits.address_space) == (2**20, 2**20 + RESERVED)
