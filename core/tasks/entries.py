"""Log entries on their way into the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from core.database.models import TaskLog
from core.log_text import LogType


@dataclass(frozen=True)
class Entry:
    """A log entry that is not stored yet."""

    type: LogType
    message: str
    timestamp: datetime


def insert_entries(session: Session, task_id: int, user_id: UUID, last: int, entries: Sequence[Entry]) -> None:
    """Store entries under the numbers up to ``last``, which an UPDATE of log_count has just reserved."""
    if entries:
        session.execute(insert(TaskLog), as_rows(task_id, user_id, last, entries))


def as_rows(task_id: int, user_id: UUID, last: int, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Entries as rows, numbered so that the last one is ``last``."""
    return [
        vars(entry) | {"task_id": task_id, "user_id": user_id, "seq": seq}
        for seq, entry in enumerate(entries, last - len(entries) + 1)
    ]
