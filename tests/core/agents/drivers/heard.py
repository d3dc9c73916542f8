"""What a listener makes of lines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.agents.base import LogLine, OutputParser

STREAMS = Path(__file__).with_name("streams")


@dataclass(frozen=True)
class Heard:
    """The entries, the shares of the work that was done, and the verdict."""

    entries: list[LogLine]
    shares: list[float]
    failure: Callable[[int], str | None]


def recorded(name: str) -> list[str]:
    """The lines that a real program printed, with its paths and numbers replaced."""
    return (STREAMS / f"{name}.jsonl").read_text().splitlines()


def feed(listener: OutputParser, lines: Iterable[str]) -> Heard:
    meanings = [meaning for line in lines for meaning in listener.feed(line)]
    entries = [meaning for meaning in meanings if isinstance(meaning, LogLine)]
    return Heard(entries, [each.share for each in meanings if not isinstance(each, LogLine)], listener.failure)
