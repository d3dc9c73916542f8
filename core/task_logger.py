"""TaskLogger: what a runner says about its task, on the way to the database in batches."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from core import claims, db
from core.claims import Claim, Entry
from core.log_text import storable
from core.models import LogType

BATCH_SECONDS = 0.2
BATCH_ENTRIES = 200
RETRY_SECONDS = 1.0

#: Of a flood, this share of the kept lines comes from its beginning, the rest from its end.
HEAD_SHARE = 0.8


class TaskLogger:
    """The log and the progress of one claimed task.

    ``info``, ``command``, ``success`` and ``error`` are Taskdeck's own entries and always kept. ``output`` is for what
    a process prints: of more than ``lines`` of it the first 80 % and the last 20 % are kept, and an entry between
    them says how many were left out. Nothing is written before ``flush`` or the next due ``beat``.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        lines: int,
        secrets: Sequence[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._claim = claim
        self._secrets = secrets
        self._monotonic = monotonic
        self._waiting: list[Entry] = []
        self._next_flush = monotonic() + BATCH_SECONDS
        self._head_left = int(lines * HEAD_SHARE)
        self._tail: deque[Entry] = deque(maxlen=lines - self._head_left)
        self._left_out = 0
        self._progress = 0
        self._stored_progress = 0
        self._failing = False

    def info(self, message: str) -> None:
        """Something worth knowing happened."""
        self._waiting.append(self._entry(LogType.INFO, message))

    def command(self, message: str) -> None:
        """A command is about to run."""
        self._waiting.append(self._entry(LogType.COMMAND, message))

    def success(self, message: str) -> None:
        """Something was achieved."""
        self._waiting.append(self._entry(LogType.SUCCESS, message))

    def error(self, message: str) -> None:
        """Something went wrong."""
        self._waiting.append(self._entry(LogType.ERROR, message))

    def output(self, type: LogType, message: str) -> None:
        """A line that a process printed."""
        entry = self._entry(type, message)
        if self._head_left:
            self._head_left -= 1
            self._waiting.append(entry)
            return
        self._left_out += len(self._tail) == self._tail.maxlen
        self._tail.append(entry)

    def progress(self, percent: int) -> None:
        """The work has come this far, 0 to 99; it never falls, and only a finish makes it 100."""
        self._progress = max(self._progress, min(percent, 99))

    @property
    def reached(self) -> int:
        """The progress, written or not yet."""
        return self._progress

    def beat(self) -> None:
        """Write if a batch is due; while the database is away everything is kept and tried again.

        Raises ClaimLost when the task is no longer this runner's.
        """
        if not self._waiting and self._progress == self._stored_progress:
            return
        full = len(self._waiting) >= BATCH_ENTRIES and not self._failing
        if not full and self._monotonic() < self._next_flush:
            return
        try:
            self.flush()
        except db.Unavailable:
            self._failing = True
            self._next_flush = self._monotonic() + RETRY_SECONDS

    def flush(self) -> None:
        """Write what waits, and updated_at, now. Raises ClaimLost, or one of db.Unavailable and keeps what waits."""
        claims.record(self._claim, self._waiting, self._progress)
        self._waiting.clear()
        self._stored_progress = self._progress
        self._failing = False
        self._next_flush = self._monotonic() + BATCH_SECONDS

    def end_of_output(self) -> None:
        """No process prints any more: queue the marker and the kept end of a flood."""
        if self._left_out:
            left_out = f"{self._left_out:,} lines of output were left out here"
            self.info(f"{left_out}; the last {len(self._tail):,} follow, with their times.")
        self._waiting += self._tail
        self._tail.clear()
        self._left_out = 0

    def rest(self) -> list[Entry]:
        """What is not written yet, for the finish to write."""
        self.end_of_output()
        entries, self._waiting = self._waiting, []
        return entries

    def _entry(self, type: LogType, message: str) -> Entry:
        return Entry(type, storable(message, self._secrets), db.now())
