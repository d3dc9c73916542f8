"""Log entries on their way into the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    rows = [
        {
            "task_id": task_id,
            "seq": seq,
            "user_id": user_id,
            "timestamp": entry.timestamp,
            "type": entry.type,
            "message": entry.message,
        }
        for seq, entry in enumerate(entries, last - len(entries) + 1)
    ]
    if rows:
        session.execute(insert(TaskLog), rows)
