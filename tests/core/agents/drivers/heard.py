"""What a listener makes of lines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.agents.base import Listener, Said

STREAMS = Path(__file__).with_name("streams")


@dataclass(frozen=True)
class Heard:
    """The entries, the shares of the work that was done, and the verdict."""

    entries: list[Said]
    shares: list[float]
    failure: Callable[[int], str | None]


def recorded(name: str) -> list[str]:
    """The lines that a real program printed, with its paths and numbers replaced."""
    return (STREAMS / f"{name}.jsonl").read_text().splitlines()


def hear(listener: Listener, lines: Iterable[str]) -> Heard:
    meanings = [meaning for line in lines for meaning in listener.hear(line)]
    entries = [meaning for meaning in meanings if isinstance(meaning, Said)]
    return Heard(entries, [each.share for each in meanings if not isinstance(each, Said)], listener.failure)
