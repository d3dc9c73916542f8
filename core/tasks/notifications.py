"""The bells: something was committed that somebody here may wait for. A ring carries only the task's id; the row is the
message, and whoever listens also looks now and then, because other processes ring no bell of this one.
"""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session

_log = logging.getLogger(__name__)


class Topic:
    """Rings for a task once the transaction that concerns it is committed; never if it is rolled back."""

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[int], None], ...] = ()
        self._lock = threading.Lock()  # of changes; who rings takes the listeners as they are

    def subscribe(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Have ``listener(task_id)`` called, quickly, for each ring in this process; returns the way out."""
        with self._lock:
            self._listeners += (listener,)

        def leave() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return leave

    def publish(self, session: Session, task_id: int) -> None:
        """Ring after the session's transaction is committed."""

        def ring(_: Session) -> None:
            for listener in self._listeners:
                try:
                    listener(task_id)
                except Exception:  # what was committed is committed, whoever could not hear of it
                    _log.exception("a listener failed for task %s", task_id)

        event.listen(session, "after_commit", ring, once=True)


#: A task waits for a runner.
task_waiting = Topic()

#: Something was written to a task: an entry, its progress, its end.
task_changed = Topic()
