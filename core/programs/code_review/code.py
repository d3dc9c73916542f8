"""The lines of code that a finding is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.programs.shared.words import visible

from .checker import Finding
from .files import Source
from .limits import LINE_CHARACTERS, SHOWN_LINES

_END = re.compile("\r\n|\r|\n")  # as ruff counts lines


@dataclass(frozen=True)
class Line:
    """A line of code, made visible."""

    number: int
    text: str
    is_meant: bool  # by the finding, and not just one beside it


def lines_of(source: Source) -> list[str]:
    """Return the file's lines. Raises OSError."""
    text = source.path.read_bytes().decode("utf-8-sig", "replace")
    lines = _END.split(text)
    return lines if lines[-1] else lines[:-1]


def excerpt(lines: Sequence[str], finding: Finding) -> list[Line]:
    """Return the first lines that the finding is about, with one before and one after them."""
    first = finding.row
    # An end in column 1 is the end of the line before.
    end = finding.end_row - (finding.end_column == 1 and finding.end_row > first)
    last = min(end, first + SHOWN_LINES - 1)
    return [
        Line(number, visible(lines[number - 1].expandtabs(4), LINE_CHARACTERS), first <= number <= last)
        for number in range(max(1, first - 1), min(last + 1, len(lines)) + 1)
    ]


def numbered(shown: Sequence[Line]) -> list[str]:
    """Return lines with their numbers, the ones that are meant with a mark."""
    width = len(f"{shown[-1].number}") if shown else 0
    return [f"{'>' if line.is_meant else ' '} {line.number:>{width}} | {line.text}".rstrip() for line in shown]
