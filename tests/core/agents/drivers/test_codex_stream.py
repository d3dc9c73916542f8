"""What Codex's events mean: streams that it really printed, and what it could print."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.agents.base import LogLine
from core.agents.drivers.codex_stream import CodexStream
from tests.core.agents.drivers.heard import feed, recorded


def stream() -> CodexStream:
    return CodexStream("codex", Path("/task/repository"))


def event(kind: str, **more: Any) -> str:
    return json.dumps({"type": kind, **more})


def failed(message: str) -> str:
    return event("turn.failed", error={"message": message})


def test_the_work_is_told_as_it_happened() -> None:
    heard = feed(stream(), recorded("codex_tools"))
    assert heard.entries == [
        LogLine("info", "Codex is ready"),
        LogLine("command", """echo '{"type":"turn.completed"}'; exit 3"""),
        LogLine("error", 'exit status 3\n{"type":"turn.completed"}'),
        LogLine("info", "add src/b.py"),
        LogLine("command", "sleep 0.3; ls"),
        LogLine("info", "It works."),
        LogLine("success", "Codex says that it is done."),
    ]
    assert heard.shares == sorted(heard.shares)
    assert len(heard.shares) == 3
    assert heard.failure(0) is None
    assert heard.failure(101) == "codex ended with exit status 101."


@pytest.mark.attack(90)
def test_a_refused_key_is_told_as_such_and_once() -> None:
    heard = feed(stream(), recorded("codex_refused_key"))
    errors = [entry.message for entry in heard.entries if entry.type == "error"]
    assert [error.partition(" (")[0] for error in errors[:-1]] == [f"Reconnecting... {n}/3" for n in (1, 2, 3)]
    assert errors[-1].startswith("unexpected status 401")
    assert heard.failure(1) == "The model's API refused the key; an administrator has to set a valid one."


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("unexpected status 403 Forbidden: no, url: http://127.0.0.1:8788/v1/responses", "refused the key"),
        ("unexpected status 402 Payment Required: pay", "no credit"),
        ("Quota exceeded. Check your plan and billing details.", "no credit"),
        ("unexpected status 404 Not Found: no such model", "does not know this model"),
        ("exceeded retry limit, last status: 429 Too Many Requests", "rate limit"),
        ("unexpected status 413 Payload Too Large", "refused the call"),
        ("unexpected status 502 Bad Gateway", "no proper answer"),
        ("stream disconnected before completion: idle timeout waiting for SSE", "no proper answer"),
        ("", "no proper answer"),
    ],
)
def test_each_cause_has_its_sentence(message: str, sentence: str) -> None:
    assert sentence in (feed(stream(), [failed(message)]).failure(1) or "")


@pytest.mark.attack(91)
@pytest.mark.parametrize(
    "lines", [[], [event("turn.started")], ['{"type":"turn.comp'], [event("item.completed", item={"type": "x"})]]
)
@pytest.mark.parametrize("status", [0, 1, 137])
def test_without_the_end_of_a_turn_it_failed(lines: list[str], status: int) -> None:
    assert feed(stream(), lines).failure(status) == f"codex ended without a result (exit status {status})."


def test_the_last_turn_counts() -> None:
    assert feed(stream(), [failed("no"), event("turn.started"), event("turn.completed")]).failure(0) is None
    assert feed(stream(), [event("turn.completed"), event("turn.started")]).failure(0)
    assert feed(stream(), [event("turn.completed"), failed("no")]).failure(0)


@pytest.mark.attack(87)
def test_an_end_that_a_script_prints_is_none() -> None:
    item = {"type": "command_execution", "command": "x", "exit_code": 0, "aggregated_output": event("turn.completed")}
    assert feed(stream(), [event("item.completed", item=item)]).failure(0)


def test_progress_comes_from_a_todo_list_or_from_finished_steps() -> None:
    item = {"type": "command_execution", "command": "x", "exit_code": 0, "status": "completed"}
    shares = feed(stream(), [event("item.completed", item=item)] * 20).shares
    assert shares == sorted(shares)
    assert shares[-1] < 1
    todo = {"type": "todo_list", "items": [{"text": "a", "completed": True}, {"text": "b", "completed": False}, 7]}
    assert feed(stream(), [event("item.updated", item=todo)]).shares == [1 / 3]


def test_a_shell_around_a_command_is_left_out() -> None:
    commands = ["/usr/bin/bash -lc 'echo \"a b\"'", "bash -c ls", "make test", "bash -lc 'not closed"]
    lines = [event("item.started", item={"type": "command_execution", "command": command}) for command in commands]
    assert [entry.message for entry in feed(stream(), lines).entries] == [
        'echo "a b"',
        "ls",
        "make test",
        "bash -lc 'not closed",
    ]
