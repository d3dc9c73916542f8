"""A person's tasks in pages, and how many there are."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select

from core.database.models import MAX_ID, Task
from core.database.ownership import Actor, acting_as, reading_everyone
from core.errors import InvalidInput
from core.states import TaskStatus

PAGE_TASKS = 200
QUERY_CHARACTERS = 200
COUNTED = 10_000

_FOREIGN_CURSOR = "cursor must be a nextCursor from an earlier answer."


@dataclass(frozen=True)
class Page:
    """Some tasks, newest first, and where the next page begins (None at the end)."""

    tasks: list[Task]
    next_cursor: str | None


def page(
    actor: Actor,
    *,
    status: TaskStatus | None = None,
    query: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Up to ``limit`` tasks, newest first, after ``cursor``; only those of a status, or with a text in the prompt.

    Raises InvalidInput for a limit outside 1 to 200, a cursor that is not one of ours, or too long a query.
    """
    if not 1 <= limit <= PAGE_TASKS:
        raise InvalidInput(f"limit must be between 1 and {PAGE_TASKS}.")
    if len(query) > QUERY_CHARACTERS:
        raise InvalidInput(f"q is too long: at most {QUERY_CHARACTERS} characters.")
    wanted = select(Task).order_by(Task.created_at.desc(), Task.id.desc()).limit(limit + 1)
    if status:
        wanted = wanted.where(Task.status == status)
    if words := query.replace("\0", "").encode("utf-8", "replace").decode().strip():
        wanted = wanted.where(Task.prompt.icontains(words, autoescape=True))
    if cursor:
        wanted = wanted.where(_older_than(cursor))
    with acting_as(actor, reading=True) as session:
        tasks = list(session.scalars(wanted))
    more = len(tasks) > limit
    return Page(tasks[:limit], _cursor(tasks[limit - 1]) if more else None)


def counts(actor: Actor) -> dict[TaskStatus, int]:
    """How many tasks there are of each status; from COUNTED on, only that there are more than that."""
    with acting_as(actor, reading=True) as session:
        return {
            status: session.scalar(
                select(func.count()).select_from(
                    select(Task.id).where(Task.status == status).limit(COUNTED + 1).subquery()
                )
            )
            or 0
            for status in TaskStatus
        }


def count_of(reader: Actor, owner_id: UUID) -> int:
    """How many tasks a person has; from COUNTED on, only that there are more than that.

    Raises Forbidden unless ``reader`` may read everybody's.
    """
    some = select(Task.id).where(Task.user_id == owner_id).limit(COUNTED + 1).subquery()
    with reading_everyone(reader) as session:
        return session.scalars(select(func.count()).select_from(some)).one()


def _cursor(task: Task) -> str:
    return base64.urlsafe_b64encode(f"{task.created_at.isoformat()} {task.id}".encode()).decode()


def _older_than(cursor: str) -> ColumnElement[bool]:
    try:
        moment, _, number = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition(" ")
        created_at, task_id = datetime.fromisoformat(moment), int(number)
        created_at.astimezone(UTC)  # not every zone and time that can be written can be converted
    except (binascii.Error, ValueError, OverflowError):
        raise InvalidInput(_FOREIGN_CURSOR) from None
    if created_at.tzinfo is None or not 0 < task_id <= MAX_ID:
        raise InvalidInput(_FOREIGN_CURSOR)
    # The first half alone is a range of the index; a bare OR of the two would read all that is newer, too.
    return and_(Task.created_at <= created_at, or_(Task.created_at < created_at, Task.id < task_id))
