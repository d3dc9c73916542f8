"""The program's side of the runner's protocol: one JSON object a line on standard output."""

import json
from typing import TextIO

from core.log_text import LogType


class EventWriter:
    """Writes log entries and progress, each flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def log(self, kind: LogType, message: str) -> None:
        """Write one log entry; `message` is one plain sentence."""
        self._write({"type": kind, "message": message})

    def progress(self, done: int, total: int) -> None:
        """Write how much of the work is done, 0 <= `done` <= `total`."""
        self._write({"type": "progress", "done": done, "total": total})

    def _write(self, event: dict[str, str | int]) -> None:
        # ASCII only: a file name that is no valid UTF-8 must not break the line.
        self._stream.write(json.dumps(event) + "\n")
        self._stream.flush()


class Progress:
    """Work done so far, in units of work; the runner gets it when it moved by half a percent."""

    def __init__(self, events: EventWriter, total: int) -> None:
        self._events = events
        self._total = max(total, 1)
        self._done = 0.0
        self._reported = 0
        events.progress(0, self._total)

    @property
    def done(self) -> float:
        """Return the units of work done so far."""
        return self._done

    def reach(self, done: float) -> None:
        """Move on to `done` units of work in all; never moves back."""
        self._done = max(self._done, min(done, self._total))
        now = int(self._done)
        if now > self._reported and (now - self._reported >= self._total / 200 or now == self._total):
            self._reported = now
            self._events.progress(now, self._total)

    def finish(self) -> None:
        """Tell that all work is done."""
        self.reach(self._total)
