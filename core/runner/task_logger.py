"""TaskLogger: what a runner says about its task, on the way to the database in batches."""

import threading
import time
from collections import deque
from collections.abc import Callable

from core.database import engine
from core.log_text import MAX_CHARACTERS, LogType, storable
from core.runner import claims
from core.runner.claims import Claim
from core.tasks.entries import Entry

BATCH_SECONDS = 0.2
BATCH_ENTRIES = 200
LARGEST_BATCH = 1_000

#: Of a flood, this share of the kept lines comes from its beginning, the rest from its end.
HEAD_SHARE = 0.8

#: When this much waits to be written, no more output should be read; about bytes.
FULL = 32 * 2**20
ENTRY_SIZE = 200  # beside its characters


class TaskLogger:
    """The log and the progress of one claimed task.

    One thread says, another writes. ``info``, ``command``, ``success`` and ``error`` are Taskdeck's own entries and
    always kept. ``output`` is for what a process prints: of more than ``lines`` of it the first 80 % and the last 20 %
    are kept, and an entry between them says how many were left out. None of them ever waits for the database; nothing
    is written before ``flush`` or the next due ``beat``.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        lines: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.batch_ready = threading.Event()  #: a whole batch waits; the writer clears it
        self._claim = claim
        self.secrets: tuple[str, ...] = ()  #: what no entry shows, see ``hide``
        self._monotonic = monotonic
        self._lock = threading.Lock()  # of what waits, and its size
        self._waiting: list[Entry] = []
        self._size = 0
        self._sending: list[Entry] = []  # the batch on its way
        self._in_doubt = False  # whether it arrived: the database did not answer
        self._last = 0  # the number of the newest entry that certainly arrived
        self._next_flush = monotonic() + BATCH_SECONDS
        self._head_left = int(lines * HEAD_SHARE)
        self._tail: deque[Entry] = deque(maxlen=lines - self._head_left)
        self._left_out = 0
        self.branch: str | None = None  #: the task's branch, stored with the next progress
        self._progress = 0
        self._stored_progress = 0

    def hide(self, *values: str) -> None:
        """Show these secrets in no entry that is made from now on."""
        self.secrets += values

    def info(self, message: str) -> None:
        """Something worth knowing happened."""
        self._add(self._entry(LogType.INFO, message))

    def command(self, message: str) -> None:
        """A command is about to run."""
        self._add(self._entry(LogType.COMMAND, message))

    def success(self, message: str) -> None:
        """Something was achieved."""
        self._add(self._entry(LogType.SUCCESS, message))

    def error(self, message: str) -> None:
        """Something went wrong."""
        self._add(self._entry(LogType.ERROR, message))

    def output(self, type: LogType, message: str) -> None:
        """A line that a process printed."""
        if self._head_left:
            self._head_left -= 1
            self._add(self._entry(type, message))
            return
        self._left_out += len(self._tail) == self._tail.maxlen
        # Most of a flood's lines are dropped again: only the long ones are made storable, and so short, at once.
        short = len(message) <= MAX_CHARACTERS
        self._tail.append(Entry(type, message, engine.now()) if short else self._entry(type, message))

    def progress(self, percent: int) -> None:
        """The work has come this far, 0 to 99; it never falls, and only a finish makes it 100."""
        self._progress = max(self._progress, min(percent, 99))

    @property
    def reached(self) -> int:
        """The progress, written or not yet."""
        return self._progress

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that the process should wait, too."""
        return self._size >= FULL

    def beat(self) -> None:
        """Write if a batch is due. Raises what ``flush`` raises."""
        if len(self._waiting) >= BATCH_ENTRIES or self._monotonic() >= self._next_flush:
            self.flush()

    def flush(self) -> None:
        """Write the progress and what waits, at most LARGEST_BATCH entries, now.

        Raises ClaimLost when the task is no longer this runner's, or one of engine.Unavailable; then everything is
        kept.
        """
        self._resolve()
        if self._take() or self._progress != self._stored_progress:
            progress = self._progress
            try:
                self._last = claims.record(self._claim, self._sending, progress, self.branch)
            except engine.Unavailable:
                self._in_doubt = True
                raise
            self._stored_progress = progress
            self._sent()
        self._next_flush = self._monotonic() + BATCH_SECONDS
        if len(self._waiting) >= BATCH_ENTRIES:
            self.batch_ready.set()

    def end_of_output(self) -> None:
        """No process prints any more: queue the marker and the kept end of a flood."""
        if self._left_out:
            left_out = f"{self._left_out:,} lines of output were left out here"
            self.info(f"{left_out}; the last {len(self._tail):,} follow, with their times.")
        for line in self._tail:
            self._add(Entry(line.type, storable(line.message, self.secrets), line.timestamp))
        self._tail.clear()
        self._left_out = 0

    def rest(self) -> list[Entry]:
        """What is certainly not written yet, for the finish to write. Raises one of engine.Unavailable."""
        self.end_of_output()
        self._resolve()
        return [*self._sending, *self._waiting]

    def _entry(self, type: LogType, message: str) -> Entry:
        return Entry(type, storable(message, self.secrets), engine.now())

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self._waiting.append(entry)
            self._size += len(entry.message) + ENTRY_SIZE
        if len(self._waiting) >= BATCH_ENTRIES:
            self.batch_ready.set()

    def _take(self) -> bool:
        """Make the next batch the one on its way, unless there is one; whether there is something to send."""
        if not self._sending:
            with self._lock:
                self._sending, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
        return bool(self._sending)

    def _sent(self) -> None:
        with self._lock:
            self._size -= sum(len(entry.message) + ENTRY_SIZE for entry in self._sending)
        self._sending = []

    def _resolve(self) -> None:
        """Find out about a batch whose write got no answer. Raises one of engine.Unavailable."""
        if self._in_doubt and self._sending and claims.recorded(self._claim, self._sending[0], self._last):
            self._sent()
        self._in_doubt = False
