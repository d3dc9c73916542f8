"""Bytes to lines, whatever pieces they come in. What a process adds to that is in test_process.py."""

import pytest

from core.sandbox.lines import BoundedLines


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(("output", "lines"), [
    (b"", []), (b"\n\n", ["", ""]), (b"one\r\ntwo\rtre\n", ["one", "two\rtre"]),
    ("ä\nno end".encode(), ["ä", "no end"]), (b"\xff\n\xc3", ["\ufffd", "\ufffd"]),
    (b"x" * 8 + b"\nnext\n", ["x" * 8, "next"]), (b"x" * 9 + b"\nnext\n", ["xxx (9 bytes)", "next"]),
    (b"x" * 9, ["xxx (9 bytes)"]),
])  # fmt: skip
def test_lines_come_whole_and_of_a_long_one_its_beginning(size: int, output: bytes, lines: list[str]) -> None:
    reader = BoundedLines(8, kept=3, mark=" ({} bytes)")
    found = [line for start in range(0, len(output), size) for line in reader.feed(output[start : start + size])]
    assert (found + reader.rest(), reader.rest()) == (lines, [])
    nothing = BoundedLines(2, kept=0)
    assert nothing.feed(b"xxx\nab\nyyy") + nothing.rest() == [" … (cut)", "ab", " … (cut)"]
