"""The bell: a task waits. It carries only the id; the row is the message, and a sweep finds what no bell announced."""

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session

_listeners: list[Callable[[int], None]] = []


def listen(listener: Callable[[int], None]) -> Callable[[], None]:
    """Have ``listener(task_id)`` called, quickly, for each announced task of this process; returns the way out."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def announce(session: Session, task_id: int) -> None:
    """Ring once the session's transaction is committed; never if it is rolled back."""

    def ring(_: Session) -> None:
        for listener in _listeners:
            listener(task_id)

    event.listen(session, "after_commit", ring, once=True)
