import sys
from pathlib import Path

import pytest

from core.agents.base import Assignment, Done, Said
from core.agents.builtin import ROOT, BuiltIn, NotIncluded

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
    assert AGENT.parse(line) == LINES[line]


@pytest.mark.parametrize("line", NO_EVENTS, ids=range(len(NO_EVENTS)))
def test_any_other_line_is_an_entry_as_it_is(line: str) -> None:
    assert AGENT.parse(line) == Said("info", line)


@pytest.mark.parametrize("repository", [None, Path("/w/repository")])
def test_the_command_names_the_folders_and_keeps_the_prompt_off_the_command_line(repository: Path | None) -> None:
    command = AGENT.command(Assignment("a prompt; rm -rf /", None, repository, Path("/w/output")))
    given = [] if repository is None else ["--input", "/w/repository"]
    assert list(command.argv) == [sys.executable, "-m", "core.agents.worker", "--output", "/w/output", *given]
    assert (command.stdin, command.cwd, command.env) == (
        "a prompt; rm -rf /",
        ROOT,
        {"HOME": "/w/home", "TMPDIR": "/w/home"},
    )
    assert "/w" not in command.shown
    assert ("repository" in command.shown) == (repository is not None)


def test_an_agent_without_a_driver_says_so_and_never_runs() -> None:
    agent = NotIncluded("claude", "Claude", "Codes.")
    assert agent.unavailable() == ("claude is not set up: this release has no driver for it yet; try data-processor.")
    with pytest.raises(NotImplementedError):
        agent.command(Assignment("x", None, None, Path("/w/output")))
    assert AGENT.unavailable() is None
