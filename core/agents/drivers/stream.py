"""What the drivers share that read a program's events, one JSON document a line.

Events are data of a program that a model leads: any field may be missing or be something else, and nothing of them may
stop the run. While an event is read the task's clock and its stop have to wait, and what is kept is kept until the
run ends: both are bounded.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.agents.base import LogLine, Progress
from core.log_text import MAX_CHARACTERS, LogType

#: So many finished steps are 63 % of the way of an agent that has no list of what it will do.
STEPS = 8

#: So many parts of one event are looked at, and so many things to do are kept.
MOST_PARTS = 1_000

#: A thing to do whose name is longer is none, in characters.
LONGEST_NAME = 200


class Stream(ABC):
    """Reads one run: parses each line and keeps what all programs have, the steps and the list of what is to do."""

    def __init__(self, name: str, repository: Path | None) -> None:
        self.name = name
        self._repository = repository
        self._steps = 0
        self._to_do: dict[str, bool] = {}  # whether each is done
        self._done = 0  # of them
        self._left_out = 0  # of the parts of the event that is being read
        self._last_error = ""

    def feed(self, line: str) -> Iterable[LogLine | Progress]:
        """What a line of its standard output means."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):  # a word of its installation, or a line so long that it was cut
            event = None
        if isinstance(event, dict):
            return [*self._read(event), *self._not_looked_at()]
        return [LogLine(LogType.INFO, line)] if line.strip() else []

    @abstractmethod
    def failure(self, status: int) -> str | None:
        """Why the run failed that ended with this exit status; None when it did not."""

    @abstractmethod
    def _read(self, event: dict[str, Any]) -> Iterator[LogLine | Progress]:
        """What an event means."""

    def _error(self, message: str) -> Iterator[LogLine]:
        """An error entry, unless the one before said the same, as far as the log shows it."""
        shown = message[:MAX_CHARACTERS]
        if shown and shown != self._last_error:
            yield LogLine(LogType.ERROR, message)
        self._last_error = shown

    def _parts(self, value: Any) -> list[Any]:
        """A list's items as far as they are looked at; empty when it is none."""
        found = items(value)
        self._left_out += max(0, len(found) - MOST_PARTS)
        return found[:MOST_PARTS]

    def _not_looked_at(self) -> Iterator[LogLine]:
        if self._left_out:
            looked = f"the first {MOST_PARTS:,} parts were looked at and {self._left_out:,} left out"
            yield LogLine(LogType.INFO, f"Of one event {looked}.")
        self._left_out = 0

    def _plan(self, done: Sequence[bool]) -> Progress:
        """All that is to do, and whether each is done."""
        self._to_do = {f"{number}": each for number, each in enumerate(done)}
        self._done = sum(done)
        return self._progress()

    def _mark(self, name: str, done: bool | None) -> None:
        """One thing to do, new or not, is done or is not; None: it is no longer to do."""
        self._done -= self._to_do.pop(name, False)
        if done is not None and len(name) <= LONGEST_NAME and len(self._to_do) < MOST_PARTS:
            self._to_do[name] = done
            self._done += done

    def _step(self) -> Progress:
        """One more step is finished: how far it has come, by its own list if it has one, and never by time."""
        self._steps += 1
        return self._progress()

    def _progress(self) -> Progress:
        if self._to_do:
            return Progress(self._done / len(self._to_do))
        return Progress(1 - math.exp(-self._steps / STEPS))

    def _shown(self, path: str) -> str:
        """A path as the log shows it: within the repository where it is there."""
        return path.removeprefix(f"{self._repository}/") if self._repository else path


def field(event: Any, *names: str) -> Any:
    """What lies there in nested objects; None when something else does."""
    for name in names:
        event = event.get(name) if isinstance(event, dict) else None
    return event


def text(value: Any) -> str:
    """A text; empty when it is none."""
    return value if isinstance(value, str) else ""


def plain(value: Any) -> str:
    """A number or a text as it is shown; a question mark when it is neither."""
    return str(value) if isinstance(value, int | float | str) else "?"


def items(value: Any) -> list[Any]:
    """A list; empty when it is none."""
    return value if isinstance(value, list) else []
