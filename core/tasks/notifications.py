"""Notifications inside this process, sent after commit.

They carry only the task's id; listeners also poll, because other processes cannot notify this one.
"""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session

_log = logging.getLogger(__name__)


class Topic:
    """Tells its subscribers of a task once the transaction that concerns it is committed; never after a rollback."""

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[int], None], ...] = ()
        self._lock = threading.Lock()  # of changes; who publishes takes the listeners as they are

    def subscribe(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Have ``listener(task_id)`` called for each notification; it must be quick. Returns how to unsubscribe."""
        with self._lock:
            self._listeners += (listener,)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return unsubscribe

    def publish(self, session: Session, task_id: int) -> None:
        """Notify after the session's transaction is committed."""

        def notify(_: Session) -> None:
            for listener in self._listeners:
                try:
                    listener(task_id)
                except Exception:  # what was committed stays so, whoever could not be told
                    _log.exception("a listener failed for task %s", task_id)

        event.listen(session, "after_commit", notify, once=True)


#: A task waits for a runner.
task_waiting = Topic()

#: Something was written to a task: an entry, its progress, its end.
task_changed = Topic()
