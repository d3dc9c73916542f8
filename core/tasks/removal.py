"""Deleting tasks for good, in batches: other writers find their turn in between."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from core.config import settings
from core.database import engine
from core.database.models import Task, User
from core.database.ownership import Actor, acting_as_system
from core.errors import Conflict
from core.identity import audit, people
from core.states import ENDED
from core.tasks.stores import artifact_store

#: What one transaction deletes at most: a fraction of a second of SQLite's one write lock.
BATCH_TASKS = 500
BATCH_ENTRIES = 20_000


def remove(
    begin: Callable[..., AbstractContextManager[Session]],
    *conditions: ColumnElement[bool],
    by: Actor | None,
    why: str = "",
) -> Iterator[int]:
    """Delete the tasks that fulfil the conditions, with logs and files; yields how many tasks each batch deleted.

    ``begin`` opens a transaction, as somebody who may do so; with ``reading=True`` one that only reads. The audit trail
    says of each batch who did it and ``why``.
    """
    while True:
        with begin(reading=True) as session:
            found = session.execute(select(Task.id, Task.log_count).where(*conditions).limit(BATCH_TASKS)).all()
        batch = _first((task.id, task.log_count) for task in found)
        if not batch:
            return
        # Rows first: a runner that finds its row gone stops its process and clears up after itself.
        with begin() as session:
            gone = _delete(session, Task.id.in_(batch), *conditions, by=by, why=why)
        _remove_files(gone)
        yield len(gone)


def retire(days: float, *, now: datetime | None = None) -> Iterator[int]:
    """Delete everybody's tasks that ended more than ``days`` days ago, as ``remove`` does."""
    before = (now or engine.now()) - timedelta(days=days)
    # A task is made before it ends: the first condition changes nothing, but has an index.
    ended = (Task.status.in_(ENDED), Task.finished_at < before)
    why = f"ended more than {days:g} days ago"
    return remove(acting_as_system, Task.created_at < before, *ended, by=None, why=why)


def remove_person(user_id: UUID, *, by: Actor | None) -> None:
    """Delete a person's account with all their tasks, logs and files; what runs is stopped.

    ``by`` is an administrator, or None for an operator. Raises Forbidden, NotFound, and Conflict when no administrator
    would be left, when it is the administrator's own account, and when somebody enables the account meanwhile.
    """
    if by and by.id == user_id:
        raise Conflict("Nobody deletes their own account: ask another administrator.")
    people.set_active(user_id, False, by=by)  # from now on they begin nothing
    own, why = Task.user_id == user_id, "with their owner's account"
    for _ in remove(acting_as_system, own, by=by, why=why):
        pass
    disabled = delete(User).where(User.id == user_id, User.is_active.is_(False))
    with acting_as_system() as session:  # the pages' login on PostgreSQL cannot delete people
        late = _delete(session, own, by=by, why=why)  # what was just being accepted
        gone = session.execute(disabled.returning(User.username, User.email)).one_or_none()
        if gone is None:
            raise Conflict("The account was enabled or deleted in the meantime: look again.")
        audit.record(session, audit.Kind.PERSON_DELETED, by=by, subject=gone.username, detail=gone.email)
    _remove_files(late)


def _delete(session: Session, *conditions: ColumnElement[bool], by: Actor | None, why: str) -> Sequence[int]:
    gone = session.scalars(delete(Task).where(*conditions).returning(Task.id)).all()
    if gone:
        numbers = ", ".join(map(str, sorted(gone)))
        audit.record(session, audit.Kind.TASK_DELETED, by=by, subject=numbers, detail=why)
    return gone


def _remove_files(task_ids: Iterable[int]) -> None:
    store = artifact_store(settings())
    for task_id in task_ids:
        store.delete(task_id)


def _first(tasks: Iterable[tuple[int, int]]) -> list[int]:
    """The first ids, until their log entries are enough for one transaction; at least one."""
    ids: list[int] = []
    entries = 0
    for task_id, log_count in tasks:
        entries += log_count
        if ids and entries > BATCH_ENTRIES:
            break
        ids.append(task_id)
    return ids
