"""Reading a task's log."""

from collections.abc import Collection, Sequence

from sqlalchemy import select

from core.database.models import MAX_ID, TaskLog
from core.database.ownership import Actor, acting_as
from core.errors import InvalidInput
from core.log_text import LogType
from core.tasks.commands import owned

PAGE_ENTRIES = 1_000


def since(actor: Actor, task_id: int, seq: int, types: Collection[LogType]) -> list[TaskLog]:
    """All entries of these types that follow ``seq``, oldest first; none of another person's task."""
    wanted = select(TaskLog).where(TaskLog.task_id == task_id, TaskLog.seq > seq, TaskLog.type.in_(types))
    with acting_as(actor, reading=True) as session:
        return list(session.scalars(wanted.order_by(TaskLog.seq)))


def after(actor: Actor, task_id: int, seq: int = 0, limit: int = PAGE_ENTRIES) -> list[TaskLog]:
    """Up to ``limit`` entries that follow ``seq``, oldest first.

    Raises NotFound for an absent or another person's task, InvalidInput for a limit outside 1 to 1,000.
    """
    if not 1 <= limit <= PAGE_ENTRIES:
        raise InvalidInput(f"limit must be between 1 and {PAGE_ENTRIES:,}.")
    if not 0 <= seq <= MAX_ID:
        raise InvalidInput("after must be the id of a log entry, or 0 for the beginning.")
    wanted = select(TaskLog).where(TaskLog.task_id == task_id, TaskLog.seq > seq).order_by(TaskLog.seq).limit(limit)
    with acting_as(actor, reading=True) as session:
        owned(session, task_id)
        return list(session.scalars(wanted))


def newest(actor: Actor, task_ids: Collection[int], limit: int) -> dict[int, list[TaskLog]]:
    """The last ``limit`` entries of each task, oldest first."""
    found: dict[int, list[TaskLog]] = {}
    with acting_as(actor, reading=True) as session:
        for task_id in task_ids:
            wanted = select(TaskLog).where(TaskLog.task_id == task_id).order_by(TaskLog.seq.desc()).limit(limit)
            found[task_id] = list(reversed(session.scalars(wanted).all()))
    return found


def as_text(entries: Sequence[TaskLog]) -> str:
    """A log as a text file: one line an entry, times in UTC."""
    return "".join(f"{entry.timestamp:%Y-%m-%dT%H:%M:%S.%fZ} {entry.type:<7} {entry.message}\n" for entry in entries)
