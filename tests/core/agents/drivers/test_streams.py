"""Whatever a program prints, its listener makes bounded and valid entries of it and never raises."""

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.agents.base import LogLine, OutputParser, Progress
from core.agents.drivers.claude_stream import ClaudeStream
from core.agents.drivers.codex_stream import CodexStream
from core.agents.drivers.stream import MOST_PARTS
from core.log_text import MAX_CHARACTERS, storable
from tests.core.agents.drivers.heard import STREAMS, recorded

LISTENERS = [ClaudeStream, CodexStream]
TYPES = {"info", "command", "success", "error"}
VALUES: list[Any] = [None, True, 0, -1, 1e308, "", "x", "a\0b\x1b[2J", "\ud800", [], {}, [[]], [{}], ["x"], {"x": {}}]


def check(listener: OutputParser, line: str) -> None:
    for meaning in listener.feed(line):
        if isinstance(meaning, LogLine):
            assert meaning.type in TYPES
            assert len(meaning.message) <= len(line) + 100
            stored = storable(meaning.message)
            assert len(stored) <= MAX_CHARACTERS
            stored.encode()
            assert "\0" not in stored
        else:
            assert 0 <= meaning.share <= 1
    for status in (0, 1, 137):
        failure = listener.failure(status)
        assert failure is None or (len(failure) < 200 and failure.endswith("."))


def events() -> list[Any]:
    return [json.loads(line) for path in sorted(STREAMS.iterdir()) for line in path.read_text().splitlines()]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a document."""
    yield way
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*way, key))


def changed(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[way[0]] = changed(copy[way[0]], way[1:], value)
    return copy


@pytest.mark.parametrize("output_parser", LISTENERS)
def test_any_field_may_be_anything(output_parser: Callable[[str, Path], OutputParser]) -> None:
    chance = random.Random(42)  # noqa: S311  no secret
    for event in events():
        for way in places(event):
            for value in chance.sample(VALUES, 4):
                listener = output_parser("agent", Path("/task/repository"))
                check(listener, json.dumps(changed(event, way, value)))


@pytest.mark.parametrize("output_parser", LISTENERS)
def test_any_bytes_are_bounded_and_valid_entries(output_parser: Callable[[str, Path], OutputParser]) -> None:
    chance = random.Random(7)  # noqa: S311  no secret
    good = [line.encode() for path in STREAMS.iterdir() for line in recorded(path.stem)]
    listener = output_parser("agent", Path("/task/repository"))
    for _ in range(2_000):
        line = bytearray(chance.choice(good) if chance.random() < 0.8 else chance.randbytes(300))
        for _ in range(chance.randrange(6)):
            line[chance.randrange(len(line))] = chance.randrange(256)
        check(listener, bytes(line[: chance.randrange(len(line))]).decode("utf-8", "replace"))


@pytest.mark.attack(87)
@pytest.mark.parametrize("output_parser", LISTENERS)
@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type": ' + "9" * 10_000 + "}",
        '{"type": NaN, "subtype": Infinity}',
        '{"type":"assistant","message":{"content":[' + '{"type":"text","text":"x"},' * 1_000 + "{}]}}",
        '{"type":"result","is_error":false,"num_turns":[' + "1E15," * 10_000 + "1]}",
        '{"type":"item.completed","item":{"status":"failed","type":[' + "1E15," * 10_000 + "1]}}",
        "\x1b[2J\x1b]0;title\x07\u202e\r\0",
        "{} {}",
        "nul\0l",
    ],
    ids=[
        "deep",
        "deep objects",
        "a long number",
        "no numbers",
        "many blocks",
        "numbers that grow",
        "a name of numbers",
        "escapes",
        "two",
        "nul",
    ],
)
def test_what_is_made_to_break_it_does_not(output_parser: Callable[[str, Path], OutputParser], line: str) -> None:
    check(output_parser("agent", Path("/task/repository")), line)


def test_a_step_of_nothing_is_no_progress_by_time() -> None:
    listener = ClaudeStream("claude", None)
    lines = ['{"type":"system","subtype":"status"}', '{"type":"assistant","message":{"content":[]}}'] * 50
    assert [meaning for line in lines for meaning in listener.feed(line)] == []
    assert math.isfinite(
        sum(share.share for share in listener.feed('{"type":"user"}') if not isinstance(share, LogLine))
    )


def says(*content: Any, kind: str = "assistant", **more: Any) -> str:
    """A line of Claude Code's."""
    return json.dumps({"type": kind, "message": {"content": content}, **more})


def item(when: str, kind: str, **more: Any) -> str:
    """A line of Codex's."""
    return json.dumps({"type": f"item.{when}", "item": {"type": kind, **more}})


def plans(number: int) -> str:
    return says({"type": "tool_use", "name": "TodoWrite", "input": {"todos": [{"status": "completed"}] * number}})


def reads(number: int) -> str:
    return says({"type": "tool_use", "name": "Read", "input": {"file_path": "/task/repository/" + "a/" * number}})


def cost(output_parser: Callable[[str, Path], OutputParser], lines: list[str]) -> float:
    """The seconds of this thread alone that it takes until the entries could be stored; the best of three."""
    taken = []
    for _ in range(3):
        listener = output_parser("agent", Path("/task/repository"))
        began = time.thread_time()
        for line in lines:
            for meaning in listener.feed(line):
                if isinstance(meaning, LogLine):
                    storable(meaning.message, ("a-secret",))
        taken.append(time.thread_time() - began)
    return min(taken)


@pytest.mark.attack(87)
@pytest.mark.parametrize(
    ("output_parser", "lines"),
    [
        (CodexStream, lambda n: [item("started", "command_execution", command="x" * 20 * n)]),
        (CodexStream, lambda n: [item("completed", "file_change", changes=[{"path": "a/" * 20 * n}])]),
        (CodexStream, lambda n: [item("completed", "file_change", changes=[{"kind": "add", "path": "a"}] * n)]),
        (CodexStream, lambda n: [item("started", "todo_list", items=[{}] * n)] + [item("completed", "x")] * n),
        (ClaudeStream, lambda n: [plans(4 * n), says(*[{"type": "tool_result"}] * n, kind="user")]),
        (ClaudeStream, lambda n: [says(*[{"type": "text", "text": "x" * 50}] * n)]),
        (ClaudeStream, lambda n: [reads(20 * n)]),
        (ClaudeStream, lambda n: [json.dumps({"type": "result", "permission_denials": [{"tool_name": "x"}] * n})]),
        (ClaudeStream, lambda n: ["{" * 100 * n]),
    ],
    ids=["command", "path", "changes", "list of Codex", "list", "texts", "file", "denials", "no event"],
)
def test_twice_as_much_takes_about_twice_as_long(
    output_parser: Callable[[str, Path], OutputParser], lines: Callable[[int], list[str]]
) -> None:
    once, twice = (cost(output_parser, lines(n)) for n in (10_000, 20_000))
    assert twice < 3 * once + 0.1, f"{once:.2f} s, then {twice:.2f} s"


@pytest.mark.attack(87)
@pytest.mark.parametrize(
    ("output_parser", "line"),
    [
        (ClaudeStream, lambda n: says(*[{"type": "text", "text": "x"}] * n)),
        (ClaudeStream, lambda n: says(*[{"type": "tool_result", "is_error": True}] * n, kind="user")),
        (CodexStream, lambda n: item("completed", "file_change", changes=[{"kind": "add", "path": "a"}] * n)),
    ],
    ids=["texts", "results", "changes"],
)
def test_of_one_event_so_many_parts_are_looked_at_and_it_says_so(
    output_parser: Callable[[str, Path], OutputParser], line: Callable[[int], str]
) -> None:
    listener = output_parser("agent", None)
    entries = [[said for said in listener.feed(line(n)) if isinstance(said, LogLine)] for n in (MOST_PARTS, 5_000, 1)]
    assert [len(each) for each in entries] == [MOST_PARTS, MOST_PARTS + 1, 1]
    assert entries[1][-1] == LogLine("info", "Of one event the first 1,000 parts were looked at and 4,000 left out.")


@pytest.mark.attack(87)
@pytest.mark.parametrize("output_parser", LISTENERS)
def test_nothing_long_is_kept_for_the_whole_run(output_parser: Callable[[str, Path], OutputParser]) -> None:
    listener = output_parser("agent", None)
    for number, event in enumerate(events()):
        for way in places(event):
            for value in (f"{number} {way}" + "x" * 50_000, ["x" * 50_000]):
                check(listener, json.dumps(changed(event, way, value)))
                assert len(repr(vars(listener))) < 4 * MAX_CHARACTERS, way


@pytest.mark.attack(87)
def test_a_list_of_what_is_to_do_is_kept_up_to_a_length() -> None:
    listener = ClaudeStream("claude", None)
    kept = len(repr(vars(listener)))
    for number in range(3_000):
        made = {"task": {"id": f"{number}".zfill(200)}}
        check(listener, says(kind="user", tool_use_result=made))
        check(listener, says(kind="user", tool_use_result={"taskId": f"other {number}", "statusChange": {"to": "x"}}))
    assert len(repr(vars(listener))) < kept + 1_000 * 220
    check(listener, plans(5_000))
    assert len(repr(vars(listener))) < kept + 1_000 * 20


def test_what_is_on_a_full_list_still_counts() -> None:
    listener = ClaudeStream("claude", None)
    for number in range(2_000):
        outcome = {"taskId": f"{number}", "statusChange": {"to": "completed" if number < 500 else "pending"}}
        check(listener, says(kind="user", tool_use_result=outcome))
    result = {"type": "tool_result"}
    assert [*listener.feed(says(result, kind="user"))] == [Progress(0.5)]
    gone = {"taskId": "0", "statusChange": {"to": "deleted"}}
    assert [*listener.feed(says(result, kind="user", tool_use_result=gone))] == [Progress(499 / 999)]
    again = {"taskId": "1", "statusChange": {"to": "pending"}}
    assert [*listener.feed(says(result, kind="user", tool_use_result=again))] == [Progress(498 / 999)]
