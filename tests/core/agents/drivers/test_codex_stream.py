"""What Codex's events mean: streams that it really printed, and what it could print."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.agents.drivers import causes
from core.agents.drivers.codex_stream import CodexStream
from tests.core.agents.drivers.assignments import Parsed, item, parse, recorded


def read(*lines: str) -> Parsed:
    return parse(CodexStream("codex", Path("/task/repository")), lines)


def event(kind: str, **more: Any) -> str:
    return json.dumps({"type": kind, **more})


def failed(message: str) -> str:
    return event("turn.failed", error={"message": message})


def test_the_work_is_told_as_it_happened() -> None:
    parsed = read(*recorded("codex_tools"))
    assert [(entry.type.value, entry.message) for entry in parsed.entries] == [
        ("info", "Codex is ready"),
        ("command", """echo '{"type":"turn.completed"}'; exit 3"""),
        ("error", 'exit status 3\n{"type":"turn.completed"}'),
        ("info", "add src/b.py"),
        ("command", "sleep 0.3; ls"),
        ("info", "It works."),
        ("success", "Codex says that it is done."),
    ]
    assert (parsed.shares, len(parsed.shares)) == (sorted(parsed.shares), 3)
    assert (parsed.failure(0), parsed.failure(101)) == (None, "codex ended with exit status 101.")


@pytest.mark.attack(90)
def test_a_refused_key_is_told_as_such_and_once() -> None:
    parsed = read(*recorded("codex_refused_key"))
    errors = [entry.message for entry in parsed.entries if entry.type == "error"]
    assert [error.partition(" (")[0] for error in errors[:-1]] == [f"Reconnecting... {n}/3" for n in (1, 2, 3)]
    assert errors[-1].startswith("unexpected status 401")
    assert parsed.failure(1) == "The model's API refused the key; ask an administrator to set a valid one."


@pytest.mark.parametrize(("status", "sentence"), [
    *((401, "refused the key"), (402, "no credit"), (403, "refused the key"), (404, "does not know this model")),
    *((429, "is rate limited or overloaded"), (529, "is rate limited or overloaded"), (413, "refused the call")),
    *((500, "no proper answer"), (502, "no proper answer"), (None, "no proper answer")),
])  # fmt: skip
def test_each_cause_has_its_sentence(status: int | None, sentence: str) -> None:
    assert sentence in causes.of_status(status)
    messages = [f"unexpected status {status} Something: no", f"exceeded retry limit, last status: {status} Something"]
    for message in messages if status else ("stream disconnected before completion: idle timeout", ""):
        assert read(failed(message)).failure(1) == causes.of_status(status)
    assert "no credit" in str(read(failed("Quota exceeded. Check your plan and billing details.")).failure(1))


@pytest.mark.attack(87, 91)
@pytest.mark.parametrize("line", [
    *("", event("turn.started"), '{"type":"turn.comp', item("x")),
    item("command_execution", command="x", exit_code=0, aggregated_output=event("turn.completed")),
], ids=["none", "begun", "half", "a step", "printed by a script"])  # fmt: skip
def test_without_the_end_of_a_turn_it_failed(line: str) -> None:
    for status in (0, 1, 137):
        assert read(line).failure(status) == f"codex ended without a result (exit status {status})."


def test_the_last_turn_counts() -> None:
    assert read(failed("no"), event("turn.started"), event("turn.completed")).failure(0) is None
    assert read(event("turn.completed"), event("turn.started")).failure(0)
    assert read(event("turn.completed"), failed("no")).failure(0)


def test_progress_comes_from_a_todo_list_or_from_finished_steps() -> None:
    shares = read(*[item("command_execution", command="x", exit_code=0, status="completed")] * 20).shares
    assert shares == sorted(shares)
    assert shares[-1] < 1
    todo = [{"text": "a", "completed": True}, {"text": "b", "completed": False}, 7]
    assert read(item("todo_list", "updated", items=todo)).shares == [1 / 3]


def test_what_failed_is_told_and_what_is_only_thought_is_no_step() -> None:
    parsed = read(item("mcp_tool_call", status="failed"), item("reasoning", text="Hm."), item("agent_message"))
    assert ([entry.message for entry in parsed.entries], len(parsed.shares)) == (["mcp_tool_call failed"], 1)


def test_a_shell_around_a_command_is_left_out() -> None:
    commands = ["/usr/bin/bash -lc 'echo \"a b\"'", "bash -c ls", "make test", "bash -lc 'not closed"]
    parsed = read(*(item("command_execution", "started", command=command) for command in commands))
    assert [entry.message for entry in parsed.entries] == ['echo "a b"', "ls", "make test", "bash -lc 'not closed"]
