"""A task's time: the minute marks, the warning and the hard limit, on a clock that no change of the time moves."""

from collections.abc import Callable

from core.errors import TimedOut
from core.words import duration


class Clock:
    """Counts from ``start``, or from its making. All times are seconds of ``monotonic``."""

    def __init__(
        self, limit: float, warning: float, tick: float, monotonic: Callable[[], float], start: float | None = None
    ) -> None:
        self._monotonic = monotonic
        self._start = monotonic() if start is None else start
        self._limit = limit
        self._warning = warning
        self._tick = tick
        self._next_tick = tick
        self._extension = 0.0
        self._warned = False

    @property
    def elapsed(self) -> float:
        """Seconds since the claim."""
        return self._monotonic() - self._start

    def extend(self, total: float) -> None:
        """Let the limit, and a warning before it, come ``total`` seconds later than at first."""
        if total != self._extension:
            self._extension = total
            self._warned = False

    def check(self) -> None:
        """Raise TimedOut once the limit is reached."""
        limit = self._limit + self._extension
        if self.elapsed >= limit:
            raise TimedOut(f"The task was stopped at its limit of {duration(limit)}.")

    def warning(self) -> str | None:
        """The warning's sentence, once before each limit, when its time has come."""
        if self._warned or self.elapsed < self._warning + self._extension:
            return None
        self._warned = True
        limit = self._limit + self._extension
        return f"{duration(self._limit - self._warning)} left: the task will be stopped at {duration(limit)}."

    def tick(self) -> str | None:
        """The time that has passed, whenever another ``tick`` is full."""
        if self.elapsed < self._next_tick:
            return None
        self._next_tick = (self.elapsed // self._tick + 1) * self._tick
        return duration(self.elapsed)
