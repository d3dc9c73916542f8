"""What a chore is: one deed that may be repeated, be interrupted, and be done by two servers at once."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime

from core.config import Settings


class Chore(ABC):
    """A deed and how often it is due. ``closing`` is set when the server takes no more work."""

    def __init__(
        self,
        settings: Settings,
        closing: threading.Event,
        monotonic: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._closing = closing
        self._monotonic = monotonic
        self._now = now

    @property
    @abstractmethod
    def interval(self) -> float:
        """Seconds from one run to the next."""

    @abstractmethod
    def run_once(self) -> None:
        """Do it. Raises one of engine.Unavailable when the database does not answer; the next run makes up for it."""

    def after_outage(self) -> None:  # noqa: B027  most have nothing to do then
        """The database did not answer somebody in this process."""
