"""Whatever a program prints, its parser makes bounded and valid entries of it and never raises."""

import json
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
from core.log_text import MAX_CHARACTERS, LogType, storable
from tests.core.agents.drivers.assignments import STREAMS, item, parse, says

Kind = type[ClaudeStream | CodexStream]
KINDS: list[Kind] = [ClaudeStream, CodexStream]
LINES = [line for path in sorted(STREAMS.iterdir()) for line in path.read_text().splitlines()]
VALUES: list[Any] = [None, True, 0, -1, 1e308, "", "x", "a\0b\x1b[2J", "\ud800", [], {}, [[]], [{}], ["x"], {"x": {}}]


def check(parser: OutputParser, line: str) -> None:
    for meaning in parser.feed(line):
        if isinstance(meaning, LogLine):
            assert isinstance(meaning.type, LogType) and len(meaning.message) <= len(line) + 100
            stored = storable(meaning.message)
            assert len(stored) <= MAX_CHARACTERS
            stored.encode()
            assert "\0" not in stored
        else:
            assert 0 <= meaning.share <= 1
    for status in (0, 1, 137):
        failure = parser.failure(status)
        assert failure is None or (len(failure) < 200 and failure.endswith("."))


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


HOSTILE = (
    *("[" * 100_000, '{"a":' * 100_000, "\x1b[2J\x1b]0;title\x07\u202e\r\0", "{} {}", "nul\0l"),
    *('{"type": ' + "9" * 10_000 + "}", '{"type": NaN, "subtype": Infinity}'),
    '{"type":"assistant","message":{"content":[' + '{"type":"text","text":"x"},' * 1_000 + "{}]}}",
    '{"type":"result","is_error":false,"num_turns":[' + "1E15," * 10_000 + "1]}",
    '{"type":"item.completed","item":{"status":"failed","type":[' + "1E15," * 10_000 + "1]}}",
)


def damaged(chance: random.Random) -> Iterator[str]:
    """Lines as they were printed, with anything in the place of a field, and with bytes of any kind."""
    for event in map(json.loads, LINES):
        for way in places(event):
            for value in chance.sample(VALUES, 3):
                yield json.dumps(changed(event, way, value))
    for _ in range(600):
        line = bytearray(chance.choice(LINES).encode() if chance.random() < 0.8 else chance.randbytes(300))
        for _ in range(chance.randrange(6)):
            line[chance.randrange(len(line))] = chance.randrange(256)
        yield bytes(line[: chance.randrange(len(line))]).decode("utf-8", "replace")


@pytest.mark.attack(87)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_line_holds_becomes_bounded_and_valid_entries(kind: Kind) -> None:
    for line in (*damaged(random.Random(42)), *HOSTILE):  # noqa: S311  no secret
        check(kind("agent", Path("/task/repository")), line)


def calls(name: str, **given: object) -> str:
    return says({"type": "tool_use", "name": name, "input": given})


def denied(number: int) -> str:
    return json.dumps({"type": "result", "permission_denials": [{"tool_name": "x"}] * number})


def plans(number: int) -> str:
    return calls("TodoWrite", todos=[{"status": "completed"}] * number)


def cost(kind: Kind, lines: list[str]) -> float:
    """The seconds of this thread alone that it takes until the entries could be stored; the better of two."""
    taken = []
    for _ in range(2):
        parser, began = kind("agent", Path("/task/repository")), time.thread_time()
        for entry in parse(parser, lines).entries:
            storable(entry.message, ("a-secret",))
        taken.append(time.thread_time() - began)
    return min(taken)


#: What grows with a number, by what it is.
GROWING: dict[str, tuple[Kind, Callable[[int], list[str]]]] = {
    "command": (CodexStream, lambda n: [item("command_execution", "started", command="x" * 20 * n)]),
    "path": (CodexStream, lambda n: [item("file_change", changes=[{"path": "a/" * 20 * n}])]),
    "changes": (CodexStream, lambda n: [item("file_change", changes=[{"kind": "add", "path": "a"}] * n)]),
    "list of Codex": (CodexStream, lambda n: [item("todo_list", "started", items=[{}] * n)] + [item("x")] * n),
    "list": (ClaudeStream, lambda n: [plans(4 * n), says(*[{"type": "tool_result"}] * n, kind="user")]),
    "texts": (ClaudeStream, lambda n: [says(*[{"type": "text", "text": "x" * 50}] * n)]),
    "file": (ClaudeStream, lambda n: [calls("Read", file_path="/task/repository/" + "a/" * n)]),
    "denials": (ClaudeStream, lambda n: [denied(n)]),
    "no event": (ClaudeStream, lambda n: ["{" * 100 * n]),
}  # fmt: skip


@pytest.mark.attack(87)
@pytest.mark.parametrize("what", GROWING)
def test_four_times_as_much_takes_about_four_times_as_long(what: str) -> None:
    kind, lines = GROWING[what]
    once, more = (cost(kind, lines(n)) for n in (3_000, 12_000))
    assert more < 8 * once + 0.1, f"{once:.2f} s, then {more:.2f} s"  # where it grows with the square: 16 times


@pytest.mark.attack(87)
@pytest.mark.parametrize(("kind", "line"), [
    (ClaudeStream, lambda n: says(*[{"type": "text", "text": "x"}] * n)),
    (ClaudeStream, lambda n: says(*[{"type": "tool_result", "is_error": True}] * n, kind="user")),
    (CodexStream, lambda n: item("file_change", changes=[{"kind": "add", "path": "a"}] * n)),
], ids=["texts", "results", "changes"])  # fmt: skip
def test_of_one_event_so_many_parts_are_looked_at_and_it_says_so(kind: Kind, line: Callable[[int], str]) -> None:
    parser = kind("agent", None)
    entries = [parse(parser, [line(n)]).entries for n in (MOST_PARTS, 5_000, 1)]
    assert [len(each) for each in entries] == [MOST_PARTS, MOST_PARTS + 1, 1]
    said = "Of one event the first 1,000 parts were looked at and 4,000 left out."
    assert entries[1][-1] == LogLine(LogType.INFO, said)


@pytest.mark.attack(87)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_long_is_kept_for_the_whole_run(kind: Kind) -> None:
    parser = kind("agent", None)
    for number, event in enumerate(map(json.loads, LINES)):
        for way in places(event):
            for value in (f"{number} {way}" + "x" * 40_000, ["x" * 40_000]):
                list(parser.feed(json.dumps(changed(event, way, value))))
            assert len(repr(vars(parser))) < 4 * MAX_CHARACTERS, way


@pytest.mark.attack(87)
def test_a_list_of_what_is_to_do_is_kept_up_to_a_length() -> None:
    parser = ClaudeStream("claude", None)
    kept = len(repr(vars(parser)))
    for number in range(3_000):
        check(parser, says(kind="user", tool_use_result={"task": {"id": f"{number}".zfill(200)}}))
        check(parser, says(kind="user", tool_use_result={"taskId": f"other {number}", "statusChange": {"to": "x"}}))
    assert len(repr(vars(parser))) < kept + 1_000 * 220
    check(parser, plans(5_000))
    assert len(repr(vars(parser))) < kept + 1_000 * 20


def test_what_is_on_a_full_list_still_counts() -> None:
    parser = ClaudeStream("claude", None)

    def change(number: int, to: str, *content: Any) -> list[LogLine | Progress]:
        outcome = {"taskId": f"{number}", "statusChange": {"to": to}}
        return list(parser.feed(says(*content, kind="user", tool_use_result=outcome)))

    for number in range(2_000):
        change(number, "completed" if number < 500 else "pending")
    result = {"type": "tool_result"}
    assert list(parser.feed(says(result, kind="user"))) == [Progress(0.5)]
    assert change(0, "deleted", result) == [Progress(499 / 999)]
    assert change(1, "pending", result) == [Progress(498 / 999)]
