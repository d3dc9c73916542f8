"""Agents that print more, or worse, than anybody wants: the server's memory stays flat, and the log stays readable."""

import time
from collections.abc import Callable

import psutil
import pytest

from core.database.models import EndReason, TaskLog
from core.log_text import COLOUR, MAX_CHARACTERS
from tests.faults.scene import Scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MIB = 2**20
GROWTH_MIB = 150
FLAT = f"the server's memory grows by less than {GROWTH_MIB} MB, the task is completed"

#: A long line after every 2,000 short ones, until a gigabyte is written; first and last lines that are known.
GIGABYTE = """
import sys
out = sys.stdout.buffer
short = b"".join(b"a short line, number %d\\n" % number for number in range(2000))
long = b"L" * 1_000_000 + b"\\n"
out.write(b"the first line\\n")
written = 0
while written < 10**9:
    out.write(short); out.write(long)
    written += len(short) + len(long)
out.write(b"the last line\\n")
"""

ONE_LINE = """
import sys
print("before")
for _ in range(100): sys.stdout.write("x" * 1_000_000)
print()
print("after")
"""

GARBAGE = """
import os, sys
out = sys.stdout.buffer
kinds = [
    b"\\x00" * 500, b"\\xff\\xfe\\x80" * 200, b"\\x1b[31mred\\x1b[0m" * 20, b"\\x1b[2J\\x1b]0;title\\x07" * 50,
    b"\\x1b]8;;" + b"h" * 300, "\\u202e\\u2066".encode() * 80,
    b"over\\rwritten " * 60, b"\\x1b" * 400, b"\\x9b1;2m" * 90,
]
out.write(b"the first line\\n")
for number in range(25_000):
    out.write(kinds[number % len(kinds)] + b"\\n")
for _ in range(32):
    out.write(os.urandom(2**20))
out.write(b"\\nthe last line\\n")
"""


@pytest.fixture
def flood(scene: Scene) -> Callable[[str, float], list[TaskLog]]:
    """Run an agent in a real server that has run a small one before; its log, after the common checks."""

    def run(code: str, seconds: float) -> list[TaskLog]:
        warm, flooding = scene.agent("warm", "print('warm')"), scene.world.script_agent("flooding", code)
        server = scene.serve()
        scene.wait(EndReason.COMPLETED, scene.create(warm))
        process = psutil.Process(server.process.pid)
        before = highest = process.memory_info().rss
        begun, task_id = time.monotonic(), scene.create(flooding)
        while not scene.ended(task_id):
            highest = max(highest, process.memory_info().rss)
            assert time.monotonic() < begun + seconds
            time.sleep(0.02)
        growth = (highest - before) / MIB
        scene.measured(f"+{growth:.0f} MB, {time.monotonic() - begun:.1f} s")
        assert growth < GROWTH_MIB
        scene.wait(EndReason.COMPLETED, task_id)
        scene.cleared()
        assert "Traceback" not in server.said()
        log = scene.log(task_id)
        assert all(len(entry.message) <= MAX_CHARACTERS for entry in log)
        return log

    return run


def output(log: list[TaskLog]) -> list[str]:
    """What stands between the command and the words at the end."""
    said = [entry.message for entry in log]
    return said[next(at for at, word in enumerate(said) if word.endswith("--output output")) + 1 : -1]


@pytest.mark.fault(
    "1 GB of output, short and long lines",
    f"{FLAT}; the first 8,000 and the last 2,000 lines and a marker with the number between them are kept",
)
def test_of_a_gigabyte_head_and_tail_and_a_marker_are_kept(flood: Callable[[str, float], list[TaskLog]]) -> None:
    rounds = -(-(10**9) // (sum(len(f"a short line, number {n}\n") for n in range(2000)) + 1_000_001))
    kept = output(flood(GIGABYTE, 240))
    assert kept[0] == "the first line"
    assert kept[1:2001] == [f"a short line, number {number}" for number in range(2000)]
    assert kept[2001].startswith("LLLL") and kept[2001].endswith("(1,000,000 characters, cut)")
    left_out = rounds * 2001 + 2 - 10_000
    assert kept[8000] == f"{left_out:,} lines of output were left out here; the last 2,000 follow, with their times."
    assert (len(kept), kept[-1]) == (10_001, "the last line")
    assert kept[-2].startswith("LLLL")
    assert kept[8001:-2] == [f"a short line, number {number}" for number in range(2, 2000)]


@pytest.mark.fault("one line of 100 MB without a newline", f"{FLAT}; the line is cut and says so, the next one is kept")
def test_a_line_of_a_hundred_megabytes_is_cut(flood: Callable[[str, float], list[TaskLog]]) -> None:
    first, line, last = output(flood(ONE_LINE, 60))
    assert (first, last) == ("before", "after")
    assert line.startswith("xxxx") and line.endswith("(100,000,000 bytes, cut)")


@pytest.mark.fault(
    "a flood of NUL, invalid UTF-8, escapes and random bytes",
    f"{FLAT}; nothing but text and colours is stored, first and last lines are kept",
)
def test_garbage_is_stored_as_text(flood: Callable[[str, float], list[TaskLog]]) -> None:
    kept = output(flood(GARBAGE, 120))
    assert (kept[0], kept[-1]) == ("the first line", "the last line")
    assert (sum("lines of output were left out here" in line for line in kept), len(kept)) == (1, 10_001)
    everything = "".join(kept)
    assert set("\0\x07\x9b\r\u202e\u2066") & set(everything) == set()
    assert "\x1b" not in COLOUR.sub("", everything)
    everything.encode()
